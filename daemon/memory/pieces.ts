import { newBytes } from './plain-bytes.ts';

/** Memory for many small things that end together. */
export interface Pieces {
  /** `length` bytes outside V8's heap, whatever they hold. */
  take(length: number): Uint8Array;
  /** Lets all that was taken be handed out again; nothing is overwritten. */
  reset(): void;
}

/** Pieces out of slabs of so many bytes, used again after each reset: memory of its own for each would keep the collector busy. */
export function createPieces(slabBytes: number): Pieces {
  const slabs: Uint8Array[] = [];
  let current = 0;
  let used = 0;
  return {
    take(length) {
      if (length > slabBytes) return newBytes(length);
      if (used + length > slabBytes) {
        current++;
        used = 0;
      }
      const slab = (slabs[current] ??= newBytes(slabBytes));
      used += length;
      return slab.subarray(used - length, used);
    },
    reset() {
      current = 0;
      used = 0;
    },
  };
}
