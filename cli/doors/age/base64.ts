import { newBytes } from '../../../protocol/bytes.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const values: readonly number[] = Array.from({ length: 256 }, (_, byte) =>
  alphabet.indexOf(String.fromCharCode(byte)),
);

/** Base64 without padding (RFC 4648, 4 and 3.2) as ASCII bytes, without a string on the way; the caller wipes them. */
export function encodeBase64(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = newBytes(Math.ceil((bytes.length * 4) / 3));
  for (let at = 0; at < text.length; at += 1) {
    const bit = at * 6;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    text[at] = alphabet.charCodeAt((pair >> (10 - (bit & 7))) & 63);
  }
  return text;
}

/** The bytes of base64 without padding; undefined for anything else, and where unused bits are not zero. */
export function decodeBase64(text: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = newBytes(Math.floor((text.length * 3) / 4));
  let held = 0;
  let bits = 0;
  let length = 0;
  for (const letter of text) {
    const value = values[letter] ?? -1;
    if (value < 0) {
      bytes.fill(0);
      return undefined;
    }
    held = ((held << 6) | value) & 0x3fff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = (held >> bits) & 0xff;
  }
  if ((held & ((1 << bits) - 1)) === 0) return bytes;
  bytes.fill(0);
  return undefined;
}
