/** Buffers for what leaves the daemon, kept for reuse: off V8's heap, outside Buffer's pool, wiped between uses. */
export interface Slabs {
  /** A buffer of at least `bytes`, all zero. */
  take(bytes: number): Buffer;
  /** Wipes the first `used` bytes and keeps the buffer if it is of the usual size. */
  giveBack(slab: Buffer, used: number): void;
}

const usualBytes = 64 * 1024;

/** A pool that keeps at most `keep` buffers of 64 KiB. */
export function createSlabs(keep: number): Slabs {
  const free: Buffer[] = [];
  return {
    take(bytes) {
      const slab = bytes <= usualBytes ? free.pop() : undefined;
      return slab ?? Buffer.from(new ArrayBuffer(Math.max(bytes, usualBytes)));
    },
    giveBack(slab, used) {
      slab.fill(0, 0, used);
      if (slab.byteLength === usualBytes && free.length < keep) free.push(slab);
    },
  };
}
