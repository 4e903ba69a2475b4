import { parse, TomlError } from 'smol-toml';
import { HushError } from '../../protocol/errors.ts';
import { type Config, configOf, neededFrameBytes } from './config.ts';
import { type KeyPath, lineFinder } from './lines.ts';
import { configSchema, type RawConfig } from './schema.ts';

/** Something wrong in a config file. */
export interface ConfigProblem {
  /** From 1; undefined if it cannot be told. */
  readonly line: number | undefined;
  /** The key it is about, dotted; empty for the text as a whole. */
  readonly key: string;
  /** What is wrong, to be read after the key. */
  readonly message: string;
}

/** What a config text holds, or all that is wrong with it. */
export type ConfigReading =
  { readonly config: Config } | { readonly problems: readonly [ConfigProblem, ...ConfigProblem[]] };

/** A problem before its line is known. */
interface Finding {
  readonly path: KeyPath;
  readonly message: string;
}

/** Reads the text of a config.toml; never throws for what the text says. */
export function readConfig(text: string): ConfigReading {
  let shape: unknown;
  try {
    shape = parse(text, { unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { problems: [{ line: error.line, key: '', message: firstLine(error.message) }] };
  }
  const { data, error } = configSchema.safeParse(shape);
  const findings = data === undefined ? error.issues.flatMap(findingsOf) : contradictionsIn(data);
  const lineOf = lineFinder(text);
  const problems = findings.map(({ path, message }) => ({ line: lineOf(path), key: dotted(path), message }));
  const [first, ...others] = problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (first !== undefined) return { problems: [first, ...others] };
  if (data === undefined) throw new Error('the schema refused the config without an issue', { cause: error });
  return { config: configOf(data) };
}

/**
 * The config that a text stands for. Throws BAD_REQUEST naming every unknown key, bad value and contradiction with
 * its line; `file` is what the message calls the text.
 */
export function parseConfig(text: string, file = 'config.toml'): Config {
  const reading = readConfig(text);
  if ('config' in reading) return reading.config;
  const lines = reading.problems.map(({ line, key, message }) =>
    [line === undefined ? '' : `line ${line}:`, key, message].filter((part) => part !== '').join(' '),
  );
  throw new HushError('BAD_REQUEST', `${file}: ${lines.join('; ')}`, {
    hint: `correct ${file}, then try again`,
  });
}

type Issue = NonNullable<ReturnType<typeof configSchema.safeParse>['error']>['issues'][number];

function findingsOf(issue: Issue): readonly Finding[] {
  const path = issue.path.map(String);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], message: 'is not a key that hushd knows' }));
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ path, message }));
    case 'invalid_type':
      return [
        {
          path,
          message: issue.message.startsWith('must') ? issue.message : `must be a ${kind(issue.expected)}`,
        },
      ];
    default:
      return [{ path, message: issue.message }];
  }
}

function kind(expected: string): string {
  return expected === 'object' || expected === 'record' ? 'table' : expected;
}

/** What each key allows but all of them together do not. */
function contradictionsIn(raw: RawConfig): readonly Finding[] {
  return [
    ...limitContradictions(raw.limits),
    ...clientContradictions(raw.clients),
    ...grantContradictions(raw),
  ];
}

function limitContradictions(limits: RawConfig['limits']): readonly Finding[] {
  const frame = limits.frame_bytes;
  const needed = neededFrameBytes(limits);
  const findings: Finding[] = [];
  if (frame !== undefined && frame < needed) {
    const message = `is too small for value_bytes and plaintext_bytes: these need at least ${needed}`;
    findings.push({ path: ['limits', 'frame_bytes'], message });
  }
  if (limits.write_backlog_bytes !== undefined && limits.write_backlog_bytes < (frame ?? needed)) {
    const message = `is too small for one frame: at least ${frame ?? needed}`;
    findings.push({ path: ['limits', 'write_backlog_bytes'], message });
  }
  return findings;
}

/** Two clients with the very same conditions always match together, and neither is the more specific. */
function clientContradictions(clients: RawConfig['clients']): readonly Finding[] {
  const seen = new Map<string, string>();
  return Object.entries(clients).flatMap(([name, { uid, gid, exe }]) => {
    const conditions = JSON.stringify([uid ?? null, gid ?? null, exe ?? null]);
    const twin = seen.get(conditions);
    seen.set(conditions, name);
    return twin === undefined
      ? []
      : [{ path: ['clients', name], message: `matches the same peers as clients.${twin}` }];
  });
}

function grantContradictions({ clients, profiles }: RawConfig): readonly Finding[] {
  return Object.entries(profiles).flatMap(([profile, { grants }]) =>
    Object.keys(grants)
      .filter((name) => !Object.hasOwn(clients, name))
      .map((name) => ({
        path: ['profiles', profile, 'grants', name],
        message: `grants something to a client that [clients.${name}] does not define`,
      })),
  );
}

function dotted(path: KeyPath): string {
  return path.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace('Invalid TOML document: ', 'is not TOML: ');
}
