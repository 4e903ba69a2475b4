import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { diskError, errnoOf } from '../home/disk-errors.ts';
import { readSafeFile, syncFolder } from '../home/files.ts';
import { openSafeFile } from '../home/safety.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_WRONLY } = constants;

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/**
 * The bytes of a file of ours, or undefined where there is none. Throws UNSAFE_MODE when it is a link, has a second
 * name, belongs to someone else or can be reached by others; DAMAGED over `most` bytes; UNAVAILABLE.
 */
export function readGuardedFile(path: string, most: number): Uint8Array | undefined {
  try {
    return readSafeFile(path, most);
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'TOO_LARGE')) throw error;
    throw new HushError('DAMAGED', error.message, { cause: error });
  }
}

/**
 * Puts `bytes` at `path` in one step, mode 0600 whatever the umask: a temporary file in the same folder, synced and
 * renamed. After a crash the old or the new file is there, and the new one for good once `syncFolder` has returned. One
 * writer at a time. Throws UNAVAILABLE, and the old file stands.
 */
export function putFile(path: string, bytes: Uint8Array): void {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    removeFile(temporary);
    const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      fchmodSync(fd, 0o600);
      writeAll(fd, bytes, 0);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    removeLeftover(temporary);
    throw diskError(`cannot write ${path}`, error);
  }
}

/** As `putFile`, for good when it returns. Throws UNAVAILABLE; then the old file or the new one stands. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  putFile(path, bytes);
  syncFolder(dirname(path));
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function removeLeftover(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The error that led here says more; the next write removes what is left.
  }
}

/**
 * Writes `bytes` at offset `length` of a file of ours, and syncs. What lies beyond `length` is left over from an
 * append that was never acknowledged, and goes. When the write fails the file is cut back to `length`. Throws
 * INTEGRITY when the file is missing or shorter than that, UNSAFE_MODE, UNAVAILABLE.
 */
export function appendAt(path: string, length: number, bytes: Uint8Array): void {
  if (!existsSync(path)) throw tooShort(path);
  const fd = openSafeFile(path, O_RDWR);
  try {
    const { size } = fstatSync(fd);
    if (size < length) throw tooShort(path);
    if (size > length) ftruncateSync(fd, length);
    writeAll(fd, bytes, length);
    fsyncSync(fd);
  } catch (error) {
    if (error instanceof HushError) throw error;
    cutBack(fd, length);
    throw diskError(`cannot append to ${path}`, error);
  } finally {
    closeSync(fd);
  }
}

const tooShort = (path: string): HushError =>
  new HushError('INTEGRITY', `${path} is shorter than it was at unlock`, {
    hint: 'hush lock, then hush unlock: it is rebuilt from the vault',
  });

function cutBack(fd: number, length: number): void {
  try {
    ftruncateSync(fd, length);
  } catch {
    // The next append cuts it, and so does the next unlock.
  }
}
