import { dirname } from 'node:path';

import { syncFolder } from '../home/files.ts';
import { putFile } from '../keys/guarded-file.ts';
import { appendToKeysetFile, keysetBytes } from '../keys/keyset-file.ts';
import { unsettled } from './profile-files.ts';

/**
 * The key set file of an unlocked profile. Once it is not known which lines are on the disk for good, none can be added
 * or replaced, with UNAVAILABLE, before the next unlock has found out: lines added to the wrong ones would be lost.
 */
export interface KeysetFile {
  /** See `appendToKeysetFile`. */
  append(present: readonly string[], added: readonly string[]): void;
  /** Puts all lines in place of the file's, for good. Throws UNAVAILABLE. */
  replace(lines: readonly string[]): void;
  /** Goes on in another file, which holds the key set of another vault key for good. */
  moveTo(path: string): void;
}

/** The key set file at `path`. */
export function createKeysetFile(path: string): KeysetFile {
  let place = path;
  let isSettled = true;

  const requireSettled = (): void => {
    if (!isSettled) throw unsettled('key set');
  };

  return {
    append(present, added) {
      requireSettled();
      appendToKeysetFile(place, present, added);
    },
    replace(lines) {
      requireSettled();
      putFile(place, keysetBytes(lines));
      try {
        syncFolder(dirname(place));
      } catch (error) {
        isSettled = false;
        throw unsettled('key set', error);
      }
    },
    moveTo(next) {
      place = next;
      isSettled = true;
    },
  };
}
