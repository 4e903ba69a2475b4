import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { newBytes } from '../memory/plain-bytes.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`;
const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const unsafe = (path: string, why: string, hint: string): HushError =>
  new HushError('UNSAFE_MODE', `${path} ${why}`, { hint });
const failed = (what: string, path: string, cause: unknown): HushError =>
  new HushError('UNAVAILABLE', `cannot ${what} ${path}: ${codeOf(cause) ?? 'unknown error'}`, { cause });

function checkStats(path: string, stats: Stats): void {
  if (!stats.isFile()) throw unsafe(path, 'is not a plain file', `ls -ld ${quoted(path)}`);
  const uid = process.geteuid?.();
  if (stats.uid !== uid) throw unsafe(path, `belongs to uid ${stats.uid}`, `chown ${uid} ${quoted(path)}`);
  if ((stats.mode & 0o077) !== 0) throw unsafe(path, 'can be reached by others', `chmod 600 ${quoted(path)}`);
  if (stats.nlink !== 1) {
    const hint = `cp -p ${quoted(path)} ${quoted(`${path}.copy`)} && mv ${quoted(`${path}.copy`)} ${quoted(path)}`;
    throw unsafe(path, 'has a second name (a hard link)', hint);
  }
}

/** Opens a file of ours that exists, and runs `use` on it; undefined where there is none. */
function withFile<Result>(
  path: string,
  flags: number,
  use: (fd: number, size: number) => Result,
): Result | undefined {
  let fd: number;
  try {
    fd = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'ELOOP') throw unsafe(path, 'is a symbolic link', `ls -l ${quoted(path)}`);
    throw failed('open', path, error);
  }
  try {
    const stats = fstatSync(fd);
    checkStats(path, stats);
    return use(fd, stats.size);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** Makes a rename or a new file in a folder durable. Throws UNAVAILABLE. */
export function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, O_RDONLY | O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw failed('sync', folder, error);
  }
}

/**
 * The bytes of a file of ours, or undefined where there is none. Throws UNSAFE_MODE when it is a link, has a second
 * name, belongs to someone else or can be reached by others; DAMAGED over `most` bytes; UNAVAILABLE.
 */
export function readGuardedFile(path: string, most: number): Uint8Array | undefined {
  return withFile(path, O_RDONLY, (fd, size) => {
    if (size > most) {
      throw new HushError('DAMAGED', `${path} is ${size} bytes long, and can have ${most} at most`);
    }
    const bytes = newBytes(size);
    let done = 0;
    try {
      while (done < size) {
        const count = readSync(fd, bytes, done, size - done, done);
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw failed('read', path, error);
    }
    return bytes.subarray(0, done);
  });
}

/**
 * Puts `bytes` at `path` in one step, mode 0600 whatever the umask: a temporary file in the same folder, synced,
 * renamed, and the folder synced. After a crash at any moment the old or the new file is there. One writer at a time.
 * Throws UNAVAILABLE, and the old file stands.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.tmp`);
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
    throw failed('write', path, error);
  }
  syncFolder(folder);
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
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
  const done = withFile(path, O_RDWR, (fd, size) => {
    if (size < length) return false;
    try {
      if (size > length) ftruncateSync(fd, length);
      writeAll(fd, bytes, length);
      fsyncSync(fd);
      return true;
    } catch (error) {
      cutBack(fd, length);
      throw failed('append to', path, error);
    }
  });
  if (done !== true) {
    throw new HushError('INTEGRITY', `${path} is shorter than it was at unlock`, {
      hint: 'hush lock, then hush unlock: it is rebuilt from the vault',
    });
  }
}

function cutBack(fd: number, length: number): void {
  try {
    ftruncateSync(fd, length);
  } catch {
    // The next append cuts it, and so does the next unlock.
  }
}
