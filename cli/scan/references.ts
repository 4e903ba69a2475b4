import { HushError } from '../../protocol/errors.ts';
import { parseReference } from '../../protocol/names.ts';
import { operations } from '../../protocol/operations.ts';
import { askInBatches, type Outcome } from '../batch.ts';
import { isReference } from '../configure/reference.ts';
import { withRunningDaemon } from '../daemon.ts';
import { findingOf, type PlacedReference } from './scan-file.ts';
import type { Finding, Rule } from './finding.ts';

/** Rules about references. */
export const referenceRules = {
  malformed: {
    id: 'malformed-reference',
    severity: 'medium',
    message: 'a reference that is none: hush://PROFILE/SCOPE/NAME',
  },
  dangling: {
    id: 'dangling-reference',
    severity: 'medium',
    message: 'a reference to a secret that is not there',
  },
  expired: {
    id: 'expired-reference',
    severity: 'medium',
    message: 'a reference to a value that has expired',
  },
} as const satisfies Record<string, Rule>;

/** What is known of references. */
export interface CheckedReferences {
  readonly findings: readonly Finding[];
  /** How many different references were asked about, and how many could not be. */
  readonly checked: number;
  readonly unchecked: number;
  /** Why the first of those could not be. */
  readonly reason?: string;
}

type State = keyof typeof referenceRules | 'good' | { readonly unchecked: string };

/** What becomes of references: those that are none, and what the daemon tells of the others, by their metadata. */
export async function checkReferences(references: readonly PlacedReference[]): Promise<CheckedReferences> {
  const states = new Map<string, State>();
  for (const { text } of references) states.set(text, isReference(text) ? 'good' : 'malformed');
  const wellFormed = [...states].flatMap(([text, state]) => (state === 'good' ? [text] : []));
  for (const [text, state] of await statesOf(wellFormed)) states.set(text, state);
  const findings = references.flatMap((reference) => {
    const state = states.get(reference.text);
    if (state === undefined || state === 'good' || typeof state === 'object') return [];
    return [findingOf(referenceRules[state], reference)];
  });
  const unchecked = [...states.values()].filter((state) => typeof state === 'object');
  const [first] = unchecked;
  return {
    findings,
    checked: wellFormed.length - unchecked.length,
    unchecked: unchecked.length,
    ...(first === undefined ? {} : { reason: first.unchecked }),
  };
}

async function statesOf(references: readonly string[]): Promise<[string, State][]> {
  if (references.length === 0) return [];
  const items = references.map((reference) => {
    const { profile, path } = parseReference(reference);
    return { op: 'secret.history', params: { profile, path: path.text } };
  });
  try {
    const outcomes = await withRunningDaemon((daemon) => askInBatches(daemon, items));
    return references.map((reference, index) => [reference, stateOf(outcomes[index])]);
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return references.map((reference) => [reference, { unchecked: error.message }]);
  }
}

function stateOf(outcome: Outcome | undefined): State {
  if (outcome === undefined || 'error' in outcome) {
    const { code, message } = outcome?.error ?? new HushError('UNAVAILABLE');
    return code === 'NOT_FOUND' || code === 'NO_SUCH_PROFILE' ? 'dangling' : { unchecked: message };
  }
  const { versions } = operations['secret.history'].result.parse(outcome.ok);
  const current = versions.find(({ state }) => state === 'current');
  if (current === undefined) return 'dangling';
  return current.expiresAt !== undefined && Date.parse(current.expiresAt) <= Date.now() ? 'expired' : 'good';
}
