import { dirname } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { syncFolder } from '../home/files.ts';
import { putFile } from '../keys/guarded-file.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import { parseHeader, type Header, type HeaderBody } from '../keys/header.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import { unsettled } from './profile-files.ts';

/** The header file of an unlocked profile, and what is known to stand in it. */
export interface HeaderFile {
  body(): HeaderBody;
  /** The header as it was last read or written, for opening it once more. */
  header(): Header;
  /**
   * Puts the bytes of the next header in place. Throws CONFLICT, INTEGRITY, UNAVAILABLE; the old one then stands, unless
   * it is not settled any more.
   */
  replace(next: HeaderBody, bytes: Uint8Array): void;
  /**
   * Whether it is known which header is on the disk for good. Once it is not, the header of before goes on here, no other
   * can be put in place, and only the next unlock finds out.
   */
  isSettled(): boolean;
  /** Throws UNAVAILABLE where it is not known. */
  requireSettled(): void;
  /** Whether this very header is in the file for good; false also where that cannot be read. */
  isInPlace(): boolean;
}

/** The header file at `path`, which holds `opened`: its MAC has verified. */
export function createHeaderFile(path: string, opened: Header): HeaderFile {
  let present = opened;
  let isSettled = true;

  const requireSettled = (): void => {
    if (!isSettled) throw unsettled('header');
  };

  const isPresent = (): boolean => {
    const found = readHeaderFile(path);
    return equalBytes(found.signed, present.signed) && equalBytes(found.mac, present.mac);
  };

  return {
    body: () => present.body,
    header: () => present,
    replace(next, bytes) {
      requireSettled();
      if (next.generation <= present.body.generation) {
        throw new HushError('CONFLICT', "the profile's header was changed meanwhile", { hint: 'try again' });
      }
      if (!isPresent()) {
        throw new HushError('INTEGRITY', "the profile's header was changed under the daemon", {
          hint: 'restore the header from a backup that you trust, or hush lock, then hush unlock to see what it says',
        });
      }
      const after = parseHeader(bytes);
      putFile(path, bytes);
      try {
        syncFolder(dirname(path));
      } catch (error) {
        isSettled = false;
        throw unsettled('header', error);
      }
      present = after;
    },
    isSettled: () => isSettled,
    requireSettled,
    isInPlace() {
      try {
        return isSettled && isPresent();
      } catch (error) {
        if (error instanceof HushError) return false;
        throw error;
      }
    },
  };
}
