import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { flockExclusive } from '../../native/descriptors.ts';
import { diskError, errnoOf } from '../home/disk-errors.ts';
import { isStillAt } from '../home/files.ts';

/** What folders of profiles, and of their audits, are called before they are finished: no profile has such a name. */
const unfinishedName = /^\.new-[0-9a-f]{16}$/;

/** Whether a folder's name is one that `newFolderIn` gives. */
export const isUnfinished = (name: string): boolean => unfinishedName.test(name);

/** A new folder, which nobody else removes while this process works on it, and which does not outlive its exit. */
export interface UnfinishedFolder {
  readonly path: string;
  /** Removes what is still of this name, and lets go of it: a folder that was renamed stays. */
  end(): void;
}

/** A folder of mode 0700 and of a name that no profile can have, for what is not finished. Throws UNAVAILABLE. */
export function newFolderIn(folder: string): UnfinishedFolder {
  for (;;) {
    const path = join(folder, `.new-${randomBytes(8).toString('hex')}`);
    try {
      mkdirSync(path, { mode: 0o700 });
      chmodSync(path, 0o700);
    } catch (error) {
      throw diskError('cannot make a folder for what is not finished', error);
    }
    const hold = holdFolder(path);
    // Before it was held another process may have taken it for one that was left behind.
    if (hold === 'held by another' || hold === 'gone' || hold === 'none of ours') continue;
    const end = (): void => {
      process.off('exit', end);
      rmSync(path, { recursive: true, force: true });
      if (hold !== 'no locks here') closeSync(hold);
    };
    process.on('exit', end);
    return { path, end };
  }
}

/**
 * Removes what an `init` or a restore that was cut off has left in a folder of profiles, or of their audits, unless
 * somebody works on it or `mayGo` says no; a link or a file of such a name is left alone. Where the file system has no locks that cannot be known, and all of it stays.
 * Answers the paths of what is gone. Throws UNAVAILABLE.
 */
export function removeUnfinished(folder: string, mayGo: (path: string) => boolean = () => true): string[] {
  return readdirSync(folder)
    .filter(isUnfinished)
    .map((name) => join(folder, name))
    .filter((path) => removeIfLeft(path, mayGo));
}

function removeIfLeft(path: string, mayGo: (path: string) => boolean): boolean {
  const hold = holdFolder(path);
  if (typeof hold === 'string') return false;
  try {
    if (!mayGo(path)) return false;
    rmSync(path, { recursive: true, force: true });
    return true;
  } catch (error) {
    throw diskError(`cannot remove ${path}, which a cut-off init or restore has left`, error);
  } finally {
    closeSync(hold);
  }
}

/** Why a folder is not held. */
type Refusal = 'held by another' | 'gone' | 'no locks here' | 'none of ours';

/** A descriptor by which this process holds a folder until it is closed (flock(2)), or why it does not. */
function holdFolder(path: string): number | Refusal {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return 'gone';
    // A link with O_NOFOLLOW and O_DIRECTORY, or a file: `newFolderIn` makes neither.
    if (errno === 'ENOTDIR' || errno === 'ELOOP') return 'none of ours';
    throw diskError(`cannot open ${path}, which is not finished`, error);
  }
  const refusal = refusalToHold(path, fd);
  if (refusal === undefined) return fd;
  closeSync(fd);
  return refusal;
}

function refusalToHold(path: string, fd: number): Exclude<Refusal, 'none of ours'> | undefined {
  try {
    if (!flockExclusive(fd)) return 'held by another';
    return isStillAt(path, fd) ? undefined : 'gone';
  } catch (error) {
    // Over NFS only what is open for writing can be locked, and a folder never is.
    if (error instanceof HushError && error.code === 'UNAVAILABLE') return 'no locks here';
    throw error;
  }
}
