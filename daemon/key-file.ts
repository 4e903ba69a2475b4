import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../protocol/errors.ts';
import { diskError, errnoOf } from './home/disk-errors.ts';
import { shellWord } from './home/safety.ts';
import { masterKeyBytes, parseMasterKey } from './master-key-text.ts';
import type { SecureArena, SecureBytes } from './memory/secure-bytes.ts';

/** A key file, and what it may be. */
interface KeyFile {
  /** What it is to the reader of an error. */
  readonly what: string;
  readonly path: string;
  /** The mode bits that it must not have. */
  readonly forbiddenMode: number;
}

/**
 * The key in a file: its text as `parseMasterKey` takes it, and at most one line end after it. The file may be root's,
 * where a home's files may not. Throws UNSAFE_MODE when others can reach it, BAD_REQUEST when it is not there or
 * holds no key, UNAVAILABLE when it cannot be read. The caller wipes the key.
 */
export function readKeyFile(path: string, arena: SecureArena): SecureBytes {
  const key = readIfThere({ what: 'the key file', path, forbiddenMode: 0o077 }, arena);
  if (key !== undefined) return key;
  throw new HushError('BAD_REQUEST', `the key file ${path} does not exist`, {
    hint: 'name the file that holds the key, in --key-file',
  });
}

/**
 * The key in the systemd credential `hushd-master-key` (systemd.exec(5), LoadCredential), or undefined when the unit
 * has none. Throws as `readKeyFile`.
 */
export function readCredential(env: NodeJS.ProcessEnv, arena: SecureArena): SecureBytes | undefined {
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || folder === '') return undefined;
  // systemd lets the service's user in by an access control list, which stat shows as the group's right to read.
  return readIfThere(
    { what: 'the credential', path: join(folder, 'hushd-master-key'), forbiddenMode: 0o037 },
    arena,
  );
}

function readIfThere(file: KeyFile, arena: SecureArena): SecureBytes | undefined {
  const fd = openIfThere(file);
  if (fd === undefined) return undefined;
  try {
    const danger = dangerOf(fstatSync(fd), file);
    if (danger !== undefined) {
      throw new HushError('UNSAFE_MODE', `${file.what} ${file.path} ${danger.what}`, { hint: danger.hint });
    }
    return readKey(fd, file, arena);
  } finally {
    closeSync(fd);
  }
}

function openIfThere({ what, path }: KeyFile): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) !== 'ELOOP') throw diskError(`cannot open ${what} ${path}`, error);
    throw new HushError('UNSAFE_MODE', `${what} ${path} is a symbolic link`, {
      hint: `name the file that it leads to: readlink -f ${shellWord(path)}`,
      cause: error,
    });
  }
}

/** What is wrong with the open file itself: nothing can be put in its place after this. */
function dangerOf(
  stats: Stats,
  { path, forbiddenMode }: KeyFile,
): { what: string; hint: string } | undefined {
  const self = process.geteuid?.() ?? 0;
  const word = shellWord(path);
  if (!stats.isFile()) return { what: 'is not a regular file', hint: `ls -ld ${word}` };
  if (stats.uid !== self && stats.uid !== 0) {
    return { what: `belongs to uid ${stats.uid}, not to ${self}`, hint: `sudo chown ${self} ${word}` };
  }
  if ((stats.mode & forbiddenMode) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(3, '0');
    return { what: `has mode ${mode}: others can reach it`, hint: `chmod 600 ${word}` };
  }
  if (stats.nlink > 1) {
    return {
      what: 'has a second name (hard link)',
      hint: `cp -p ${word} ${word}.new && mv ${word}.new ${word}`,
    };
  }
  return undefined;
}

function readKey(fd: number, { what, path }: KeyFile, arena: SecureArena): SecureBytes {
  // One byte more than the longest text with CRLF, so that a longer file shows.
  const text = arena.allocate(2 * masterKeyBytes + 3);
  const key = arena.allocate(masterKeyBytes);
  try {
    const length = readUpTo(fd, text.bytes);
    parseMasterKey(withoutLineEnd(text.bytes.subarray(0, length)), key.bytes, `${what} ${path}`);
    return key;
  } catch (error) {
    key.wipe();
    throw diskError(`cannot read ${what} ${path}`, error);
  } finally {
    text.wipe();
  }
}

/** Reads until the bytes are full or the end is reached; returns how many were read. */
function readUpTo(fd: number, bytes: Uint8Array): number {
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(fd, bytes, length, bytes.length - length, length);
    if (count === 0) break;
    length += count;
  }
  return length;
}

function withoutLineEnd(text: Uint8Array): Uint8Array {
  if (text.at(-1) !== 0x0a) return text;
  return text.subarray(0, text.at(-2) === 0x0d ? -2 : -1);
}
