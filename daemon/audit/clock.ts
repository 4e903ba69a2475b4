import { performance } from 'node:perf_hooks';
import type { AuditMoment } from './records.ts';

/** A clock for records; it writes a millisecond's time out once, since 100 records may share one. */
export function createAuditClock(): () => AuditMoment {
  const bootOffset = Number(process.hrtime.bigint() / 1_000_000n) - performance.now();
  let wall = Number.NaN;
  let time = '';
  return () => {
    const now = Date.now();
    if (now !== wall) {
      wall = now;
      time = new Date(now).toISOString();
    }
    return { time, mono: Math.trunc(bootOffset + performance.now()) };
  };
}
