import type { Command } from 'commander';
import { HushError } from '../../protocol/errors.ts';
import type { Stub } from '../../daemon/audit/stubs.ts';
import type { ShownRecord } from './entry.ts';
import { momentOf } from './moment.ts';

/** What a command line asks for of records; what is left out asks for nothing. */
export interface FilterOptions {
  readonly client?: string;
  readonly key?: string;
  readonly event?: string;
  readonly outcome?: string;
  readonly code?: string;
  readonly since?: string;
  readonly until?: string;
}

/** Whether a record is asked for. */
export type Filter = (record: ShownRecord) => boolean;

const outcomes = ['ok', 'denied', 'failed'];

/** Puts the options of filters onto a command. */
export function addFilterOptions(command: Command): void {
  command
    .option('--client <pattern>', 'only of clients whose name matches')
    .option('--key <pattern>', 'only about what matches: <scope>/<name>, or <keyring>/<namespace>/<key>')
    .option('--event <pattern>', 'only of operations and events that match: secret.get, keys.*')
    .option('--outcome <outcome>', 'only with this outcome: ok, denied or failed')
    .option('--code <pattern>', 'only with an error code that matches: ACCESS_DENIED, WRONG_*')
    .option('--since <time>', 'only from then on: 2026-01-31, 2026-01-31T08:00:00Z, or 90s, 30m, 12h, 7d ago')
    .option('--until <time>', 'only before then; a day without a time is meant with all of its hours');
}

/** What the help says of patterns. */
export const filterHelp = `
In a pattern \`*\` stands for any characters, the slash included, and everything else for itself. A record must match
all that is given. Times without a zone are local ones.`;

/** The filter that options ask for. Throws BAD_REQUEST for a time or an outcome that is none. */
export function filterOf(options: FilterOptions, now: Date = new Date()): Filter {
  const { outcome } = options;
  if (outcome !== undefined && !outcomes.includes(outcome)) {
    throw new HushError('BAD_REQUEST', 'that is no outcome of a request', {
      hint: `one of ${outcomes.join(', ')}`,
    });
  }
  const since = options.since === undefined ? -Infinity : momentOf(options.since, now).from;
  const until = options.until === undefined ? Infinity : momentOf(options.until, now).to;
  if (since >= until)
    throw new HushError('BAD_REQUEST', 'nothing is between these times: --since is not before --until');
  const client = matcherOf(options.client);
  const key = matcherOf(options.key);
  const event = matcherOf(options.event);
  const code = matcherOf(options.code);
  const hasTime = options.since !== undefined || options.until !== undefined;
  return (record) => {
    if (!event(record.event) || !client(record.client) || !code(record.code)) return false;
    if (!keysOf(record).some(key)) return false;
    if (outcome !== undefined && record.outcome !== outcome) return false;
    if (!hasTime) return true;
    const at = Date.parse(record.time);
    return at >= since && at < until;
  };
}

/**
 * Whether what a stub stands for may be asked for: where times are given, those that it tells; where only other things
 * are, nobody can say, and it is left out.
 */
export function stubFilterOf(
  { since, until, ...others }: FilterOptions,
  now: Date = new Date(),
): (stub: Pick<Stub, 'firstTime' | 'lastTime'>) => boolean {
  const { client, key, event, outcome, code } = others;
  const from = since === undefined ? -Infinity : momentOf(since, now).from;
  const to = until === undefined ? Infinity : momentOf(until, now).to;
  const hasOthers = [client, key, event, outcome, code].some((option) => option !== undefined);
  if (since === undefined && until === undefined) return () => !hasOthers;
  return ({ firstTime, lastTime }) => Date.parse(lastTime) >= from && Date.parse(firstTime) < to;
}

/** What a record is about: of a secret that went to another name, both names, by which it can be looked for. */
function keysOf({ event, key }: ShownRecord): readonly (string | undefined)[] {
  return event === 'secret.rename' || event === 'secret.copy' ? [key, ...(key?.split(' to ') ?? [])] : [key];
}

/** Whether a text matches a pattern; one that is not there matches only where nothing is asked for. */
function matcherOf(pattern: string | undefined): (text: string | undefined) => boolean {
  if (pattern === undefined) return () => true;
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return (text) => text === pattern;
  return (text) => {
    if (text?.startsWith(first) !== true) return false;
    let at = first.length;
    for (const part of parts) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
}
