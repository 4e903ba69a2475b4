import { HushError } from '../../protocol/errors.ts';

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text that is no secret. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** Lower-case hex of bytes that are no secret. */
export const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

/** The bytes of hex digits that a parser has checked. */
export const bytesOfHex = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

/** Base64 with padding (RFC 4648 4) of bytes that are no secret. */
export const base64Of = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');

/** The bytes of base64 in its one canonical form, else undefined: no other spelling of the same bytes passes. */
export function bytesOfBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** The bytes of base64 that a parser has checked. Throws INTEGRITY otherwise. */
export function checkedBase64(text: string): Buffer {
  const bytes = bytesOfBase64(text);
  if (bytes === undefined) throw new HushError('INTEGRITY', 'a stored key is not base64');
  return bytes;
}
