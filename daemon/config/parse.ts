import { parse, TomlError } from 'smol-toml';
import { HushError } from '../../protocol/errors.ts';
import { type Config, configOf, neededFrameBytes } from './config.ts';
import { type FoundLine, type KeyPath, lineFinder } from './lines.ts';
import { mergeSources, type ConfigSource, type MergeProblem, type ParsedSource } from './merge.ts';
import { configSchema, type RawConfig } from './schema.ts';

/** Something wrong in a config file. */
export interface ConfigProblem {
  readonly file: string;
  /** From 1; undefined if it cannot be told. */
  readonly line: number | undefined;
  /** The key it is about, dotted; empty for the text as a whole. */
  readonly key: string;
  /** What is wrong, to be read after the key. */
  readonly message: string;
}

/** Where something stands in a config and its included files. */
export interface ConfigPlace {
  readonly file: string;
  readonly line: number;
}

/** A config, and where what it says is written; undefined for what no file says. */
export interface ReadConfig {
  readonly config: Config;
  readonly placeOf: (path: KeyPath) => ConfigPlace | undefined;
}

/** What a config text holds, or all that is wrong with it. */
export type ConfigReading = ReadConfig | { readonly problems: readonly [ConfigProblem, ...ConfigProblem[]] };

/** A problem before its line is known. */
interface Finding {
  readonly path: KeyPath;
  readonly message: string;
}

const mainFile = 'config.toml';

/** Reads the text of a config.toml and the files that it includes; never throws for what the texts say. */
export function readConfig(
  text: string,
  file: string = mainFile,
  included: readonly ConfigSource[] = [],
): ConfigReading {
  const main = parseSource({ file, text });
  const others = included.map(parseSource);
  const broken = [main, ...others].filter((source) => 'message' in source);
  if ('message' in main || broken.length > 0) return refusal(broken);
  const parsed = others.filter((source) => 'tree' in source);
  const placeOf = placeFinder([main, ...parsed]);

  const merged = mergeSources([main, ...parsed]);
  const { data, error } = configSchema.safeParse(merged.tree);
  const findings = data === undefined ? error.issues.flatMap(findingsOf) : contradictionsIn(data);
  const problems = [
    ...merged.problems.map((problem) => placedMerge(problem, [main, ...parsed])),
    ...findings.map(({ path, message }): ConfigProblem => {
      const place = placeOf(path);
      return { file: place?.file ?? file, line: place?.line, key: dotted(path), message };
    }),
  ];
  if (problems.length > 0) {
    const order = [main, ...parsed].map((source) => source.file);
    problems.sort((a, b) => order.indexOf(a.file) - order.indexOf(b.file) || (a.line ?? 0) - (b.line ?? 0));
    return refusal(problems);
  }
  if (data === undefined) throw new Error('the schema refused the config without an issue', { cause: error });
  return { config: configOf(data), placeOf };
}

/** The patterns of the files that a text includes; none for a text that `readConfig` will refuse. */
export function includesOf(text: string): readonly string[] {
  const main = parseSource({ file: mainFile, text });
  if ('message' in main) return [];
  const patterns = configSchema.shape.include.safeParse(main.tree['include']);
  return patterns.data ?? [];
}

/**
 * The config that a text and its included files stand for. Throws BAD_REQUEST naming every unknown key, bad value and
 * contradiction with its file and line; `file` is what the message calls the text.
 */
export function parseConfig(
  text: string,
  file: string = mainFile,
  included: readonly ConfigSource[] = [],
): Config {
  const reading = readConfig(text, file, included);
  if ('config' in reading) return reading.config;
  const files = [...new Set(reading.problems.map((problem) => problem.file))];
  const message = files.map((name) => {
    const own = reading.problems.filter((problem) => problem.file === name);
    return `${name}: ${own.map(problemText).join('; ')}`;
  });
  throw new HushError('BAD_REQUEST', message.join('; '), {
    hint: `correct ${files.join(' and ')}, then try again`,
  });
}

