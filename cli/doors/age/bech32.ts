import { newBytes } from '../../../protocol/bytes.ts';

const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3] as const;
const checksumLength = 6;
const separator = 0x31;

/**
 * The Bech32 text (BIP-173) of some bytes as lower-case ASCII, without that document's limit of 90 characters, as age has
 * it (age-encryption.org/v1). `prefix` is in lower case. The caller wipes it where the bytes are secret.
 */
export function encodeBech32(prefix: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const digits = toDigits(data);
  const text = newBytes(prefix.length + 1 + digits.length + checksumLength);
  try {
    for (let at = 0; at < prefix.length; at += 1) text[at] = prefix.charCodeAt(at);
    text[prefix.length] = separator;
    const start = prefix.length + 1;
    digits.forEach((digit, at) => (text[start + at] = alphabet.charCodeAt(digit)));
    const sum = polymod(prefix, digits, checksumLength) ^ 1;
    for (let at = 0; at < checksumLength; at += 1)
      text[start + digits.length + at] = alphabet.charCodeAt((sum >> (5 * (checksumLength - 1 - at))) & 31);
    return text;
  } finally {
    digits.fill(0);
  }
}

/**
 * The bytes behind a Bech32 text of any length that begins with `prefix`, which is in lower case: all of the text is in
 * lower or all in upper case. The caller wipes them. Undefined for any other text, which may be a secret of any kind and so
 * is looked at where it lies.
 */
export function decodeBech32(prefix: string, text: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (text.some(isLowerCase) && text.some(isUpperCase)) return undefined;
  const at = text.lastIndexOf(separator);
  if (at !== prefix.length || text.length - at - 1 < checksumLength) return undefined;
  if (text.subarray(0, at).some((byte, index) => lowered(byte) !== prefix.charCodeAt(index)))
    return undefined;
  const digits = newBytes(text.length - at - 1);
  try {
    for (let index = 0; index < digits.length; index += 1) {
      const digit = alphabet.indexOf(String.fromCharCode(lowered(text[at + 1 + index] ?? 0)));
      if (digit < 0) return undefined;
      digits[index] = digit;
    }
    return polymod(prefix, digits, 0) === 1 ? fromDigits(digits.subarray(0, -checksumLength)) : undefined;
  } finally {
    digits.fill(0);
  }
}

/** Turns lower-case ASCII letters into upper-case ones, in place. */
export function upperCase(text: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  text.forEach((byte, at) => (text[at] = isLowerCase(byte) ? byte - 32 : byte));
  return text;
}

const isLowerCase = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a;
const isUpperCase = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a;
const lowered = (byte: number): number => (isUpperCase(byte) ? byte + 32 : byte);

/** The checksum's polynomial over the prefix, the digits and so many zeros. */
function polymod(prefix: string, digits: Uint8Array, zeros: number): number {
  let sum = 1;
  const add = (value: number): void => {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    generator.forEach((term, bit) => {
      if (((top >> bit) & 1) === 1) sum ^= term;
    });
  };
  for (const letter of prefix) add(letter.charCodeAt(0) >> 5);
  add(0);
  for (const letter of prefix) add(letter.charCodeAt(0) & 31);
  digits.forEach(add);
  for (let count = 0; count < zeros; count += 1) add(0);
  return sum;
}

/** Bytes as digits of five bits, the last one filled up with zeros. */
function toDigits(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const digits = newBytes(Math.ceil((bytes.length * 8) / 5));
  for (let at = 0; at < digits.length; at += 1) {
    const bit = at * 5;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    digits[at] = (pair >> (11 - (bit & 7))) & 31;
  }
  return digits;
}

/** The bytes of digits of five bits; undefined where what fills up the last one is not zeros, or a whole digit. */
function fromDigits(digits: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const bytes = newBytes(Math.floor((digits.length * 5) / 8));
  let held = 0;
  let bits = 0;
  let length = 0;
  for (const digit of digits) {
    held = ((held << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = (held >> bits) & 0xff;
  }
  if (bits < 5 && (held & ((1 << bits) - 1)) === 0) return bytes;
  bytes.fill(0);
  return undefined;
}
