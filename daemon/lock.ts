import { closeSync, constants, ftruncateSync, readFileSync, writeSync } from 'node:fs';

import { flockExclusive } from '../native/descriptors.ts';
import { HushError } from '../protocol/errors.ts';
import { diskError } from './home/disk-errors.ts';
import { isStillAt } from './home/files.ts';
import { openSafeFile } from './home/safety.ts';

/** What a home is held for. */
export type Work = 'serve' | 'restore';

/** A right that one process at a time has. */
export interface Lock {
  /** Lets the next one in. The kernel does the same when the process ends, in whatever way. */
  release(): void;
}

/**
 * Takes the lock of a home, which is the right to serve it or to keep all who do out of it, as `takeLock`; the file says
 * too for what other work than serving that is. Throws EXISTS when another process has it.
 */
export function takeInstanceLock(path: string, work: Work = 'serve'): Lock {
  return takeLock(path, heldBy, work === 'serve' ? '' : ` ${work}`);
}

/**
 * Takes a lock without waiting; the file at `path` is made when it is not there, is never removed, and holds the pid of
 * its last holder, and `note`. Throws what `heldBy` makes of these when another process has it, UNSAFE_MODE when others
 * can reach the file, CONFLICT, UNAVAILABLE when it cannot be opened.
 */
export function takeLock(path: string, heldBy: (text: string) => HushError, note = ''): Lock {
  const fd = openSafeFile(path, constants.O_RDWR | constants.O_CREAT);
  try {
    if (!flockExclusive(fd)) throw heldBy(readFileSync(fd, 'latin1'));
    if (!isStillAt(path, fd)) throw new HushError('CONFLICT', `the lock file ${path} was replaced meanwhile`);
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}${note}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw diskError(`cannot lock ${path}`, error);
  }
  return { release: () => closeSync(fd) };
}

/** The process that has the lock, or had it last, and for what, as the file says. */
export function holderOf(path: string): { readonly pid: string | undefined; readonly work: Work } {
  return parseHolder(readFileSync(path, 'latin1'));
}

function parseHolder(text: string): ReturnType<typeof holderOf> {
  const [, pid, restores] = /^(\d+)( restore)?$/.exec(text.trim()) ?? [];
  return { pid, work: restores === undefined ? 'serve' : 'restore' };
}

function heldBy(text: string): HushError {
  const { pid, work } = parseHolder(text);
  const who = pid === undefined ? '' : ` (pid ${pid})`;
  if (work === 'serve') return new HushError('EXISTS', `another hushd serves this home${who}`);
  return new HushError('EXISTS', `a restore works on this home${who}`, {
    hint: 'wait until it is done, then try again',
  });
}
