import type { ParamsOf, ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { withDaemon, type Daemon } from '../daemon.ts';
import { expiryText, soonMs } from '../expiry.ts';
import { columns, countText, sizeText } from '../format.ts';
import { tagOption } from '../secret-facts.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface ListOptions extends ProfileOption {
  readonly prefix?: string;
  readonly tag?: string;
  readonly expired?: true;
  readonly deleted?: true;
  readonly long?: true;
  readonly limit?: number;
  readonly after?: string;
}

type Page = ResultOf<'secret.list'>;
type Entry = Page['entries'][number];

export const define: Define = (command, { output }) => {
  command
    .option('--prefix <text>', 'only paths that start with this')
    .option('--tag <tag>', 'only those that have this tag', tagOption)
    .option('--expired', 'only those whose value has expired')
    .option('--deleted', 'those that are deleted and can be restored, instead of the others')
    .option('-l, --long', 'with size, version, time of the last change, expiry, tags and note')
    .option('--limit <n>', 'one page of so many at most, in no order of their own', limitOf)
    .option('--after <next>', 'the page that follows the one which told this')
    .addHelpText('after', examples)
    .action(async (options: ListOptions) => {
      const { prefix, tag, expired, deleted, limit, after } = options;
      if (after !== undefined && limit === undefined) throw badUsage('--after goes with --limit', 'list');
      const profile = profileOf(options, process.env);
      const params = {
        profile,
        ...(prefix && { prefix }),
        ...(tag && { tag }),
        ...(expired && { expired }),
        ...(deleted && { deleted }),
        ...(limit === undefined ? {} : { limit }),
        ...(after === undefined ? {} : { after }),
      };
      const { entries, next } = await withDaemon((daemon) => entriesOf(daemon, params));
      entries.sort((a, b) => (a.path < b.path ? -1 : 1));
      const now = new Date();
      await output.facts(
        { profile, entries, ...(next === undefined ? {} : { next }) },
        options.long ? longLines(entries, now) : entries.map(({ path }) => path),
      );
      if (entries.length === 0 && next === undefined) await output.note('there is no secret to list');
      if (next !== undefined) await output.note(`there are more: --limit ${limit} --after ${next}`);
      if (!expired && !deleted) await tellExpiry(entries, now, (text) => output.note(text));
    });
};

const examples = `
Without --limit it lists all of them, by path. A value that has expired is listed, and not read any more.

Examples:
  hush list --prefix ws:42/
  hush list --long --tag ci
  hush list --expired
  hush list --deleted --long
  hush list --json`;

const mostEntries = 1000;

function limitOf(text: string): number {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= mostEntries) return limit;
  throw badUsage(`--limit is 1 to ${mostEntries}`, 'list');
}

/** The daemon's pages, which may hold few of the wanted, as one: as long as the limit says, else with all there are. */
async function entriesOf(daemon: Daemon, { limit, ...params }: ParamsOf<'secret.list'>): Promise<Page> {
  const entries: Entry[] = [];
  let page: Page = { entries };
  do {
    page = await daemon.call('secret.list', {
      ...params,
      ...(page.next === undefined ? {} : { after: page.next }),
      ...(limit === undefined ? {} : { limit: limit - entries.length }),
    });
    entries.push(...page.entries);
  } while (page.next !== undefined && entries.length !== limit);
  return { ...page, entries };
}

const longLines = (entries: readonly Entry[], now: Date): string[] =>
  columns(
    entries.map((entry) => [
      entry.path,
      sizeText(entry.size),
      `v${entry.version}`,
      entry.updatedAt,
      factsText(entry, now),
    ]),
  ).map((line) => line.trimEnd());

/** What else there is to say of a secret, in one cell. */
function factsText({ expiresAt, tags = [], note, deletedAt }: Entry, now: Date): string {
  return [
    ...(deletedAt === undefined ? [] : [`deleted ${deletedAt}`]),
    ...(expiresAt === undefined ? [] : [expiryText(expiresAt, now)]),
    ...tags.map((tag) => `#${tag}`),
    ...(note === undefined ? [] : [note]),
  ].join('  ');
}

/** A word on the values that are read no more, and one on those that soon will not be. */
async function tellExpiry(
  entries: readonly Entry[],
  now: Date,
  tell: (text: string) => Promise<void>,
): Promise<void> {
  const left = entries.flatMap(({ expiresAt }) =>
    expiresAt === undefined ? [] : [Date.parse(expiresAt) - now.getTime()],
  );
  const expired = left.filter((ms) => ms <= 0).length;
  const soon = left.filter((ms) => ms > 0 && ms <= soonMs).length;
  const days = soonMs / 86_400_000;
  if (expired > 0) await tell(`${countText(expired, 'value')} expired: hush list --expired`);
  if (soon > 0) await tell(`${countText(soon, 'value')} will expire within ${days} days: hush list --long`);
}
