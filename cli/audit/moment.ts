import { HushError } from '../../protocol/errors.ts';

/** The span that a time on the command line stands for, in ms since 1970: `from` is in it, `to` is not. */
export interface Moment {
  readonly from: number;
  readonly to: number;
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const ago = /^([0-9]{1,9})([smhd])$/;
const day = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const datePart = /^([0-9]{4})-([0-9]{2})-([0-9]{2})/;
const instant =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?$/;

/**
 * The moment that a text names: a whole local day, a date with a time, or so long ago. Throws BAD_REQUEST for anything
 * else.
 */
export function momentOf(text: string, now: Date): Moment {
  const [, count, unit = ''] = ago.exec(text) ?? [];
  if (count !== undefined) return at(now.getTime() - Number(count) * (unitMs[unit] ?? 0));
  if (!isOfCalendar(text)) throw noTime();
  if (day.test(text)) {
    const from = new Date(`${text}T00:00`);
    const to = new Date(from);
    to.setDate(from.getDate() + 1);
    if (!Number.isNaN(to.getTime())) return { from: from.getTime(), to: to.getTime() };
  }
  const time = instant.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(time)) return at(time);
  throw noTime();
}

/** Whether the day that a text begins with is there: Date takes 31 February for 3 March. */
function isOfCalendar(text: string): boolean {
  const [, year, month, date] = datePart.exec(text) ?? [];
  const found = new Date(Date.UTC(Number(year), Number(month) - 1, Number(date)));
  return found.getUTCMonth() === Number(month) - 1 && found.getUTCDate() === Number(date);
}

const noTime = (): HushError =>
  new HushError('BAD_REQUEST', 'that is no time', {
    hint: 'a time is 2026-01-31, 2026-01-31T08:00, 2026-01-31T08:00:00Z, or 90s, 30m, 12h, 7d for so long ago',
  });

const at = (time: number): Moment => ({ from: time, to: time });
