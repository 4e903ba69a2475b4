import { LRUCache } from 'lru-cache';

/** Tokens a second, and how many can be saved up. */
export interface Rate {
  readonly rate: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was right, in milliseconds of the monotonic clock. */
  at: number;
}

/** Token buckets by the identity that they belong to. */
export interface Buckets {
  /** Takes one token of the bucket: 0, or the whole milliseconds until the next one is there. */
  take(owner: string, rate: Rate): number;
}

/**
 * Buckets of at most `capacity` owners; the one longest unused makes room, and would start full again.
 * `now` is a monotonic clock in milliseconds.
 */
export function createBuckets(capacity: number, now: () => number): Buckets {
  const buckets = new LRUCache<string, Bucket>({ max: capacity });
  return {
    take(owner, { rate, burst }) {
      const time = now();
      let bucket = buckets.get(owner);
      if (bucket === undefined) {
        bucket = { tokens: burst, at: time };
        buckets.set(owner, bucket);
      }
      bucket.tokens = Math.min(burst, bucket.tokens + ((time - bucket.at) * rate) / 1000);
      bucket.at = time;
      if (bucket.tokens >= 1 - 1e-9) {
        bucket.tokens = Math.max(0, bucket.tokens - 1);
        return 0;
      }
      // A token that is short by no more than rounding counts as there in that millisecond.
      return Math.max(1, Math.ceil(((1 - bucket.tokens) * 1000) / rate - 1e-6));
    },
  };
}
