import { randomBytes, randomFillSync } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { renameIfFree } from '../../native/rename.ts';
import { newBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { hexLine, masterKeyBytes } from '../../protocol/master-key-text.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import type { Environment } from '../socket-path.ts';
import { keyFromFile, keyFromFileIfThere, systemError } from './key-source.ts';

/** A key for development, and whether it was born just now. */
export interface DevelopmentKey {
  /** The caller wipes it. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly made: boolean;
}

const what = 'the development key file';

/**
 * Where the development key is kept: `$XDG_DATA_HOME/hushd/development.key`, by default below `~/.local/share`;
 * undefined when the environment names no home.
 */
export function developmentKeyPath(env: Environment): string | undefined {
  const [data, home] = [env['XDG_DATA_HOME'], env['HOME']].map((path) =>
    path !== undefined && isAbsolute(path) ? path : undefined,
  );
  const folder = data ?? (home && join(home, '.local/share'));
  return folder && join(folder, 'hushd', 'development.key');
}

/**
 * The key in a development key file, which is made when it is not there: with mode 0600 in a folder of 0700, whole or
 * not at all, and never over another, so that processes that start at once all get the same key. Throws UNSAFE_MODE
 * when others can reach file or folder, BAD_REQUEST when the file holds no key, UNAVAILABLE when the system refuses.
 */
export function developmentKey(path: string): DevelopmentKey {
  const file = resolve(path);
  attempt(`the folder of ${what} ${file} cannot be used`, () => {
    makeFolder(dirname(file));
  });
  const present = keyFromFileIfThere(file, what);
  if (present !== undefined) return { key: present, made: false };
  const made = attempt(`${what} ${file} cannot be made`, () => makeKeyFile(file));
  return { key: keyFromFile(file, what), made };
}

/** Sees to it that there is a folder, and that nobody else can reach it. */
function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = lstatSync(path);
  const problem = folderProblem(path, mode & 0o777, uid);
  if (problem !== undefined) throw problem;
}

function folderProblem(path: string, mode: number, uid: number): HushError | undefined {
  const self = process.geteuid?.() ?? 0;
  const word = shellWord(path);
  if (uid !== self) {
    return new HushError('UNSAFE_MODE', `the folder ${path} belongs to uid ${uid}, not to ${self}`, {
      hint: `sudo chown ${self} ${word}`,
    });
  }
  if ((mode & 0o077) === 0) return undefined;
  const octal = mode.toString(8).padStart(3, '0');
  return new HushError('UNSAFE_MODE', `the folder ${path} has mode ${octal}: others can reach it`, {
    hint: `chmod 700 ${word}`,
  });
}

/**
 * Puts a new key into the place of the file, whole and on the disk, as 64 hex digits and a line feed. False when another
 * process was faster: its file stands.
 */
function makeKeyFile(file: string): boolean {
  const draft = `${file}.new-${randomBytes(6).toString('hex')}`;
  const key = randomFillSync(newBytes(masterKeyBytes));
  const text = hexLine(key);
  try {
    writeNew(draft, text);
    return moveIfFree(draft, file);
  } finally {
    key.fill(0);
    text.fill(0);
    rmSync(draft, { force: true });
    syncFolder(dirname(file));
  }
}

function moveIfFree(draft: string, file: string): boolean {
  try {
    // Not every file system can rename like that; all that have links can do this.
    if (!renameIfFree(draft, file)) linkSync(draft, file);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EXISTS' || code === 'EEXIST') return false;
    throw error;
  }
}

function writeNew(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function attempt<Result>(refused: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof HushError ? error : systemError(refused, error);
  }
}
