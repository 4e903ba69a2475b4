import { HushError } from '../../protocol/errors.ts';
import { askInBatches } from '../batch.ts';
import type { Daemon, LimitedDaemon } from '../daemon.ts';
import type { Candidate } from './candidates.ts';

/** A value to import, held against what is there. */
export interface Planned extends Candidate {
  readonly state: 'new' | 'changed' | 'unchanged';
  /** The version that is current; 0 where there is none. */
  readonly version: number;
}

/** Holds values against what is stored; `problems` are those that cannot be read, or are too large to be stored. */
export async function planOf(
  daemon: LimitedDaemon,
  profile: string,
  candidates: readonly Candidate[],
): Promise<{ readonly planned: readonly Planned[]; readonly problems: readonly HushError[] }> {
  const items = candidates.map(({ path }) => ({
    op: 'secret.get',
    params: { profile, path, allowExpired: true },
  }));
  const { valueBytes } = await daemon.limits();
  const outcomes = await askInBatches(daemon, items);
  const problems = candidates.flatMap(({ path, value }) =>
    value.length > valueBytes ? [named(path, tooLarge(value.length, valueBytes))] : [],
  );
  const planned = candidates.flatMap((candidate, index): Planned[] => {
    const outcome = outcomes[index] ?? { error: new HushError('UNAVAILABLE') };
    if ('error' in outcome) {
      if (outcome.error.code === 'NOT_FOUND') return [{ ...candidate, state: 'new', version: 0 }];
      problems.push(named(candidate.path, outcome.error));
      return [];
    }
    const { value, version } = outcome.ok;
    if (!(value instanceof Uint8Array) || typeof version !== 'number') {
      problems.push(
        new HushError('UNAVAILABLE', `${candidate.path}: the daemon's answer has not the shape of one`),
      );
      return [];
    }
    const same = Buffer.compare(value, candidate.value) === 0;
    value.fill(0);
    return [{ ...candidate, state: same ? 'unchanged' : 'changed', version }];
  });
  return { planned, problems };
}

/** Stores what is new or changed, each only where nobody else changed it since. Throws what the first refusal is. */
export async function store(daemon: Daemon, profile: string, planned: readonly Planned[]): Promise<void> {
  const wanted = planned.filter(({ state }) => state !== 'unchanged');
  const items = wanted.map(({ path, value, version }) => ({
    op: 'secret.set',
    params: { profile, path, value, ifVersion: version },
  }));
  const outcomes = await askInBatches(daemon, items);
  const refused = outcomes.flatMap((outcome, index) =>
    'error' in outcome ? [named(wanted[index]?.path ?? '', outcome.error)] : [],
  );
  const [first] = refused;
  if (first === undefined) return;
  const stored = outcomes.length - refused.length;
  const others = refused.length === 1 ? '' : `, and ${refused.length - 1} more could not be stored`;
  throw new HushError(first.code, `${first.message}${others}; ${stored} of ${outcomes.length} are stored`, {
    hint: 'mend that, then run the same import again: what is stored is left as it is',
    cause: first,
  });
}

const tooLarge = (bytes: number, limit: number): HushError =>
  new HushError('TOO_LARGE', `the value has ${bytes} bytes, the limit is ${limit}`);

const named = (path: string, error: HushError): HushError =>
  new HushError(error.code, `${path}: ${error.message}`, { hint: error.hint, cause: error });
