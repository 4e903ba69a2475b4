import { isUtf8 } from 'node:buffer';
import { HushError } from '../protocol/errors.ts';
import { newBytes } from '../protocol/bytes.ts';

/** The longest passphrase in bytes. */
export const maxPassphraseBytes = 4096;

/** Below this many characters a new passphrase draws a word of warning; it is never refused for it. */
export const shortPassphrase = 12;

/**
 * A passphrase in the one form that keys are made of: UTF-8, NFKC. The result is new memory, the caller's to wipe
 * like the argument. Throws BAD_REQUEST for an empty one and for bytes that are not UTF-8.
 */
export function passphraseOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0)
    throw new HushError('BAD_REQUEST', 'the passphrase is empty', { hint: 'hush help unlock' });
  if (!isUtf8(bytes)) {
    throw new HushError('BAD_REQUEST', 'the passphrase is not UTF-8', {
      hint: 'for a binary key of 32 bytes use --key-file FILE',
    });
  }
  if (isAscii(bytes)) {
    const copy = newBytes(bytes.length);
    copy.set(bytes);
    return copy;
  }
  // Only a JavaScript string can be normalised, and a string cannot be wiped: it dies with this short process.
  return utf8Of(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).normalize('NFKC'));
}

/** The UTF-8 of a text in memory that can be wiped. */
export function utf8Of(text: string): Uint8Array<ArrayBuffer> {
  const room = newBytes(text.length * 3);
  const { written } = new TextEncoder().encodeInto(text, room);
  const exact = newBytes(written);
  exact.set(room.subarray(0, written));
  room.fill(0);
  return exact;
}

/** How many characters the UTF-8 bytes stand for. */
export function charactersOf(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => ((byte & 0xc0) === 0x80 ? count : count + 1), 0);
}

const isAscii = (bytes: Uint8Array): boolean => bytes.every((byte) => byte < 0x80);
