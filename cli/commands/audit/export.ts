import type { Command } from 'commander';
import { withChain } from '../../audit/chain-source.ts';
import { csvHead, csvLine } from '../../audit/csv.ts';
import { addFilterOptions, filterHelp, filterOf, type FilterOptions } from '../../audit/filter.ts';
import { addOwnerOption, ownerOf, type OwnerOptions } from '../../audit/owner.ts';
import { walk } from '../../audit/walk.ts';
import type { Session } from '../../commands.ts';
import { countText } from '../../format.ts';
import { badUsage } from '../../usage.ts';
import { errorTable } from '../../../protocol/errors.ts';

interface ExportOptions extends FilterOptions, OwnerOptions {
  readonly format: string;
}

/** `hush audit export`: the records as JSON lines or CSV. */
export function defineExport(audit: Command, { output, finish }: Session): void {
  const command = audit
    .command('export')
    .description('print the records for other programs')
    .option('--format <format>', 'jsonl: the very lines of the files; csv: a table with a head', 'jsonl');
  addFilterOptions(command);
  addOwnerOption(command);
  command
    .addHelpText(
      'after',
      `${filterHelp} In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe. Damaged lines
are left out, and the exit code is 8 then.

Examples:
  hush audit export --since 2026-01-01 --until 2026-01-31 > january.jsonl
  hush audit export --format csv > audit.csv`,
    )
    .action(async (options: ExportOptions) => {
      const { format } = options;
      if (format !== 'jsonl' && format !== 'csv') throw badUsage('that is no format of an export', 'audit');
      const matches = filterOf(options);
      let damaged = 0;
      if (format === 'csv') await output.bytes(Buffer.from(csvHead));
      await withChain(ownerOf(options, process.env), process.env, (source) =>
        walk(source, async (entries) => {
          let text = '';
          for (const entry of entries) {
            if (entry.kind === 'damaged') damaged += 1;
            if (entry.kind !== 'record' || !matches(entry.record)) continue;
            text += format === 'csv' ? csvLine(entry.record) : `${entry.bytes.toString('latin1')}\n`;
          }
          if (text !== '') await output.bytes(Buffer.from(text));
        }),
      );
      if (damaged === 0) return;
      await output.note(`${countText(damaged, 'damaged line')} left out: hush audit verify`);
      finish(errorTable.INTEGRITY.exit);
    });
}
