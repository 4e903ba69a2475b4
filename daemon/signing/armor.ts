import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';

/*
 * The text around a private key. It is read and written byte by byte: a string of it, or what Buffer makes of base64, could
 * not be wiped.
 */

const begin = '-----BEGIN OPENSSH PRIVATE KEY-----';
const end = '-----END OPENSSH PRIVATE KEY-----';
const lineLength = 70;
const lineFeed = 0x0a;
const equalsSign = 0x3d;

/** How a text is no armored OpenSSH key. */
export type ArmorFault = 'no key' | 'another format' | 'damaged';

/**
 * The bytes between the marks of an OpenSSH private key, in the arena; the caller wipes them. Blanks around the text and
 * between lines are let pass, as ssh-keygen does.
 */
export function readArmor(text: Uint8Array, arena: SecureArena): SecureBytes | ArmorFault {
  const from = skipBlanks(text, 0);
  if (!holds(text, from, begin)) return holds(text, from, '-----BEGIN ') ? 'another format' : 'no key';
  const body = text.subarray(from + begin.length);
  const secret = arena.allocate(Math.ceil((body.length * 3) / 4));
  const length = decode(body, secret.bytes);
  if (length === undefined) {
    secret.wipe();
    return 'damaged';
  }
  return shortened(secret, length);
}

/** The armored text of a private key, as ssh-keygen writes it: in the arena, the caller's to wipe. */
export function writeArmor(key: Uint8Array, arena: SecureArena): SecureBytes {
  const digits = Math.ceil(key.length / 3) * 4;
  const lines = Math.ceil(digits / lineLength);
  const text = arena.allocate(begin.length + 1 + digits + lines + end.length + 1);
  const out = text.bytes;
  let at = 0;
  let column = 0;
  const put = (byte: number): void => {
    out[at++] = byte;
  };
  const putText = (line: string): void => {
    for (let index = 0; index < line.length; index += 1) put(line.charCodeAt(index));
    put(lineFeed);
  };
  const putDigit = (digit: number): void => {
    put(digit);
    column += 1;
    if (column < lineLength) return;
    put(lineFeed);
    column = 0;
  };
  putText(begin);
  for (let index = 0; index < key.length; index += 3) {
    const held = key.length - index;
    const [a = 0, b = 0, c = 0] = key.subarray(index, index + 3);
    putDigit(digitOf(a >> 2));
    putDigit(digitOf(((a & 3) << 4) | (b >> 4)));
    putDigit(held > 1 ? digitOf(((b & 15) << 2) | (c >> 6)) : equalsSign);
    putDigit(held > 2 ? digitOf(c & 63) : equalsSign);
  }
  if (column > 0) put(lineFeed);
  putText(end);
  return shortened(text, at);
}

/** Decodes base64 up to the mark at the end, behind which only blanks may follow; undefined if it is not that. */
function decode(text: Uint8Array, out: Uint8Array): number | undefined {
  let held = 0;
  let bits = 0;
  let padding = 0;
  let written = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] ?? 0;
    if (isBlank(byte)) continue;
    if (byte === 0x2d) return endsWell(text, at) && fits(bits, padding) ? written : undefined;
    if (byte === equalsSign) {
      padding += 1;
      continue;
    }
    const value = valueOf(byte);
    if (value < 0 || padding > 0) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[written++] = (held >> bits) & 0xff;
  }
  return undefined;
}

/** Whether as many bits are left as so much padding stands for. */
const fits = (bits: number, padding: number): boolean => bits === padding * 2 && padding <= 2;

const endsWell = (text: Uint8Array, at: number): boolean =>
  holds(text, at, end) && skipBlanks(text, at + end.length) === text.length;

function holds(text: Uint8Array, at: number, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    if (text[at + index] !== word.charCodeAt(index)) return false;
  }
  return true;
}

function skipBlanks(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text[at] ?? 0)) at += 1;
  return at;
}

const isBlank = (byte: number): boolean => byte === lineFeed || byte === 0x0d || byte === 0x20 || byte === 9;

/** The value of a base64 digit, -1 for what is none: by arithmetic, since a table would be read where the secret says. */
function valueOf(byte: number): number {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41;
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x61 + 26;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30 + 52;
  if (byte === 0x2b) return 62;
  return byte === 0x2f ? 63 : -1;
}

function digitOf(value: number): number {
  if (value < 26) return value + 0x41;
  if (value < 52) return value - 26 + 0x61;
  if (value < 62) return value - 52 + 0x30;
  return value === 62 ? 0x2b : 0x2f;
}

/** The first bytes of what stays one allocation. */
function shortened(secret: SecureBytes, length: number): SecureBytes {
  return {
    get bytes() {
      return secret.bytes.subarray(0, length);
    },
    wipe: () => {
      secret.wipe();
    },
  };
}
