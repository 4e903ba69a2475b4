import { HushError } from './errors.ts';

/** The size of a recovery key in bytes. */
export const recoveryKeyBytes = 32;

/** What the text of a recovery key begins with; the digit is the version of the form. */
const prefix = 'HR1';
const version = 1;

/** Crockford's base32: no I, L, O and U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const lookAlikes: Readonly<Record<string, string>> = { I: '1', L: '1', O: '0' };

const groupCount = 14;
const groupData = 4;
const groupLength = groupData + 1;
const symbolCount = prefix.length + groupCount * groupLength;
/** Key and checksum: 280 bits, which are 14 times four symbols of 5 bits. */
const wordBytes = recoveryKeyBytes + 3;

/** The length of the text of a recovery key in characters, all of them ASCII. */
export const recoveryTextLength = prefix.length + groupCount * (groupLength + 1);

const hint = 'compare it with the paper: upper and lower case, O and 0, I, L and 1 count as the same';
const slip = (message: string): HushError => new HushError('BAD_REQUEST', message, { hint });

/** CRC-24 of OpenPGP (RFC 9580 6.1), one byte further. */
function summed(sum: number, byte: number): number {
  let next = sum ^ (byte << 16);
  for (let bit = 0; bit < 8; bit += 1) next = next & 0x800000 ? (next << 1) ^ 0x1864cfb : next << 1;
  return next & 0xffffff;
}

/** The checksum of the version and the key: no error within 24 bits in a row passes it. */
function checksumOf(key: Uint8Array): number {
  let sum = summed(0xb704ce, version);
  for (const byte of key) sum = summed(sum, byte);
  return sum;
}

/** Multiplication by x in GF(32), modulo x^5 + x^2 + 1. */
const timesX = (element: number): number => ((element << 1) & 0x1f) ^ (element & 0x10 ? 0b00101 : 0);

/**
 * The check symbol of a group. Its five places have five different weights in GF(32), so that no wrong symbol and no
 * two swapped ones pass; the group's number is in it, so that no two swapped groups do.
 */
function checkOf(data: (place: number) => number, group: number): number {
  let sum = 0;
  for (let place = 0; place < groupData; place += 1) sum = timesX(sum ^ data(place));
  return sum ^ (group + 1);
}

/** The five bits of a word that are its symbol at `index`. */
function symbolAt(word: Uint8Array, index: number): number {
  const bit = index * 5;
  const pair = ((word[bit >> 3] ?? 0) << 8) | (word[(bit >> 3) + 1] ?? 0);
  return (pair >> (11 - (bit & 7))) & 0x1f;
}

function putSymbol(word: Uint8Array, index: number, symbol: number): void {
  const bit = index * 5;
  const pair = symbol << (11 - (bit & 7));
  const at = bit >> 3;
  word[at] = (word[at] ?? 0) | (pair >> 8);
  if (at + 1 < word.length) word[at + 1] = (word[at + 1] ?? 0) | (pair & 0xff);
}

/**
 * Writes the text of a recovery key into the 87 bytes of `text`, as ASCII: `HR1` and 14 groups of four symbols and a
 * check symbol, joined by hyphens. It works on bytes, because a string could not be wiped.
 */
export function writeRecoveryKey(key: Uint8Array, text: Uint8Array): void {
  if (key.length !== recoveryKeyBytes || text.length !== recoveryTextLength) {
    throw new RangeError('a recovery key is 32 bytes, and its text 87');
  }
  const word = new Uint8Array(new ArrayBuffer(wordBytes));
  try {
    word.set(key);
    const sum = checksumOf(key);
    word.set([sum >> 16, (sum >> 8) & 0xff, sum & 0xff], recoveryKeyBytes);
    let at = 0;
    const put = (character: string): void => {
      text[at] = character.charCodeAt(0);
      at += 1;
    };
    for (const character of prefix) put(character);
    for (let group = 0; group < groupCount; group += 1) {
      const data = (place: number): number => symbolAt(word, group * groupData + place);
      put('-');
      for (let place = 0; place < groupData; place += 1) put(alphabet.charAt(data(place)));
      put(alphabet.charAt(checkOf(data, group)));
    }
  } finally {
    word.fill(0);
  }
}

