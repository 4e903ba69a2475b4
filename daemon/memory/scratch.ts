import { newBytes } from './plain-bytes.ts';

/** Memory for bytes that live no longer than the turn of the event loop that made them. */
export interface Scratch {
  /** `length` zero bytes outside V8's heap, the caller's to wipe. */
  take(length: number): Uint8Array;
  /** Lets everything that was taken be handed out again. What was not wiped by then is wiped now. */
  reset(): void;
}

/**
 * Scratch of `size` bytes, taken once: a new ArrayBuffer costs about 2 µs and work for the collector, a view into
 * this a tenth of it. What does not fit any more gets memory of its own.
 */
export function createScratch(size: number): Scratch {
  const memory = newBytes(size);
  let used = 0;
  return {
    take(length) {
      if (length > size - used) return newBytes(length);
      const start = used;
      used += length;
      return memory.subarray(start, used);
    },
    reset() {
      memory.fill(0, 0, used);
      used = 0;
    },
  };
}
