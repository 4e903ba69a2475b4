import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { withDaemon, type Daemon } from '../daemon.ts';
import { columns, sizeText } from '../format.ts';
import { profileOf, type ProfileOption } from '../target.ts';

interface ListOptions extends ProfileOption {
  readonly prefix?: string;
  readonly long?: true;
}

type Entry = ResultOf<'secret.list'>['entries'][number];

export const define: Define = (command, { output }) => {
  command
    .option('--prefix <text>', 'only paths that start with this')
    .option('-l, --long', 'with size, version and time of the last change')
    .addHelpText('after', '\nExamples:\n  hush list --prefix ws:42/\n  hush list --json')
    .action(async (options: ListOptions) => {
      const profile = profileOf(options, process.env);
      const { prefix } = options;
      const entries = await withDaemon((daemon) =>
        allEntries(daemon, { profile, ...(prefix && { prefix }) }),
      );
      await output.facts(
        { profile, entries },
        options.long ? longLines(entries) : entries.map(({ path }) => path),
      );
      if (entries.length === 0) await output.note('there is no secret to list');
    });
};

/** All pages as one, in the order of their paths. */
async function allEntries(daemon: Daemon, params: { profile: string; prefix?: string }): Promise<Entry[]> {
  const entries: Entry[] = [];
  let page = await daemon.call('secret.list', params);
  for (;;) {
    entries.push(...page.entries);
    if (page.next === undefined) return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    page = await daemon.call('secret.list', { ...params, after: page.next });
  }
}

const longLines = (entries: readonly Entry[]): string[] =>
  columns(
    entries.map(({ path, size, version, updatedAt }) => [path, sizeText(size), `v${version}`, updatedAt]),
  );
