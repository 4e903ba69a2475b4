import { hash } from 'node:crypto';

import { concatBytes, newBytes, wipe } from './bytes.ts';

/** The length of a hash in bytes: HASHLEN of the Noise specification for BLAKE2s. */
export const hashBytes = 32;

/** BLOCKLEN of BLAKE2s. */
const blockBytes = 64;
const innerPad = 0x36;
const outerPad = 0x5c;

/**
 * BLAKE2s-256 (RFC 7693, without key) of all the parts into the 32 bytes of `out`; leaves no copy of either.
 */
export function blake2s(out: Uint8Array, ...parts: readonly Uint8Array[]): void {
  const whole = concatBytes(...parts);
  const digest = hash('blake2s256', whole, 'buffer');
  out.set(digest);
  wipe(whole, digest);
}

/** HMAC-BLAKE2s (RFC 2104) under a key of at most 64 bytes, into the 32 bytes of `out`. */
export function hmac(key: Uint8Array, out: Uint8Array, ...parts: readonly Uint8Array[]): void {
  const padded = newBytes(blockBytes);
  const inner = newBytes(hashBytes);
  const padWith = (pad: number): Uint8Array => {
    padded.fill(pad);
    for (const [at, byte] of key.entries()) padded[at] = byte ^ pad;
    return padded;
  };
  try {
    blake2s(inner, padWith(innerPad), ...parts);
    blake2s(out, padWith(outerPad), inner);
  } finally {
    wipe(padded, inner);
  }
}

const one = Uint8Array.of(1);
const two = Uint8Array.of(2);

/**
 * HKDF(chaining_key, input_key_material, 2) of the Noise specification, 4.3; `second` is left out where one
 * is enough.
 */
export function hkdf(
  chainingKey: Uint8Array,
  input: Uint8Array,
  first: Uint8Array,
  second?: Uint8Array,
): void {
  const temporary = newBytes(hashBytes);
  const output = newBytes(hashBytes);
  try {
    hmac(chainingKey, temporary, input);
    hmac(temporary, output, one);
    if (second !== undefined) hmac(temporary, second, output, two);
    first.set(output);
  } finally {
    wipe(temporary, output);
  }
}
