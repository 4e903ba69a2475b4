import { closeSync, constants, ftruncateSync, readFileSync, writeSync } from 'node:fs';

import { flockExclusive } from '../native/descriptors.ts';
import { HushError } from '../protocol/errors.ts';
import { diskError } from './home/disk-errors.ts';
import { isStillAt } from './home/files.ts';
import { openSafeFile } from './home/safety.ts';

/** The right to serve a home, which one process at a time has. */
export interface InstanceLock {
  /** Lets the next daemon in. The kernel does the same when the process ends, in whatever way. */
  release(): void;
}

/**
 * Takes the lock of a home without waiting; the file at `path` is made when it is not there, is never removed, and
 * holds the pid of its last holder. Throws EXISTS when another daemon has it, UNSAFE_MODE when others can reach the
 * file, UNAVAILABLE when it cannot be opened.
 */
export function takeInstanceLock(path: string): InstanceLock {
  const fd = openSafeFile(path, constants.O_RDWR | constants.O_CREAT);
  try {
    if (!flockExclusive(fd)) throw heldBy(readFileSync(fd, 'latin1').trim());
    if (!isStillAt(path, fd)) throw new HushError('CONFLICT', `the lock file ${path} was replaced meanwhile`);
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw diskError(`cannot lock ${path}`, error);
  }
  return { release: () => closeSync(fd) };
}

const heldBy = (pid: string): HushError =>
  new HushError('EXISTS', `another hushd serves this home${/^\d+$/.test(pid) ? ` (pid ${pid})` : ''}`);
