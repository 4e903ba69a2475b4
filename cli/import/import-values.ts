import { withDaemon } from '../daemon.ts';
import { countText } from '../format.ts';
import type { Output } from '../output.ts';
import { candidatesOf, refuseProblems, type Harvest, type Naming } from './candidates.ts';
import { planOf, store, type Planned } from './plan.ts';

/** What is to be done with values that are found. */
export interface ImportChoice {
  /** Whether secrets that have another value get a new version. */
  readonly overwrite: true | undefined;
  /** Whether nothing is stored. */
  readonly dryRun: true | undefined;
}

/**
 * Stores all values, or none of them where one cannot be; tells what became of each. The values are wiped. Throws
 * INVALID_NAME, CONFLICT, and what the daemon says, always before anything is stored, except when storing itself fails.
 */
export async function importValues(
  { found, problems, references, empty }: Harvest,
  naming: Naming,
  profile: string,
  { overwrite, dryRun }: ImportChoice,
  output: Output,
): Promise<void> {
  try {
    const named = candidatesOf(found, naming);
    refuseProblems(
      [...problems, ...named.problems],
      problems.length > 0 ? 'BAD_REQUEST' : 'INVALID_NAME',
      'mend these, or leave them out; names are of A-Z a-z 0-9 . _ - and begin with a letter or digit',
    );
    const planned = await withDaemon(async (daemon) => {
      const plan = await planOf(daemon, profile, named.candidates);
      const [first] = plan.problems;
      if (first !== undefined) {
        refuseProblems(
          plan.problems.map(({ message }) => message),
          first.code,
          first.hint,
        );
      }
      if (dryRun) return plan.planned;
      if (!overwrite) refuseChanged(plan.planned);
      await store(daemon, profile, plan.planned);
      return plan.planned;
    });
    await tell(planned, { profile, dryRun: dryRun === true, references, empty }, output);
  } finally {
    for (const { value } of found) value.fill(0);
  }
}

function refuseChanged(planned: readonly Planned[]): void {
  const changed = planned.flatMap(({ path, state }) => (state === 'changed' ? [path] : []));
  refuseProblems(
    changed.map((path) => `${path} is there with another value`),
    'CONFLICT',
    'look with --dry-run; --overwrite gives them new versions',
  );
}

async function tell(
  planned: readonly Planned[],
  facts: {
    readonly profile: string;
    readonly dryRun: boolean;
    readonly references: number;
    readonly empty: number;
  },
  output: Output,
): Promise<void> {
  const pathsOf = (wanted: Planned['state']): string[] =>
    planned.flatMap(({ path, state }) => (state === wanted ? [path] : [])).sort();
  const states = { new: pathsOf('new'), changed: pathsOf('changed'), unchanged: pathsOf('unchanged') };
  const lines = Object.entries(states).flatMap(([state, paths]) => paths.map((path) => `${state} ${path}`));
  await output.facts({ ...facts, ...states }, lines);
  const stored = states.new.length + states.changed.length;
  const count = countText(stored, 'secret');
  await output.note(facts.dryRun ? `${count} would be stored; nothing was` : `${count} stored`);
  if (facts.references > 0) await output.note(`${countText(facts.references, 'reference')} left out`);
  if (facts.empty > 0)
    await output.note(`${countText(facts.empty, 'entry', 'entries')} without a value left out`);
}
