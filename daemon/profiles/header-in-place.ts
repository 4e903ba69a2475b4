import { HushError } from '../../protocol/errors.ts';
import { readHeaderFile, writeHeaderFile } from '../keys/header-file.ts';
import { parseHeader, type Header, type HeaderBody } from '../keys/header.ts';
import { equalBytes } from '../memory/plain-bytes.ts';

/** The header file of an unlocked profile, and what is known to stand in it. */
export interface HeaderFile {
  body(): HeaderBody;
  /** The header as it was last read or written, for opening it once more. */
  header(): Header;
  /** Puts the bytes of the next header in place. Throws CONFLICT, INTEGRITY, UNAVAILABLE; the old one then stands. */
  replace(next: HeaderBody, bytes: Uint8Array): void;
}

/** The header file at `path`, which holds `opened`: its MAC has verified. */
export function createHeaderFile(path: string, opened: Header): HeaderFile {
  let present = opened;

  const isPresent = (): boolean => {
    const found = readHeaderFile(path);
    return equalBytes(found.signed, present.signed) && equalBytes(found.mac, present.mac);
  };

  return {
    body: () => present.body,
    header: () => present,
    replace(next, bytes) {
      if (next.generation <= present.body.generation) {
        throw new HushError('CONFLICT', "the profile's header was changed meanwhile", { hint: 'try again' });
      }
      if (!isPresent()) {
        throw new HushError('INTEGRITY', "the profile's header was changed under the daemon", {
          hint: 'restore the header from a backup that you trust, or hush lock, then hush unlock to see what it says',
        });
      }
      const after = parseHeader(bytes);
      try {
        writeHeaderFile(path, bytes);
      } catch (error) {
        // The rename may have happened and only its sync failed: then the new one is what stands there.
        if (equalBytes(readHeaderFile(path).signed, after.signed)) present = after;
        throw error;
      }
      present = after;
    },
  };
}
