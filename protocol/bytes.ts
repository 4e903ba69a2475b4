/**
 * `length` zero bytes outside V8's heap. `new Uint8Array(n)` of 64 bytes and fewer lives on that heap, where the
 * collector moves it about and leaves copies behind that no wipe reaches.
 */
export function newBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** A copy of the bytes, outside V8's heap. */
export function copyBytes(source: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = newBytes(source.length);
  copy.set(source);
  return copy;
}

/** All the parts, one after the other, in new bytes outside V8's heap. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joinBytes(parts);
}

/** As `concatBytes`, for any number of parts: a call takes some 100,000 arguments at most. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = newBytes(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Overwrites all the bytes with zeros. */
export function wipe(...arrays: readonly Uint8Array[]): void {
  for (const array of arrays) array.fill(0);
}

const hexDigits = '0123456789abcdef';

/** Writes two hex digits a byte into `text`, from `at` on, without a string on the way. */
export function putHex(text: Uint8Array, at: number, bytes: Uint8Array): void {
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    text[at + 2 * index] = hexDigits.charCodeAt(byte >> 4);
    text[at + 2 * index + 1] = hexDigits.charCodeAt(byte & 0x0f);
  }
}
