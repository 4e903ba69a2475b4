import type { Command } from 'commander';
import { withChain } from '../../audit/chain-source.ts';
import { addFilterOptions, filterHelp, filterOf, type FilterOptions } from '../../audit/filter.ts';
import { addOwnerOption, ownerFacts, ownerOf, type OwnerOptions } from '../../audit/owner.ts';
import { walk } from '../../audit/walk.ts';
import type { Session } from '../../commands.ts';
import { columns, countText } from '../../format.ts';

interface Tally {
  readonly name: string;
  readonly count: number;
}

/** `hush audit stats`: how many records there are of what. */
export function defineStats(audit: Command, { output }: Session): void {
  const command = audit.command('stats').description('count the records by client, event, outcome and code');
  addFilterOptions(command);
  addOwnerOption(command);
  command
    .addHelpText(
      'after',
      `${filterHelp}\n\nExamples:\n  hush audit stats --since 24h\n  hush audit stats --outcome denied --json`,
    )
    .action(async (options: FilterOptions & OwnerOptions) => {
      const owner = ownerOf(options, process.env);
      const matches = filterOf(options);
      const counts = { client: counter(), event: counter(), outcome: counter(), code: counter() };
      let records = 0;
      let damaged = 0;
      let stubbed = 0;
      let first: string | undefined;
      let last: string | undefined;
      await withChain(owner, process.env, (source) =>
        walk(source, (entries) => {
          for (const entry of entries) {
            if (entry.kind === 'stub') stubbed += entry.stub.lastSeq - entry.stub.firstSeq + 1;
            if (entry.kind === 'damaged') damaged += 1;
            if (entry.kind !== 'record' || !matches(entry.record)) continue;
            const { client, event, outcome, code, time } = entry.record;
            records += 1;
            first ??= time;
            last = time;
            counts.client.add(client);
            counts.event.add(event);
            counts.outcome.add(outcome);
            counts.code.add(code);
          }
          return Promise.resolve();
        }),
      );
      const tallies = {
        clients: counts.client.tallies(),
        events: counts.event.tallies(),
        outcomes: counts.outcome.tallies(),
        codes: counts.code.tallies(),
      };
      const span = first === undefined ? {} : { first, last };
      await output.facts({ ...ownerFacts(owner), records, ...span, damaged, stubbed, ...tallies }, [
        `${countText(records, 'record')}${first === undefined ? '' : `, ${first} to ${last ?? ''}`}`,
        ...(stubbed === 0 ? [] : [`${countText(stubbed, 'older record')} not kept`]),
        ...(damaged === 0 ? [] : [`${countText(damaged, 'damaged line')}: hush audit verify`]),
        ...Object.entries(tallies).flatMap(([what, list]) => table(what, list)),
      ]);
    });
}

/** Counts by a name. */
function counter(): { add(name: string | undefined): void; tallies(): readonly Tally[] } {
  const counts = new Map<string, number>();
  return {
    add(name) {
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    tallies: () =>
      [...counts]
        .map(([name, count]) => ({ name, count }))
        .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)),
  };
}

const table = (what: string, list: readonly Tally[]): string[] =>
  list.length === 0
    ? []
    : [`${what}:`, ...columns(list.map(({ name, count }) => [`  ${name}`, String(count)]))];
