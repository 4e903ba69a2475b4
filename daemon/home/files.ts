import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { diskError, errnoOf } from './disk-errors.ts';
import { openSafeFile } from './safety.ts';

/**
 * The bytes of a file that nobody else can reach, or undefined if there is none. They are the only copy, and the
 * caller's to wipe. Throws UNSAFE_MODE, TOO_LARGE past `maxBytes`, or UNAVAILABLE.
 */
export function readSafeFile(path: string, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
  if (!exists(path)) return undefined;
  const fd = openSafeFile(path, constants.O_RDONLY);
  try {
    const { size } = fstatSync(fd);
    if (size > maxBytes) throw new HushError('TOO_LARGE', `${path} is larger than ${maxBytes} bytes`);
    return readWhole(fd, newBytes(size));
  } catch (error) {
    throw diskError(`cannot read ${path}`, error);
  } finally {
    closeSync(fd);
  }
}

/**
 * The bytes of a file that anybody may have written; the caller's to wipe. Never waits for a writer. Throws
 * BAD_REQUEST for what is no regular file, TOO_LARGE past `maxBytes`, or UNAVAILABLE.
 */
export function readRegularFile(path: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const facts = fstatSync(fd);
      if (!facts.isFile()) throw new HushError('BAD_REQUEST', `${path} is no regular file`);
      if (facts.size > maxBytes) throw new HushError('TOO_LARGE', `${path} is larger than ${maxBytes} bytes`);
      return readWhole(fd, newBytes(facts.size));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw diskError(`cannot read ${path}`, error, `ls -ld ${shellWord(path)}`);
  }
}

/**
 * Puts bytes into a file so that a crash at any moment leaves the old content or the new: a temporary file of mode
 * 0600 beside it, synced, renamed over it, and the folder synced. A link in the file's place is replaced, not
 * followed. Throws UNAVAILABLE; then the old content stands, except that a failure of the last step leaves the new.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new-${randomBytes(6).toString('hex')}`;
  const fd = openSafeFile(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  try {
    writeAndClose(fd, bytes);
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw diskError(`cannot write ${path}`, error);
  }
  syncFolder(dirname(path));
}

/** Whether an open file is the one at `path`: the one that whoever comes next will open. */
export function isStillAt(path: string, fd: number): boolean {
  const held = fstatSync(fd);
  const named = lstatSync(path, { throwIfNoEntry: false });
  return named?.ino === held.ino && named.dev === held.dev;
}

/**
 * Tells, each time it is asked, whether the file that is at `path` now is still there; one that cannot be looked at is
 * not. Asking takes some 2 µs.
 */
export function watchPlace(path: string): () => boolean {
  const held = lstatSync(path);
  return () => {
    try {
      const named = lstatSync(path, { throwIfNoEntry: false });
      return named?.ino === held.ino && named.dev === held.dev;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
  };
}

/** Makes the names in a folder durable. Throws UNAVAILABLE. */
export function syncFolder(path: string): void {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw diskError(`cannot sync ${path}`, error);
  }
}

function writeAndClose(fd: number, bytes: Uint8Array): void {
  try {
    let offset = 0;
    while (offset < bytes.length) offset += writeSync(fd, bytes, offset, bytes.length - offset);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw diskError(`cannot look at ${path}`, error);
  }
}

function readWhole(fd: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, length);
      if (count === 0) throw new HushError('UNAVAILABLE', 'a file became shorter while it was read');
      length += count;
    }
    return bytes;
  } catch (error) {
    wipe(bytes);
    throw error;
  }
}
