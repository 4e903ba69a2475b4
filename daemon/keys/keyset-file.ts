import { HushError } from '../../protocol/errors.ts';
import { appendAt, readGuardedFile, replaceFile } from './guarded-file.ts';
import { keysetLimits } from './keyset.ts';
import type { KeysetLines } from './reconcile.ts';
import { utf8 } from './text.ts';

/** The bytes of the file of these lines. */
export const keysetBytes = (lines: readonly string[]): Uint8Array =>
  utf8(lines.map((line) => `${line}\n`).join(''));

/** The lines of a key set file's bytes; a last one without LF is torn and left out. */
export function splitKeyset(file: Uint8Array): KeysetLines {
  const text = Buffer.from(file.buffer, file.byteOffset, file.length).toString('utf8');
  const lines = text.split('\n');
  const torn = lines.pop() !== '';
  return { lines, torn };
}

/**
 * The lines of the file at `path`; none where there is no file, which `reconcile` then rebuilds from the vault.
 * Throws UNSAFE_MODE when others can reach it, DAMAGED when it is absurdly long, UNAVAILABLE.
 */
export function readKeysetFile(path: string): KeysetLines {
  const bytes = readGuardedFile(path, keysetLimits.bytes);
  return bytes === undefined ? { lines: [], torn: false } : splitKeyset(bytes);
}

/** Puts a whole key set in place of the file, in one step (`init`, repair, another vault key). Throws as `replaceFile`. */
export function writeKeysetFile(path: string, lines: readonly string[]): void {
  replaceFile(path, keysetBytes(lines));
}

/**
 * Appends `added` after the `present` lines, which are all that is known to be there, and syncs; only then may they go
 * to the vault. What an earlier, failed append left behind is overwritten. Throws INTEGRITY when the file is shorter
 * than `present`, UNSAFE_MODE, UNAVAILABLE; the keys of `added` must then not be used.
 */
export function appendToKeysetFile(path: string, present: readonly string[], added: readonly string[]): void {
  const bytes = keysetBytes(added);
  if (added.some((line) => utf8(line).length > keysetLimits.lineBytes)) {
    throw new HushError('TOO_LARGE', 'a line of the key set is too long');
  }
  appendAt(path, keysetBytes(present).length, bytes);
}
