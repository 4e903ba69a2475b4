import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { diskError, errnoOf } from './disk-errors.ts';

/** Something that lets others reach a file or folder of ours, with the command that mends it. */
export interface SafetyProblem {
  readonly path: string;
  readonly message: string;
  readonly hint: string;
}

type Kind = 'file' | 'folder';

/** Folders that other programs need as they are: whoever has named one by mistake must not be told to close it. */
const ofSystem =
  /^\/(?:bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|run|sbin|srv|sys|tmp|(?:usr|var)(?:\/[^/]+)?)?$/;

/** What is unsafe about a folder, a symlink taken as itself; nothing if it does not exist. */
export function folderProblems(path: string): readonly SafetyProblem[] {
  const problems = problemsAt(path, 'folder');
  if (!ofSystem.test(path)) return problems;
  const hint = `choose a folder of its own in place of ${shellWord(path)}`;
  return problems.map((problem) => ({ ...problem, hint }));
}

/** What is unsafe about a file, a symlink taken as itself; nothing if it does not exist. */
export function fileProblems(path: string): readonly SafetyProblem[] {
  return problemsAt(path, 'file');
}

/** The UNSAFE_MODE error that reports problems; their mending commands stand in its hint, joined by `&&`. */
export function unsafeError(problems: readonly SafetyProblem[]): HushError {
  return new HushError('UNSAFE_MODE', problems.map(({ message }) => message).join('; '), {
    hint: [...new Set(problems.map(({ hint }) => hint))].join(' && '),
  });
}

/**
 * Sees to it that a folder of ours exists and that nobody else can reach it; a missing one, and its missing parents,
 * are made with mode 0700 whatever the umask. Throws UNSAFE_MODE, or UNAVAILABLE if it cannot be made.
 */
export function checkDirectory(path: string): void {
  makeFolder(path);
  const problems = folderProblems(path);
  if (problems.length > 0) throw unsafeError(problems);
}

/** Throws UNSAFE_MODE if others can reach the file, or if it is a link or no regular file; a missing one passes. */
export function checkFile(path: string): void {
  const problems = fileProblems(path);
  if (problems.length > 0) throw unsafeError(problems);
}

/**
 * Opens a file that nobody else can reach and returns its descriptor, which the caller closes. `flags` are those of
 * open(2); with O_CREAT a missing file is made with mode 0600 whatever the umask. Links are never followed, and what
 * was opened is checked again, so that a swap between check and open gains nothing.
 * Throws UNSAFE_MODE, or UNAVAILABLE if the file cannot be opened or is not there.
 */
export function openSafeFile(path: string, flags: number): number {
  if ((flags & constants.O_CREAT) !== 0) {
    const made = createFile(path, flags);
    if (made !== undefined || (flags & constants.O_EXCL) !== 0) {
      if (made !== undefined) return made;
      throw new HushError('EXISTS', `${path} exists already`);
    }
  }
  checkFile(path);
  const openFlags = flags & ~(constants.O_CREAT | constants.O_EXCL | constants.O_TRUNC);
  const fd = attempt(`cannot open ${path}`, () =>
    openSync(path, openFlags | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  const problems = statProblems(path, fstatSync(fd), 'file');
  if (problems.length === 0) return fd;
  closeSync(fd);
  throw unsafeError(problems);
}

function createFile(path: string, flags: number): number | undefined {
  try {
    const fd = openSync(path, flags | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    fchmodSync(fd, 0o600);
    return fd;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined;
    throw diskError(`cannot make ${path}`, error);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, 0o700);
    chmodSync(path, 0o700);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw diskError(`cannot make ${path}`, error);
    makeFolder(dirname(path));
    makeFolder(path);
  }
}

function problemsAt(path: string, kind: Kind): readonly SafetyProblem[] {
  try {
    return statProblems(path, lstatSync(path), kind);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw diskError(`cannot look at ${path}`, error);
  }
}

function statProblems(path: string, stats: Stats, kind: Kind): readonly SafetyProblem[] {
  const word = shellWord(path);
  const problem = (message: string, hint: string): SafetyProblem => ({
    path,
    message: `${path} ${message}`,
    hint,
  });
  if (stats.isSymbolicLink()) return [problem('is a symbolic link', linkMend(path, kind))];
  if (kind === 'folder' ? !stats.isDirectory() : !stats.isFile()) {
    return [problem(`is not a ${kind === 'folder' ? 'folder' : 'regular file'}`, `mv ${word} ${word}.aside`)];
  }
  const problems: SafetyProblem[] = [];
  const uid = process.geteuid?.() ?? 0;
  if (stats.uid !== uid) {
    problems.push(problem(`belongs to uid ${stats.uid}, not to ${uid}`, `sudo chown ${uid} ${word}`));
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(3, '0');
    problems.push(
      problem(`has mode ${mode}: others can reach it`, `chmod ${kind === 'folder' ? '700' : '600'} ${word}`),
    );
  }
  if (kind === 'file' && stats.nlink > 1) {
    problems.push(
      problem('has a second name (hard link)', `cp -p ${word} ${word}.new && mv ${word}.new ${word}`),
    );
  }
  return problems;
}

function linkMend(path: string, kind: Kind): string {
  const word = shellWord(path);
  if (kind === 'file') return `cp ${word} ${word}.new && chmod 600 ${word}.new && mv ${word}.new ${word}`;
  const target = attempt(`cannot read the link ${path}`, () => readlinkSync(path));
  return `rm ${word} && mv ${shellWord(resolve(dirname(path), target))} ${word}`;
}

function attempt<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw diskError(what, error);
  }
}
