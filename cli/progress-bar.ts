import { durationText } from './format.ts';

/** How far something of known size is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** A second. */
  readonly rate: number;
}

const barWidth = 20;

/** A bar, the share, the numbers, the rate and the time left in one line; `what` names many of the things. */
export function progressText({ done, total, rate }: Progress, what: string): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.floor(share * barWidth);
  const bar = `${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}`;
  const left = rate > 0 ? `, ${durationText(Math.ceil((total - done) / rate) * 1000)} left` : '';
  return `[${bar}] ${Math.floor(share * 100)} %, ${done} of ${total} ${what}, ${rate} a second${left}`;
}
