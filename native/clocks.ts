import { callFailed, libc } from './libc.ts';

const CLOCK_BOOTTIME = 7;

const clockGettime: (clock: number, time: BigInt64Array) => number = libc.func(
  'int clock_gettime(int clock, void *time)',
);
const time = new BigInt64Array(2);

/**
 * Milliseconds since boot, the time in which the machine was suspended included (CLOCK_BOOTTIME, clock_gettime(2)), as
 * `performance.now()` does not count it. Throws UNAVAILABLE when the kernel has no such clock.
 */
export function bootTimeMs(): number {
  if (clockGettime(CLOCK_BOOTTIME, time) !== 0) throw callFailed('clock_gettime(CLOCK_BOOTTIME)');
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1000 + Number(nanoseconds) / 1e6;
}
