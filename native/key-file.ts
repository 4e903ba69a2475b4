import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';

import { HushError } from '../protocol/errors.ts';
import { shellWord } from '../protocol/shell-word.ts';

/** A file that holds a key as text, and what it may be. */
export interface KeyFile {
  /** What it is to the reader of an error, such as `the key file`. */
  readonly what: string;
  readonly path: string;
  /** The mode bits that it must not have. */
  readonly forbiddenMode: number;
}

/**
 * The beginning of a key file, as much as `into` has room for, without the one line end at its end; undefined when the
 * file is not there. It is in `into`, which the caller wipes. The file may be the caller's or root's. Throws
 * UNSAFE_MODE when it is a link, has a second name, belongs to someone else or can be reached by others; what the
 * system refuses is thrown as Node tells it.
 */
export function readKeyText(file: KeyFile, into: Uint8Array): Uint8Array | undefined {
  const fd = openIfThere(file);
  if (fd === undefined) return undefined;
  try {
    const danger = dangerOf(fstatSync(fd), file);
    if (danger !== undefined) {
      throw new HushError('UNSAFE_MODE', `${file.what} ${file.path} ${danger.what}`, { hint: danger.hint });
    }
    return withoutLineEnd(into.subarray(0, readUpTo(fd, into)));
  } finally {
    closeSync(fd);
  }
}

function openIfThere({ what, path }: KeyFile): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    if (code !== 'ELOOP') throw error;
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
