import { setTimeout as delay } from 'node:timers/promises';
import { wipeBinaries } from '../client/bytes.ts';
import { now as moment } from '../client/clock.ts';
import { errorOf, HushError } from '../protocol/errors.ts';
import type { ParamsOf, ResultOf } from '../protocol/operations.ts';
import type { Daemon } from './daemon.ts';

/** One item of a batch, as it is sent. */
export type BatchItem = ParamsOf<'batch'>['items'][number];

/** What became of an item; what is in `ok` has not been looked at. */
export type Outcome = { readonly ok: Readonly<Record<string, unknown>> } | { readonly error: HushError };

/** So many items are sent at a time, and bytes of values or handles: far below what any daemon refuses. */
const usualItems = 100;
const mostBytes = 256 * 1024;
/** How long a rate limit is waited out. */
const patienceMs = 15_000;

/**
 * Asks for all items, `atOnce` of them in a batch, and waits out the rate limit; gives what became of each, in their
 * order. Rejects where the daemon cannot be asked at all.
 */
export async function askInBatches(
  daemon: Daemon,
  items: readonly BatchItem[],
  atOnce = usualItems,
): Promise<Outcome[]> {
  const until = moment() + patienceMs;
  const outcomes = new Map<BatchItem, Outcome>();
  let wanted = items;
  let size = atOnce;
  while (wanted.length > 0) {
    const now = fitting(wanted.slice(0, size));
    let answers: Outcome[];
    try {
      answers = await ask(daemon, now);
    } catch (error) {
      // A daemon may take fewer items at once than is usual.
      if (isLimit(error, 'batchItems') && size > 1) {
        size = Math.ceil(size / 2);
        continue;
      }
      for (const outcome of outcomes.values()) if ('ok' in outcome) wipeBinaries(outcome.ok);
      throw error;
    }
    const again: BatchItem[] = [];
    let pauseMs = 0;
    for (const [index, item] of now.entries()) {
      const answer = answers[index] ?? { error: new HushError('UNAVAILABLE') };
      const error = 'error' in answer ? answer.error : undefined;
      // What had no room in the reply has some in the next one, unless it fills it alone.
      const noRoom = isLimit(error, 'frameBytes') && now.length > 1;
      const limited = error?.code === 'RATE_LIMITED' && moment() + (error.retryAfterMs ?? 0) < until;
      if (limited) pauseMs = Math.max(pauseMs, error.retryAfterMs ?? 1);
      if (noRoom || limited) again.push(item);
      else outcomes.set(item, answer);
    }
    if (again.length === now.length && pauseMs === 0) size = Math.ceil(now.length / 2);
    wanted = [...again, ...wanted.slice(now.length)];
    if (pauseMs > 0) await delay(pauseMs);
  }
  return items.map((item) => outcomes.get(item) ?? { error: new HushError('UNAVAILABLE') });
}

/** As many of the items from the first on as one request should hold. */
function fitting(items: readonly BatchItem[]): readonly BatchItem[] {
  let bytes = 0;
  const end = items.findIndex(({ params }, index) => {
    bytes += sizeOf(params);
    return bytes > mostBytes && index > 0;
  });
  return end < 0 ? items : items.slice(0, end);
}

/** About the bytes of the value or the handle among the parameters. */
function sizeOf({ value, handle }: BatchItem['params']): number {
  if (value instanceof Uint8Array) return value.length;
  const sealed: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'ciphertext') : undefined;
  return typeof sealed === 'string' ? sealed.length : 0;
}

const isLimit = (error: unknown, limit: string): boolean =>
  error instanceof HushError && error.limit === limit;

async function ask(daemon: Daemon, items: readonly BatchItem[]): Promise<Outcome[]> {
  const { results } = await daemon.call('batch', { items: [...items] });
  return items.map((_, index) => outcomeOf(results[index]));
}

function outcomeOf(result: ResultOf<'batch'>['results'][number] | undefined): Outcome {
  if (result === undefined)
    return { error: new HushError('UNAVAILABLE', 'the daemon did not answer for it') };
  return 'ok' in result ? result : { error: errorOf(result.error) };
}