/** A problem as one line of text, without its file. */
export function problemText({ line, key, message }: ConfigProblem): string {
  return [line === undefined ? '' : `line ${line}:`, key, message].filter((part) => part !== '').join(' ');
}

interface LocatedSource extends ParsedSource {
  readonly lineOf: (path: KeyPath) => FoundLine | undefined;
}

function parseSource({ file, text }: ConfigSource): LocatedSource | ConfigProblem {
  try {
    return { file, tree: parse(text, { unsafeKeyBehaviour: 'throw' }), lineOf: lineFinder(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { file, line: error.line, key: '', message: firstLine(error.message) };
  }
}

function refusal(problems: readonly ConfigProblem[]): ConfigReading {
  const [first, ...others] = problems;
  if (first === undefined) throw new Error('a config was refused without a problem');
  return { problems: [first, ...others] };
}

/** The place of a path is in the file that says the most of it; of two that say as much, in the first. */
function placeFinder(sources: readonly LocatedSource[]): ReadConfig['placeOf'] {
  return (path) => {
    const found = sources.flatMap(({ file, lineOf }) => {
      const line = lineOf(path);
      return line === undefined ? [] : [{ file, ...line }];
    });
    const deepest = Math.max(...found.map(({ depth }) => depth));
    const best = found.find(({ depth }) => depth === deepest);
    return best === undefined ? undefined : { file: best.file, line: best.line };
  };
}

function placedMerge(problem: MergeProblem, sources: readonly LocatedSource[]): ConfigProblem {
  const { path, file, other } = problem;
  const lineIn = (name: string): number | undefined =>
    sources.find((source) => source.file === name)?.lineOf(path)?.line;
  const place = { file, line: lineIn(file), key: dotted(path) };
  if (problem.kind === 'misplaced') {
    return { ...place, message: 'may not stand in an included file: only [clients] and [profiles] may' };
  }
  const line = other === undefined ? undefined : lineIn(other);
  const where = line === undefined ? (other ?? 'another file') : `${other}:${line}`;
  return { ...place, message: `is given in ${where} too` };
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
    ...transportContradictions(raw.transport),
    ...auditContradictions(raw.audit),
    ...clientContradictions(raw.clients),
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

function transportContradictions(transport: RawConfig['transport']): readonly Finding[] {
  if (transport.socket_group === undefined || transport.socket_mode === '0660') return [];
  const message = "means something with socket_mode = '0660' alone";
  return [{ path: ['transport', 'socket_group'], message }];
}

function auditContradictions(audit: RawConfig['audit']): readonly Finding[] {
  const findings: Finding[] = [];
  if (audit.keep_bytes !== 0 && audit.keep_bytes < audit.segment_bytes) {
    const message = `is less than one segment (segment_bytes = ${audit.segment_bytes})`;
    findings.push({ path: ['audit', 'keep_bytes'], message });
  }
  if (audit.keep_days !== 0 && audit.keep_days < audit.min_age_days) {
    const message = `is less than min_age_days (${audit.min_age_days}), which goes first`;
    findings.push({ path: ['audit', 'keep_days'], message });
  }
  return findings;
}

/** Two clients with the very same conditions always match together, and neither is the more specific. */
function clientContradictions(clients: RawConfig['clients']): readonly Finding[] {
  const seen = new Map<string, string>();
  return Object.entries(clients).flatMap(([name, { uid, gid, exe, sha256, unit, enrolled }]) => {
    // The enrolled key is the name's own: two clients that ask for one never match together.
    if (enrolled === true) return [];
    const conditions = JSON.stringify([uid, gid, exe, sha256, unit].map((condition) => condition ?? null));
    const twin = seen.get(conditions);
    seen.set(conditions, name);
    return twin === undefined
      ? []
      : [{ path: ['clients', name], message: `matches the same peers as clients.${twin}` }];
  });
}

/** A key as messages write it. */
export function dotted(path: KeyPath): string {
  return path.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace('Invalid TOML document: ', 'is not TOML: ');
}
