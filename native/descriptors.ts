import { callFailed, errorNumbers, lastErrorNumber, libc } from './libc.ts';

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const O_CLOEXEC = 0o2000000;
const LOCK_EX = 2;
const LOCK_NB = 4;

const fcntl: (fd: number, command: number, value: number) => number = libc.func(
  'int fcntl(int fd, int command, long value)',
);
const pipe2: (ends: Int32Array, flags: number) => number = libc.func('int pipe2(void *ends, int flags)');
const flock: (fd: number, operation: number) => number = libc.func('int flock(int fd, int operation)');

/** Lets a descriptor live on in the program that execve starts. Throws UNAVAILABLE when it is not open. */
export function clearCloseOnExec(fd: number): void {
  if (fcntl(fd, F_SETFD, 0) !== 0) throw callFailed(`fcntl(${fd}, F_SETFD)`);
}

/** Lets a descriptor end with this program. Throws UNAVAILABLE when it is not open. */
export function setCloseOnExec(fd: number): void {
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) !== 0) throw callFailed(`fcntl(${fd}, F_SETFD)`);
}

/** A pipe whose ends close on execve and belong to the caller. Throws UNAVAILABLE. */
export function pipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const ends = new Int32Array(2);
  if (pipe2(ends, O_CLOEXEC) !== 0) throw callFailed('pipe2');
  const [readEnd = -1, writeEnd = -1] = ends;
  return { readEnd, writeEnd };
}

/**
 * Takes the exclusive lock of an open file without waiting (flock(2)): false when someone else holds it. The kernel
 * gives it back when the descriptor is closed, and so when the process ends in whatever way. Throws UNAVAILABLE.
 */
export function flockExclusive(fd: number): boolean {
  if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  if (lastErrorNumber() === errorNumbers['EWOULDBLOCK']) return false;
  throw callFailed('flock');
}
