import { HushError } from '../../protocol/errors.ts';
import { readGuardedFile, replaceFile } from './guarded-file.ts';
import { type Header, headerLimits, parseHeader } from './header.ts';

/**
 * The header in the file at `path`. Throws DAMAGED when the file is missing or broken, UNSAFE_MODE when others can
 * reach it, NEWER_FORMAT, INTEGRITY, UNAVAILABLE.
 */
export function readHeaderFile(path: string): Header {
  const bytes = readGuardedFile(path, headerLimits.bytes);
  if (bytes !== undefined) return parseHeader(bytes);
  throw new HushError('DAMAGED', "the profile's header is missing", {
    hint: 'hush backup restore FILE --replace',
  });
}

/** Puts the bytes of a header in place, which commits whatever it stands for. Throws as `replaceFile`. */
export function writeHeaderFile(path: string, bytes: Uint8Array): void {
  replaceFile(path, bytes);
}
