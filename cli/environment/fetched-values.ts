import { wipe } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import type { SecretReference } from '../../protocol/names.ts';
import { askInBatches, type Outcome } from '../batch.ts';
import type { Daemon } from '../daemon.ts';

/** A value as the daemon gave it, or why it did not. */
export type Fetched =
  { readonly value: Uint8Array; readonly version: number } | { readonly error: HushError };

/** Values by their references, until they are wiped. */
export interface FetchedValues {
  readonly of: (reference: string) => Fetched;
  wipe(): void;
}

/** Enough for most programs in one request. */
const atOnce = 500;

/** Reads the secrets in as few batches as the daemon allows. Rejects where the daemon cannot be asked at all. */
export async function fetchValues(
  daemon: Daemon,
  targets: ReadonlyMap<string, SecretReference>,
): Promise<FetchedValues> {
  const items = [...targets.values()].map(({ profile, path }) => ({
    op: 'secret.get',
    params: { profile, path: path.text },
  }));
  const outcomes = await askInBatches(daemon, items, atOnce);
  const fetched = new Map(
    [...targets.keys()].map((reference, index) => [reference, fetchedOf(outcomes[index])]),
  );
  return {
    of: (reference) => fetched.get(reference) ?? { error: new HushError('NOT_FOUND') },
    wipe() {
      for (const one of fetched.values()) if ('value' in one) wipe(one.value);
    },
  };
}

/** One outcome of a batch, which has not looked at what is inside of `ok`. */
function fetchedOf(outcome: Outcome | undefined): Fetched {
  if (outcome !== undefined && 'error' in outcome) return outcome;
  const value = outcome?.ok['value'];
  const version = outcome?.ok['version'];
  if (value instanceof Uint8Array && typeof version === 'number') return { value, version };
  return { error: new HushError('UNAVAILABLE', 'the daemon did not answer for it') };
}
