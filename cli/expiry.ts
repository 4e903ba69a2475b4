import { HushError } from '../protocol/errors.ts';
import { momentOf, type Moment } from './audit/moment.ts';
import { parseDuration } from './duration.ts';
import { durationText } from './format.ts';

/** From when on a value is shown to expire soon. */
export const soonMs = 7 * 86_400_000;

const latest = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * The time that `--expires` names, as the daemon takes it: a time, the end of a local day, or so long from now. Throws
 * BAD_REQUEST for what is none, and for what is not to come.
 */
export function expiryOf(text: string, now: Date): string {
  const seconds = parseDuration(text);
  const time = seconds === undefined ? namedTime(text, now) : now.getTime() + seconds * 1000;
  if (time <= now.getTime()) throw malformed('that time is over');
  if (time > latest) throw malformed('that time is too far away');
  return new Date(time).toISOString();
}

function namedTime(text: string, now: Date): number {
  if (!isDay(text.slice(0, 10))) throw malformed('that is no time');
  let moment: Moment;
  try {
    moment = momentOf(text, now);
  } catch (error) {
    if (error instanceof HushError) throw malformed('that is no time');
    throw error;
  }
  return moment.to;
}

/** Whether the calendar has this day; JavaScript takes the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

const malformed = (message: string): HushError =>
  new HushError('BAD_REQUEST', message, {
    hint: '--expires takes 30d, 12h, 90m or 45s from now, 2030-01-31 (to its end), or 2030-01-31T08:00:00Z',
  });

/** When a value expires or has expired, and in how long where that is soon. */
export function expiryText(expiresAt: string, now: Date): string {
  const left = Date.parse(expiresAt) - now.getTime();
  if (left <= 0) return `expired ${expiresAt}`;
  return left > soonMs ? `expires ${expiresAt}` : `expires ${expiresAt}, in ${durationText(left)}`;
}
