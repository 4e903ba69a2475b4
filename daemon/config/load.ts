import { lstatSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { diskError, errnoOf } from '../home/disk-errors.ts';
import { readRegularFile, readSafeFile } from '../home/files.ts';
import { fileProblems, folderProblems, unsafeError, type SafetyProblem } from '../home/safety.ts';
import type { Config } from './config.ts';
import { matchesFileName } from './include-pattern.ts';
import { lineFinder } from './lines.ts';
import type { ConfigSource } from './merge.ts';
import { includesOf, parseConfig, readConfig, type ConfigReading } from './parse.ts';

const maxConfigBytes = 4 * 1024 * 1024;
const maxIncludedFiles = 1_000;
/** Of the config and all that it includes. */
const maxTotalBytes = 4 * maxConfigBytes;

/**
 * The config in a file and in those that it includes; a missing file means all defaults. Throws UNSAFE_MODE if others
 * can reach a file, BAD_REQUEST for what they say and for an included one that is missing, TOO_LARGE past 4 MiB a
 * file, 16 MiB or 1,000 files in all, UNAVAILABLE if one cannot be read.
 */
export function loadConfig(path: string): Config {
  return loadConfigFile(path) ?? parseConfig('', path, []);
}

/** As `loadConfig`, but undefined if there is no file. */
export function loadConfigFile(path: string): Config | undefined {
  const text = strict.read(path);
  return text === undefined ? undefined : parseConfig(text, path, includedBy(path, text, strict));
}

/** A config as it stands in its files, and why a daemon would not even read these. */
export interface InspectedConfig {
  readonly reading: ConfigReading;
  readonly unsafe: readonly SafetyProblem[];
}

/**
 * Reads the config in a file as `loadConfig` does, but answers what is wrong with it, and where each thing stands.
 * Throws BAD_REQUEST for a file that is missing or no UTF-8, TOO_LARGE, UNAVAILABLE.
 */
export function inspectConfig(path: string): InspectedConfig {
  const unsafe: SafetyProblem[] = [];
  const lenient: Files = {
    read(file) {
      unsafe.push(...fileProblems(file));
      return lstatSync(file, { throwIfNoEntry: false }) === undefined
        ? undefined
        : decoded(readRegularFile(file, maxConfigBytes), file);
    },
    checkFolder(folder) {
      unsafe.push(...folderProblems(folder));
    },
  };
  const text = lenient.read(path);
  if (text === undefined) throw refused(path, `${path}: there is no such file`);
  return { reading: readConfig(text, path, includedBy(path, text, lenient)), unsafe };
}

/** How files are looked at. */
interface Files {
  /** The text of a file; undefined if there is none. */
  read(path: string): string | undefined;
  /** Whoever can write to a folder decides which of its files there are. */
  checkFolder(path: string): void;
}

/** As the daemon must: what others could have written is refused. */
const strict: Files = {
  read(path) {
    const bytes = readSafeFile(path, maxConfigBytes);
    return bytes === undefined ? undefined : decoded(bytes, path);
  },
  checkFolder(path) {
    const problems = folderProblems(path);
    if (problems.length > 0) throw unsafeError(problems);
  },
};

function includedBy(path: string, text: string, files: Files): readonly ConfigSource[] {
  const patterns = includesOf(text);
  const matches = patterns.flatMap((pattern, index) =>
    filesOf(path, pattern, files).map((file) => ({ file, index })),
  );
  const placeOf = (index: number): string => placeIn(path, text, index);
  const itself = matches.find(({ file }) => file === path);
  if (itself !== undefined)
    throw refused(path, `${placeOf(itself.index)}: include: a config cannot include itself`);
  const included = new Map<string, number>();
  for (const { file, index } of matches) if (!included.has(file)) included.set(file, index);
  if (included.size > maxIncludedFiles) {
    throw new HushError('TOO_LARGE', `${path}: include: more than ${maxIncludedFiles} files`);
  }
  let total = Buffer.byteLength(text);
  return [...included].map(([file, index]) => {
    const more = files.read(file);
    if (more === undefined) throw refused(path, `${placeOf(index)}: include: there is no ${file}`);
    total += Buffer.byteLength(more);
    if (total > maxTotalBytes) {
      throw new HushError('TOO_LARGE', `${path}: with what it includes it is over ${maxTotalBytes} bytes`);
    }
    return { file, text: more };
  });
}

/** Where a pattern of `include` stands. */
function placeIn(path: string, text: string, index: number): string {
  const line = lineFinder(text)(['include', String(index)])?.line;
  return line === undefined ? path : `${path}:${line}`;
}

/** The files that a pattern stands for, in the order of their names; one without a star is taken as it is. */
function filesOf(path: string, pattern: string, files: Files): readonly string[] {
  const base = dirname(path);
  const folder = join(base, dirname(pattern));
  for (let inner = folder; inner !== base; inner = dirname(inner)) files.checkFolder(inner);
  const name = basename(pattern);
  if (!name.includes('*')) return [join(folder, name)];
  return namesIn(folder)
    .filter((entry) => matchesFileName(name, entry))
    .sort()
    .map((entry) => join(folder, entry));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw diskError(`cannot look into ${folder}`, error);
  }
}

function decoded(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new HushError('BAD_REQUEST', `${path}: is not UTF-8 text`, {
      hint: `correct ${path}`,
      cause: error,
    });
  }
}

function refused(path: string, message: string): HushError {
  return new HushError('BAD_REQUEST', message, { hint: `correct ${path}, then try again` });
}
