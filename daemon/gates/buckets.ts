/** Tokens a second, and how many can be saved up. */
export interface Rate {
  readonly rate: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was right, in milliseconds of the monotonic clock. */
  at: number;
  rate: number;
  burst: number;
}

/** Token buckets by the identity that they belong to. */
export interface Buckets {
  /** Takes one token of the bucket: 0, or the whole milliseconds until the next one is there. */
  take(owner: string, rate: Rate): number;
}

/** Who has no bucket of its own while there is no room for one shares this one; no identity has such a name. */
const crowd = '';
/** While there is no room it is looked for at most that often. */
const sweepMs = 100;

/**
 * Buckets of at most `capacity` owners, and one for all others. A bucket makes room once it is full again, and never
 * before: nothing that anybody asks for gives back a token early. `now` is a monotonic clock in milliseconds.
 */
export function createBuckets(capacity: number, now: () => number): Buckets {
  const buckets = new Map<string, Bucket>();
  let sweptAt = Number.NEGATIVE_INFINITY;

  const makeRoom = (time: number): void => {
    if (time - sweptAt < sweepMs) return;
    sweptAt = time;
    for (const [owner, bucket] of buckets) {
      if (tokensAt(bucket, time) >= bucket.burst) buckets.delete(owner);
    }
  };

  const bucketOf = (owner: string, { rate, burst }: Rate, time: number): Bucket => {
    const known = buckets.get(owner);
    if (known !== undefined) return known;
    if (owner !== crowd && buckets.size >= capacity) {
      makeRoom(time);
      if (buckets.size >= capacity) return bucketOf(crowd, { rate, burst }, time);
    }
    const bucket = { tokens: burst, at: time, rate, burst };
    buckets.set(owner, bucket);
    return bucket;
  };

  return {
    take(owner, { rate, burst }) {
      const time = now();
      const bucket = bucketOf(owner, { rate, burst }, time);
      bucket.tokens = Math.min(burst, tokensAt(bucket, time));
      bucket.at = time;
      bucket.rate = rate;
      bucket.burst = burst;
      if (bucket.tokens >= 1 - 1e-9) {
        bucket.tokens = Math.max(0, bucket.tokens - 1);
        return 0;
      }
      // A token that is short by no more than rounding counts as there in that millisecond.
      return Math.max(1, Math.ceil(((1 - bucket.tokens) * 1000) / rate - 1e-6));
    },
  };
}

function tokensAt({ tokens, at, rate, burst }: Bucket, time: number): number {
  return Math.min(burst, tokens + ((time - at) * rate) / 1000);
}
