import type { Command } from 'commander';
import { withChain } from '../../audit/chain-source.ts';
import { createEntriesOutput } from '../../audit/entries-output.ts';
import type { Entry } from '../../audit/entry.ts';
import {
  addFilterOptions,
  filterHelp,
  filterOf,
  stubFilterOf,
  type FilterOptions,
} from '../../audit/filter.ts';
import { addOwnerOption, ownerFacts, ownerOf, type OwnerOptions } from '../../audit/owner.ts';
import { walk } from '../../audit/walk.ts';
import type { Session } from '../../commands.ts';

/** `hush audit search`: the records that match. */
export function defineSearch(audit: Command, { output }: Session): void {
  const command = audit.command('search').description('show the records that match, the oldest first');
  addFilterOptions(command);
  addOwnerOption(command);
  command
    .addHelpText(
      'after',
      `${filterHelp} Damaged lines are shown whatever is asked for, and what is not kept where its
times are.

Examples:
  hush audit search --outcome denied --since 7d
  hush audit search --key 'global/prod.*' --client shop --json
  hush audit search --daemon --event unlock`,
    )
    .action(async (options: FilterOptions & OwnerOptions) => {
      const owner = ownerOf(options, process.env);
      const matches = filterOf(options);
      const isStubAsked = stubFilterOf(options);
      const isAsked = (entry: Entry): boolean =>
        entry.kind === 'record' ? matches(entry.record) : entry.kind !== 'stub' || isStubAsked(entry.stub);
      const shown = createEntriesOutput(output, ownerFacts(owner));
      await withChain(owner, process.env, (source) =>
        walk(source, (entries) => shown.show(entries.filter(isAsked))),
      );
      await shown.end();
    });
}
