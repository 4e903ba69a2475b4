export { concatBytes, copyBytes as copyOf, newBytes, wipe } from '../protocol/bytes.ts';

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text that is no secret. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text);
