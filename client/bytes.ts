import { copyBytes } from '../protocol/bytes.ts';

/** The value with each binary in it, at any depth, replaced in place by a copy of its own. */
export function withOwnBinaries(value: unknown): unknown {
  if (value instanceof Uint8Array) return copyBytes(value);
  if (typeof value !== 'object' || value === null) return value;
  // What was decoded is plain objects and arrays. `for in` makes no array of an object's entries, but a text of each
  // index of an array.
  if (Array.isArray(value)) for (let at = 0; at < value.length; at++) value[at] = withOwnBinaries(value[at]);
  else
    for (const key in value) {
      const item: unknown = Reflect.get(value, key);
      if (typeof item === 'object' && item !== null) Reflect.set(value, key, withOwnBinaries(item));
    }
  return value;
}

/** Wipes each binary in a value, at any depth. */
export function wipeBinaries(value: unknown): void {
  if (value instanceof Uint8Array) value.fill(0);
  else if (typeof value === 'object' && value !== null) Object.values(value).forEach(wipeBinaries);
}
