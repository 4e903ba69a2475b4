/**
 * Zeroed bytes off V8's heap: small typed arrays of other kinds are moved about, and leave copies that no
 * wipe reaches.
 */
export function newBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** All the parts, one after the other, in bytes of their own off V8's heap. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.byteLength;
  const whole = newBytes(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** A copy of bytes in memory of its own, off V8's heap. */
export const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => concatBytes(bytes);

/** Overwrites all the bytes with zeros. */
export function wipe(...arrays: readonly Uint8Array[]): void {
  for (const array of arrays) array.fill(0);
}

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text that is no secret. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text);
