import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';

/** Numbers that a seed decides, so that a run can be repeated. */
export interface Random {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  /** True once in `times`. */
  oneIn(times: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** Random numbers from the seed in FAULT_SEED, or from a new one; the test tells it. */
export function randomOf(t: TestContext): Random {
  const seed = Number(process.env['FAULT_SEED'] ?? randomInt(2 ** 31));
  t.diagnostic(`FAULT_SEED=${seed}`);
  return seededRandom(seed);
}

/** Random numbers by mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick: (items) => items[below(items.length)] ?? items[0],
    bytes(length) {
      const bytes = new Uint8Array(new ArrayBuffer(length));
      for (let index = 0; index < length; index += 1) bytes[index] = next();
      return bytes;
    },
  };
}
