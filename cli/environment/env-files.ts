import { HushError } from '../../protocol/errors.ts';
import { parseEnvFile, type EnvEntry } from './env-file.ts';
import { readGivenFile } from './given-file.ts';
import { isText, textOfValue } from './value-text.ts';

/** No env file is larger by intention. */
const mostBytes = 4 * 1024 * 1024;

/** What env files assign: for each name the last one, with where it stands. */
export interface EnvFiles {
  readonly entries: ReadonlyMap<string, EnvEntry & { readonly path: string }>;
  /** What is wrong with lines. */
  readonly problems: readonly HushError[];
}

/** Reads env files, in their order. Throws BAD_REQUEST, TOO_LARGE. */
export function readEnvFiles(paths: readonly string[]): EnvFiles {
  const entries = new Map<string, EnvEntry & { readonly path: string }>();
  const problems: HushError[] = [];
  for (const path of paths) {
    const parsed = parseEnvFile(textOf(path));
    for (const { line, message } of parsed.faults) {
      const hint = 'see "Env files" in docs/operations.md';
      problems.push(new HushError('BAD_REQUEST', `${path}, line ${line}: ${message}`, { hint }));
    }
    for (const entry of parsed.entries) entries.set(entry.name, { ...entry, path });
  }
  return { entries, problems };
}

function textOf(path: string): string {
  const bytes = readGivenFile(path, 'env file', mostBytes);
  if (isText(bytes) && !bytes.includes(0)) return textOfValue(bytes);
  throw new HushError('BAD_REQUEST', `the env file ${path} is not text in UTF-8`, { hint: 'hush help run' });
}
