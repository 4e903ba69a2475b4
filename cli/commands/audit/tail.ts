import type { Command } from 'commander';
import { withChain } from '../../audit/chain-source.ts';
import { createEntriesOutput } from '../../audit/entries-output.ts';
import type { Entry } from '../../audit/entry.ts';
import { addFilterOptions, filterHelp, filterOf, type FilterOptions } from '../../audit/filter.ts';
import { addOwnerOption, ownerFacts, ownerOf, type OwnerOptions } from '../../audit/owner.ts';
import { follow, isUnfinished, lastEntries } from '../../audit/tail.ts';
import type { Session } from '../../commands.ts';
import { badUsage } from '../../usage.ts';

interface TailOptions extends FilterOptions, OwnerOptions {
  readonly lines: string;
  readonly follow?: true;
}

/** `hush audit tail`: the newest records. */
export function defineTail(audit: Command, { output }: Session): void {
  const command = audit
    .command('tail')
    .description('show the newest records')
    .option('-n, --lines <count>', 'so many of them', '10')
    .option('-f, --follow', 'go on with those that come, until it is interrupted');
  addFilterOptions(command);
  addOwnerOption(command);
  command
    .addHelpText(
      'after',
      `${filterHelp} Damaged lines are shown whatever is asked for.
With --follow and --json each record is one line of JSON. Where the files may not be read the daemon is asked, which
leaves records of its own; those of this very command are not shown.

Examples:
  hush audit tail
  hush audit tail -f --outcome denied
  hush audit tail --daemon -n 50`,
    )
    .action(async (options: TailOptions) => {
      const owner = ownerOf(options, process.env);
      const matches = filterOf(options);
      const isFollowed = options.follow === true;
      const shown = createEntriesOutput(output, ownerFacts(owner), isFollowed);
      await withChain(owner, process.env, async (source) => {
        const isAsked = (entry: Entry): boolean =>
          entry.kind !== 'record' || (matches(entry.record) && !(source.isRemote && isOwn(entry)));
        const { entries, end } = await lastEntries(source, countOf(options.lines), isAsked);
        await shown.show(entries.filter((entry) => !isFollowed || !isUnfinished(entry)));
        if (isFollowed) await follow(source, end, (more) => shown.show(more.filter(isAsked)));
      });
      await shown.end();
    });
}

/** Whether a record is one that this command has caused by asking. */
const isOwn = (entry: Entry & { kind: 'record' }): boolean =>
  entry.record.pid === process.pid && ['audit.read', 'audit.segments', 'hello'].includes(entry.record.event);

function countOf(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  throw badUsage('--lines takes a number from 0 to 999999', 'audit');
}
