import { timingSafeEqual } from 'node:crypto';

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

/** Whether both hold the same bytes; the time tells the lengths and nothing of the content. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
