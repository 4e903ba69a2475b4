import { LRUCache } from 'lru-cache';

import { newBytes, wipe } from '../memory/plain-bytes.ts';

/** A value with what is told of it; times are ISO 8601 in UTC. Whoever holds it owns the bytes and wipes them. */
export interface Secret {
  readonly value: Uint8Array;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** When the value ends, if it does; whoever hands it out looks at that. */
  readonly expiresAt?: string;
}

/** How the cache has done since it was made. */
export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
  /** Bytes of all the values in it. */
  readonly bytes: number;
}

export interface CacheOptions {
  /** For how many seconds a value stays; 0 keeps nothing. */
  readonly ttlSeconds: number;
  /** How many values it holds at most. */
  readonly entries: number;
  /** How many bytes of values it holds at most. */
  readonly bytes: number;
  /** A clock in ms that never goes backwards. */
  readonly now?: () => number;
  /** Gives the memory of the copies that `get` hands out; new memory each time by default. */
  readonly allocate?: (length: number) => Uint8Array;
}

/** Opened values, for a while, so that reading one again costs no disk and no decryption. */
export interface SecretCache {
  /** An independent copy of what is kept under the key; the caller wipes it. */
  get(key: string): Secret | undefined;
  /** Keeps the secret, which from here on belongs to the cache (too large a one is wiped at once). */
  put(key: string, secret: Secret): void;
  /** Wipes what is kept under the key. */
  drop(key: string): void;
  /** Wipes everything. */
  flush(): void;
  /** Wipes what has expired; the cache does so by itself while it holds anything. */
  sweep(): void;
  stats(): CacheStats;
}

const shortestSweep = 50;
const longestSweep = 5_000;

/**
 * A cache of opened secrets, bounded in time, entries and bytes; what falls out of it is wiped. An expired value is
 * wiped within a tenth of the TTL, 5 s at most, without being asked for. Its timer keeps no process alive.
 */
export function createSecretCache(options: CacheOptions): SecretCache {
  const { ttlSeconds, entries: maxEntries, bytes: maxBytes } = options;
  const now = options.now ?? (() => performance.now());
  const allocate = options.allocate ?? newBytes;
  const ttl = Math.ceil(ttlSeconds * 1000);
  const period = Math.min(longestSweep, Math.max(shortestSweep, ttl / 10));
  const isOff = ttl <= 0 || maxEntries <= 0 || maxBytes <= 0;
  const sizeOf = (secret: Secret): number => Math.max(1, secret.value.length);

  const entries = new LRUCache<string, Secret>({
    max: Math.max(1, maxEntries),
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: sizeOf,
    ttl: Math.max(1, ttl),
    ttlResolution: 0,
    perf: { now },
    dispose: ({ value }) => {
      wipe(value);
    },
  });
  let hits = 0;
  let misses = 0;
  let timer: NodeJS.Timeout | undefined;

  function sweep(): void {
    entries.purgeStale();
    if (entries.size === 0) stopSweeping();
  }

  function keepSweeping(): void {
    timer ??= setInterval(sweep, period).unref();
  }

  function stopSweeping(): void {
    clearInterval(timer);
    timer = undefined;
  }

  return {
    get(key) {
      const kept = entries.get(key);
      if (kept === undefined) {
        misses++;
        return undefined;
      }
      hits++;
      const { value, version, createdAt, updatedAt, expiresAt } = kept;
      const copy = allocate(value.length);
      copy.set(value);
      return expiresAt === undefined
        ? { value: copy, version, createdAt, updatedAt }
        : { value: copy, version, createdAt, updatedAt, expiresAt };
    },
    put(key, secret) {
      if (isOff || sizeOf(secret) > maxBytes) {
        entries.delete(key);
        wipe(secret.value);
        return;
      }
      entries.set(key, secret);
      keepSweeping();
    },
    drop(key) {
      entries.delete(key);
    },
    flush() {
      entries.clear();
      stopSweeping();
    },
    sweep,
    stats: () => ({ hits, misses, entries: entries.size, bytes: entries.calculatedSize }),
  };
}