/** The value of a typed character; -1 where no recovery key has it. */
function valueOf(code: number): number {
  const upper = String.fromCharCode(code).toUpperCase();
  return alphabet.indexOf(lookAlikes[upper] ?? upper);
}

/** What was typed, without what separates groups: the symbols, and how long each run between separators is. */
interface Typed {
  readonly symbols: Int8Array;
  /** How many were typed, which may be more than `symbols` holds. */
  readonly length: number;
  readonly runs: readonly number[];
}

const isSeparator = (code: number): boolean => code <= 0x20 || code === 0x2d || code === 0x5f;

function readTyped(text: Uint8Array, symbols: Int8Array): Typed {
  const runs: number[] = [];
  let length = 0;
  let run = 0;
  for (const code of text) {
    if (!isSeparator(code)) {
      if (length < symbols.length) symbols[length] = valueOf(code);
      length += 1;
      run += 1;
    } else if (run > 0) {
      runs.push(run);
      run = 0;
    }
  }
  if (run > 0) runs.push(run);
  return { symbols, length, runs };
}

/** Where each group begins, and how long it is: by count where that is right, else by what was typed between them. */
function placesOf({ length, runs }: Typed): readonly { readonly start: number; readonly length: number }[] {
  if (length !== symbolCount && runs.length !== groupCount + 1) {
    throw slip(`a recovery key has ${symbolCount} characters without the hyphens, and ${length} were given`);
  }
  const lengths = length === symbolCount ? runsOfFive : runs;
  let start = lengths[0] ?? 0;
  return lengths.slice(1).map((run) => {
    start += run;
    return { start: start - run, length: run };
  });
}

const runsOfFive = [prefix.length, ...Array.from({ length: groupCount }, () => groupLength)];

/**
 * Reads the text of a recovery key into the 32 bytes of `key`. Case and separators do not matter, and what looks alike
 * is taken for the same. Throws BAD_REQUEST, with `key` wiped, for whatever `writeRecoveryKey` did not write, naming
 * the groups that are mistyped: every slip within one group, and every swap of two neighbours, is noticed.
 */
export function parseRecoveryKey(text: Uint8Array, key: Uint8Array): void {
  if (key.length !== recoveryKeyBytes) throw new RangeError('a recovery key is 32 bytes');
  const word = new Uint8Array(new ArrayBuffer(wordBytes));
  const symbols = new Int8Array(new ArrayBuffer(2 * symbolCount));
  key.fill(0);
  try {
    const typed = readTyped(text, symbols);
    if (typed.length === 0) throw slip('the recovery key is empty');
    for (let place = 0; place < prefix.length; place += 1) {
      if (symbols[place] !== alphabet.indexOf(prefix.charAt(place)))
        throw slip(`a recovery key begins with ${prefix}`);
    }
    const wrong = placesOf(typed).flatMap(({ start, length }, group) => {
      const given = symbols.subarray(start, start + length);
      const right =
        length === groupLength &&
        !given.includes(-1) &&
        given[groupData] === checkOf((place) => given[place] ?? 0, group);
      for (let place = 0; right && place < groupData; place += 1)
        putSymbol(word, group * groupData + place, given[place] ?? 0);
      return right ? [] : [group + 1];
    });
    if (wrong.length > 0) throw slip(mistyped(wrong));
    const sum = checksumOf(word.subarray(0, recoveryKeyBytes));
    const [first, second, third] = word.subarray(recoveryKeyBytes);
    if (first !== sum >> 16 || second !== ((sum >> 8) & 0xff) || third !== (sum & 0xff)) {
      throw slip('two or more characters of the recovery key are mistyped');
    }
    key.set(word.subarray(0, recoveryKeyBytes));
  } finally {
    word.fill(0);
    symbols.fill(0);
  }
}

/** The sentence that names mistyped groups by their numbers, the first being the one after the prefix. */
function mistyped(groups: readonly number[]): string {
  const last = groups.at(-1) ?? 0;
  const named =
    groups.length === 1 ? `group ${last}` : `groups ${groups.slice(0, -1).join(', ')} and ${last}`;
  return `${named} of the recovery key (of ${groupCount} after ${prefix}) ${groups.length === 1 ? 'is' : 'are'} mistyped`;
}
