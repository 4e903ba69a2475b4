/** Zeroed bytes off V8's heap, which can be wiped for good: small typed arrays of other kinds leave copies behind. */
export function newBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** A copy of bytes in memory of its own, off V8's heap. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = newBytes(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

/** The value with each binary in it, at any depth, replaced in place by a copy of its own. */
export function withOwnBinaries(value: unknown): unknown {
  if (value instanceof Uint8Array) return copyOf(value);
  if (typeof value !== 'object' || value === null) return value;
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === 'object' && item !== null) Reflect.set(value, key, withOwnBinaries(item));
  }
  return value;
}

/** Wipes each binary in a value, at any depth. */
export function wipeBinaries(value: unknown): void {
  if (value instanceof Uint8Array) value.fill(0);
  else if (typeof value === 'object' && value !== null) Object.values(value).forEach(wipeBinaries);
}
