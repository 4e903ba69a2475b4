import { HushError } from '../protocol/errors.ts';
import { callFailed, errorNumbers, lastErrorNumber, libc } from './libc.ts';

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

const renameat2: (from: number, oldPath: string, to: number, newPath: string, flags: number) => number =
  libc.func('int renameat2(int olddirfd, str oldpath, int newdirfd, str newpath, unsigned int flags)');

/** What a file system answers that cannot do this kind of rename (renameat2(2)). */
const unsupported = ['EINVAL', 'ENOSYS', 'ENOTSUP'];

function attempt(oldPath: string, newPath: string, flags: number): number {
  return renameat2(AT_FDCWD, oldPath, AT_FDCWD, newPath, flags) === 0 ? 0 : lastErrorNumber();
}

const isOneOf = (names: readonly string[], errorNumber: number): boolean =>
  names.some((name) => errorNumbers[name] === errorNumber);

/**
 * Renames, unless there is something of the new name: then EXISTS, and nothing has changed. False where the file
 * system cannot do this in one step. Throws UNAVAILABLE for anything else.
 */
export function renameIfFree(oldPath: string, newPath: string): boolean {
  const failure = attempt(oldPath, newPath, RENAME_NOREPLACE);
  if (failure === 0) return true;
  if (isOneOf(['EEXIST'], failure)) throw new HushError('EXISTS', `${newPath} exists already`);
  if (isOneOf(unsupported, failure)) return false;
  throw callFailed('renameat2', failure);
}

/**
 * Lets two files or folders change their names in one step: at no moment is either name gone. False where the file
 * system cannot do this. Throws UNAVAILABLE for anything else.
 */
export function exchangeNames(one: string, other: string): boolean {
  const failure = attempt(one, other, RENAME_EXCHANGE);
  if (failure === 0) return true;
  if (isOneOf(unsupported, failure)) return false;
  throw callFailed('renameat2', failure);
}
