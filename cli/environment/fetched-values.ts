import { setTimeout as delay } from 'node:timers/promises';
import { now as moment } from '../../client/clock.ts';
import { wipe } from '../../protocol/bytes.ts';
import { errorOf, HushError } from '../../protocol/errors.ts';
import type { SecretReference } from '../../protocol/names.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Daemon } from '../daemon.ts';

/** A value as the daemon gave it, or why it did not. */
export type Fetched =
  { readonly value: Uint8Array; readonly version: number } | { readonly error: HushError };

/** Values by their references, until they are wiped. */
export interface FetchedValues {
  readonly of: (reference: string) => Fetched;
  wipe(): void;
}

/** What a daemon takes in one batch, unless its config says less. */
const usualItems = 500;
/** How long a rate limit is waited out. */
const patienceMs = 15_000;

/** Reads the secrets in as few batches as the daemon allows. Rejects where the daemon cannot be asked at all. */
export async function fetchValues(
  daemon: Daemon,
  targets: ReadonlyMap<string, SecretReference>,
): Promise<FetchedValues> {
  const fetched = new Map<string, Fetched>();
  const wipeAll = (): void => {
    for (const one of fetched.values()) if ('value' in one) wipe(one.value);
  };
  try {
    await fetchAll(daemon, [...targets], fetched);
  } catch (error) {
    wipeAll();
    throw error;
  }
  return {
    of: (reference) => fetched.get(reference) ?? { error: new HushError('NOT_FOUND') },
    wipe: wipeAll,
  };
}

type Wanted = readonly [reference: string, target: SecretReference];

async function fetchAll(
  daemon: Daemon,
  targets: readonly Wanted[],
  fetched: Map<string, Fetched>,
): Promise<void> {
  const until = moment() + patienceMs;
  let wanted = targets;
  let size = usualItems;
  while (wanted.length > 0) {
    const [now, later] = [wanted.slice(0, size), wanted.slice(size)];
    let answers: readonly Fetched[];
    try {
      answers = await askFor(daemon, now);
    } catch (error) {
      // A daemon may take fewer items at once than is usual.
      if (!isLimit(error, 'batchItems') || size === 1) throw error;
      size = Math.ceil(size / 2);
      continue;
    }
    const again: Wanted[] = [];
    let pauseMs = 0;
    answers.forEach((answer, index) => {
      const one = now[index];
      if (one === undefined) return;
      const error = 'error' in answer ? answer.error : undefined;
      // The reply was full: there is room in the next one, unless this value alone fills it.
      const noRoom = isLimit(error, 'frameBytes') && now.length > 1;
      const limited = error?.code === 'RATE_LIMITED' && moment() + (error.retryAfterMs ?? 0) < until;
      if (limited) pauseMs = Math.max(pauseMs, error.retryAfterMs ?? 1);
      if (noRoom || limited) again.push(one);
      else fetched.set(one[0], answer);
    });
    if (again.length === now.length && pauseMs === 0) size = Math.ceil(size / 2);
    wanted = [...again, ...later];
    if (pauseMs > 0) await delay(pauseMs);
  }
}

async function askFor(daemon: Daemon, wanted: readonly Wanted[]): Promise<readonly Fetched[]> {
  const items = wanted.map(([, { profile, path }]) => ({
    op: 'secret.get',
    params: { profile, path: path.text },
  }));
  const { results } = await daemon.call('batch', { items });
  return wanted.map((_, index) => fetchedOf(results[index]));
}

/** One result of a batch; the client has checked that it is one of its two shapes, but not what is inside of `ok`. */
function fetchedOf(result: ResultOf<'batch'>['results'][number] | undefined): Fetched {
  if (result !== undefined && 'error' in result) {
    const { code, message, ...details } = result.error;
    return { error: errorOf({ code, message, ...details }) };
  }
  const value = result?.ok['value'];
  const version = result?.ok['version'];
  if (value instanceof Uint8Array && typeof version === 'number') return { value, version };
  return { error: new HushError('UNAVAILABLE', 'the daemon did not answer for it') };
}

const isLimit = (error: unknown, limit: string): boolean =>
  error instanceof HushError && error.limit === limit;
