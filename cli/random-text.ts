import { randomFillSync } from 'node:crypto';
import { newBytes } from '../protocol/bytes.ts';

/** The characters of a generated value when no number is given: 190 bits of letters and digits. */
export const defaultLength = 32;

/** The longest value that is generated. */
export const maxLength = 4096;

/**
 * The index below `size` (1-256) that a random byte stands for, or undefined for the bytes at the top of the range
 * that would make some indexes likelier than others.
 */
export function indexFor(byte: number, size: number): number | undefined {
  return byte < 256 - (256 % size) ? byte % size : undefined;
}

/**
 * `length` characters of the alphabet, each as likely as any other, as ASCII bytes that are the caller's to wipe. The
 * alphabet is 1 to 256 different ASCII characters.
 */
export function randomText(length: number, alphabet: string): Uint8Array<ArrayBuffer> {
  const text = newBytes(length);
  const pool = newBytes(1024);
  try {
    let filled = 0;
    while (filled < length) {
      randomFillSync(pool);
      for (const byte of pool) {
        const index = indexFor(byte, alphabet.length);
        if (index === undefined || filled === length) continue;
        text[filled++] = alphabet.charCodeAt(index);
      }
    }
    return text;
  } finally {
    pool.fill(0);
  }
}
