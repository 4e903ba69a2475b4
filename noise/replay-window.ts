/** Remembers which numbers of a growing count came already, in a fixed number of bits (RFC 6479). */
export interface ReplayWindow {
  /** Whether the number has not come yet, and is not so far behind the highest that nobody would know. */
  isFresh(count: number): boolean;
  /** Notes that the number has come. */
  mark(count: number): void;
}

/**
 * How far behind the highest number one may come. hushd itself seals and opens in one order; others may
 * shuffle this much.
 */
export const windowBits = 4096;

/** A window over whole numbers from 0 to 2^53 - 1. */
export function createReplayWindow(): ReplayWindow {
  const seen = new Uint8Array(new ArrayBuffer(windowBits));
  let highest = -1;
  return {
    isFresh: (count) => count > highest || (count > highest - windowBits && seen[count % windowBits] === 0),
    mark(count) {
      if (count - highest >= windowBits) seen.fill(0);
      else for (let skipped = highest + 1; skipped < count; skipped++) seen[skipped % windowBits] = 0;
      if (count > highest) highest = count;
      seen[count % windowBits] = 1;
    },
  };
}
