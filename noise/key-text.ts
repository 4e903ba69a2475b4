import { createHash } from 'node:crypto';

import { putHex } from '../protocol/bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { newBytes, utf8, wipe } from './bytes.ts';
import { keyBytes, publicKeyOf } from './x25519.ts';

/** Which file a text of keys is: the word that it begins with, and what to type to get a new one. */
export interface KeyTextKind {
  readonly magic: string;
  /** What a person calls it. */
  readonly noun: string;
  readonly hint: string;
}

/** The number of the form that this release reads and writes. */
const formatNumber = 1;

/** No text of keys is longer, in bytes. */
export const longestKeyText = 1024;

const lineFeed = 0x0a;
const space = 0x20;

/** The text that a key file is, line by line: words and what follows them, all but the checksum. */
export type KeyTextLine = readonly [word: string, rest: string | Uint8Array];

/** The value of a lower-case hex digit; -1 for any other byte. */
function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x61 + 10 : -1;
}

/**
 * Reads 64 lower-case hex digits into the 32 bytes of `key`; false, with `key` wiped, where `text` is
 * anything else.
 */
function readHex(text: Uint8Array, key: Uint8Array): boolean {
  let isHex = text.byteLength === 2 * keyBytes;
  for (let index = 0; isHex && index < keyBytes; index++) {
    const high = hexValue(text[2 * index]);
    const low = hexValue(text[2 * index + 1]);
    isHex = high >= 0 && low >= 0;
    key[index] = (high << 4) | low;
  }
  if (!isHex) key.fill(0);
  return isHex;
}

/** SHA-256 of bytes that may hold a key, as bytes. */
function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/**
 * The bytes of a key file: a line of the kind and the form's number, the lines given (a key as 64 hex
 * digits), and a line with the SHA-256 of all before it. The caller wipes them.
 */
export function writeKeyText(kind: KeyTextKind, lines: readonly KeyTextLine[]): Uint8Array<ArrayBuffer> {
  const whole = newBytes(longestKeyText);
  let length = 0;
  const put = (bytes: Uint8Array): void => {
    whole.set(bytes, length);
    length += bytes.byteLength;
  };
  const putLine = ([word, rest]: KeyTextLine): void => {
    put(utf8(`${word} `));
    if (typeof rest === 'string') {
      put(utf8(rest));
    } else {
      putHex(whole, length, rest);
      length += 2 * rest.byteLength;
    }
    put(utf8('\n'));
  };
  try {
    putLine([kind.magic, `${formatNumber}`]);
    lines.forEach(putLine);
    putLine(['checksum', sha256(whole.subarray(0, length))]);
    const text = newBytes(length);
    text.set(whole.subarray(0, length));
    return text;
  } finally {
    wipe(whole);
  }
}

/** A line of a key file as it stands there. */
interface FoundLine {
  readonly rest: Uint8Array;
  /** Where the line begins in the file. */
  readonly start: number;
}

/**
 * What a key file holds, still unchecked beyond its form. Every fault that it throws is DAMAGED and names the
 * line.
 */
export interface KeyText {
  /** What follows the word on the line of a text. */
  text(word: string): string;
  /** Reads the line of a key into the 32 bytes of `key`. */
  key(word: string, key: Uint8Array): void;
  /**
   * Checks the two halves of a key pair against each other, then the checksum, so that a slip is named as
   * closely as can be.
   */
  check(privateKey: Uint8Array, publicKey: Uint8Array): void;
}

const decoder = new TextDecoder();

/**
 * The lines of a key file, which must have these words, in this order, between the first line and the
 * checksum. Throws DAMAGED, naming the line, and NEWER_FORMAT for a form of a later release. No error holds
 * any part of a key. What it answers refers to `file`.
 */
export function readKeyText(kind: KeyTextKind, words: readonly string[], file: Uint8Array): KeyText {
  const damaged = (fault: string): HushError =>
    new HushError('DAMAGED', `this is no whole ${kind.noun}: ${fault}`, { hint: kind.hint });
  if (file.byteLength === 0) throw damaged('it is empty');
  if (file.byteLength > longestKeyText) throw damaged(`it has more than ${longestKeyText} bytes`);

  const starts = [0];
  for (const [at, byte] of file.entries()) {
    if (byte === 0x0d) throw damaged(`line ${starts.length} ends in CR LF, and must end in LF`);
    if (byte === lineFeed && at + 1 < file.byteLength) starts.push(at + 1);
  }
  const end = file.at(-1) === lineFeed ? file.byteLength : file.byteLength + 1;
  const lineAt = (index: number): Uint8Array =>
    file.subarray(starts[index] ?? file.byteLength, (starts[index + 1] ?? end) - 1);

  /** The word that a line begins with; only words, which are no secret, become strings. */
  const beginsWith = (line: Uint8Array, word: string): boolean =>
    line.byteLength > word.length &&
    line[word.length] === space &&
    Array.from(word).every((letter, at) => line[at] === letter.charCodeAt(0));

  const first = lineAt(0);
  if (!beginsWith(first, kind.magic)) throw damaged(`its first line is not ${kind.magic} ${formatNumber}`);
  const number = decoder.decode(first.subarray(kind.magic.length + 1));
  if (!/^[1-9]\d{0,8}$/.test(number)) throw damaged(`its first line is not ${kind.magic} ${formatNumber}`);
  if (Number(number) > formatNumber) {
    throw new HushError(
      'NEWER_FORMAT',
      `this ${kind.noun} has form ${number}, and this release reads ${formatNumber}`,
    );
  }

  const found = new Map<string, FoundLine>();
  for (const [index, word] of [...words, 'checksum'].entries()) {
    const line = lineAt(index + 1);
    if (!beginsWith(line, word)) throw damaged(`line ${index + 2} is not ${word} and what belongs to it`);
    found.set(word, { rest: line.subarray(word.length + 1), start: starts[index + 1] ?? 0 });
  }
  if (starts.length > words.length + 2) throw damaged(`something follows line ${words.length + 2}`);

  const lineOf = (word: string): FoundLine => {
    const line = found.get(word);
    if (line === undefined) throw new RangeError(`no line ${word} was asked for`);
    return line;
  };
  const readKey = (word: string, key: Uint8Array): void => {
    if (!readHex(lineOf(word).rest, key)) {
      throw damaged(`what follows ${word} is not ${2 * keyBytes} hex digits in lower case`);
    }
  };

  return {
    text: (word) => decoder.decode(lineOf(word).rest),
    key: readKey,
    check(privateKey, publicKey) {
      const derived = publicKeyOf(privateKey);
      if (!derived.every((byte, at) => byte === publicKey[at])) {
        throw damaged('a digit of private or of public is mistyped, for the two do not belong together');
      }
      const written = newBytes(keyBytes);
      readKey('checksum', written);
      const sum = sha256(file.subarray(0, lineOf('checksum').start));
      if (!sum.every((byte, at) => byte === written[at])) {
        const others = words.filter((word) => word !== 'private' && word !== 'public');
        throw damaged(`a character of ${[...others, 'checksum'].join(' or ')} is mistyped`);
      }
    },
  };
}
