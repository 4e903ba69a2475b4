import { isUtf8 } from 'node:buffer';

/** A value as JSON carries it: text where it is valid UTF-8, base64 where it is not. */
export function valueFields(value: Uint8Array): { value: string } | { valueBase64: string } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return isUtf8(bytes) ? { value: bytes.toString('utf8') } : { valueBase64: bytes.toString('base64') };
}
