import { newBytes, putHex } from './bytes.ts';
import { HushError } from './errors.ts';

/** The size of a key in bytes. */
export const masterKeyBytes = 32;

/** The room that the text of a key needs: 64 digits and CRLF, and one byte more, so that a longer text shows. */
export const masterKeyTextBytes = 2 * masterKeyBytes + 3;

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const hexAlphabet = '0123456789abcdef';
const lineFeed = 0x0a;
const padding = 0x3d;

/**
 * Decodes the text of a key into the 32 bytes of `key`: exactly 64 hex digits, or the base64 of exactly 32
 * bytes (RFC 4648 §4, with or without its `=`). It works on bytes, because a string could not be wiped. Throws
 * BAD_REQUEST that names `what`, and leaves `key` wiped, for anything else.
 */
export function parseMasterKey(text: Uint8Array, key: Uint8Array, what: string): void {
  const decoded = text.length === 2 * masterKeyBytes ? decodeHex(text, key) : decodeBase64(text, key);
  if (decoded) return;
  key.fill(0);
  throw new HushError('BAD_REQUEST', `${what} is not a key: it does not stand for exactly 32 bytes`, {
    hint: 'a key is 64 hex digits, or the base64 of 32 bytes (44 characters, or 43 without the =)',
  });
}

/** A key as text: two hex digits a byte and a line feed, in memory that is the caller's to wipe. */
export function hexLine(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = newBytes(2 * key.length + 1);
  putHex(text, 0, key);
  text[2 * key.length] = lineFeed;
  return text;
}

/** A key as text: its base64 (RFC 4648 §4) and a line feed, in memory that is the caller's to wipe. */
export function base64Line(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = newBytes(4 * Math.ceil(key.length / 3) + 1).fill(padding);
  for (let bit = 0, at = 0; bit < 8 * key.length; bit += 6, at += 1) {
    const pair = ((key[bit >> 3] ?? 0) << 8) | (key[(bit >> 3) + 1] ?? 0);
    text[at] = base64Alphabet.charCodeAt((pair >> (10 - (bit & 7))) & 0x3f);
  }
  text[text.length - 1] = lineFeed;
  return text;
}

function decodeHex(text: Uint8Array, key: Uint8Array): boolean {
  for (let index = 0; index < masterKeyBytes; index += 1) {
    const high = digitOf(hexAlphabet, text[2 * index], true);
    const low = digitOf(hexAlphabet, text[2 * index + 1], true);
    if (high < 0 || low < 0) return false;
    key[index] = (high << 4) | low;
  }
  return true;
}

function decodeBase64(text: Uint8Array, key: Uint8Array): boolean {
  const padded = text.length === 44 && text[43] === padding;
  if (!padded && text.length !== 43) return false;
  let bits = 0;
  let held = 0;
  let next = 0;
  for (let index = 0; index < 43; index += 1) {
    const digit = digitOf(base64Alphabet, text[index], false);
    if (digit < 0) return false;
    held = (held << 6) | digit;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    key[next] = held >> bits;
    next += 1;
    held &= (1 << bits) - 1;
  }
  // 43 digits are 258 bits: the two left over are zero in the one right spelling of a key.
  return held === 0;
}

function digitOf(alphabet: string, code: number | undefined, anyCase: boolean): number {
  if (code === undefined || code > 0x7f) return -1;
  const character = String.fromCharCode(code);
  return alphabet.indexOf(anyCase ? character.toLowerCase() : character);
}
