import { createHmac } from 'node:crypto';

import { HushError } from '../../protocol/errors.ts';
import { concatBytes, newBytes, wipe } from '../memory/plain-bytes.ts';
import { openssl } from './openssl.ts';

/** HMAC-SHA-256 (RFC 2104) of `input` under `key`, written into the 32 bytes of `out`. */
export function hmacSha256(key: Uint8Array, input: Uint8Array, out: Uint8Array): void {
  if (out.length !== 32) throw new RangeError('HMAC-SHA-256 is 32 bytes');
  if (openssl === undefined) {
    const digest = createHmac('sha256', key).update(input).digest();
    out.set(digest);
    digest.fill(0);
  } else if (openssl.hmac(openssl.sha256, key, key.length, input, input.length, out, null) === null) {
    throw new HushError('UNAVAILABLE', 'OpenSSL could not compute a MAC');
  }
}

/**
 * The MAC of a backup's manifest under the MAC key of headers and key sets. `signed` begins with `hushd-backup`: what
 * else is under that key begins with `hushd-header` or `keyset`.
 */
export function backupMacOf(macKey: Uint8Array, signed: Uint8Array): Uint8Array {
  const mac = newBytes(32);
  hmacSha256(macKey, signed, mac);
  return mac;
}

/** HKDF-SHA-256's first half (RFC 5869 2.2): the 32-byte pseudorandom key of `secret`, into `out`. */
export function hkdfExtract(salt: Uint8Array, secret: Uint8Array, out: Uint8Array): void {
  hmacSha256(salt, secret, out);
}

const counterOne = Uint8Array.of(1);

/** HKDF-SHA-256's second half (RFC 5869 2.3) for at most 32 bytes: one block, of which `out` gets its length. */
export function hkdfExpand(pseudorandomKey: Uint8Array, info: Uint8Array, out: Uint8Array): void {
  if (out.length > 32) throw new RangeError('only one block of HKDF-SHA-256 is expanded');
  const block = newBytes(32);
  try {
    hmacSha256(pseudorandomKey, concatBytes(info, counterOne), block);
    out.set(block.subarray(0, out.length));
  } finally {
    wipe(block);
  }
}

/** HKDF-SHA-256 (RFC 5869) of `secret`; at most 32 bytes, into `out`. */
export function hkdfSha256(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, out: Uint8Array): void {
  const pseudorandomKey = newBytes(32);
  try {
    hkdfExtract(salt, secret, pseudorandomKey);
    hkdfExpand(pseudorandomKey, info, out);
  } finally {
    wipe(pseudorandomKey);
  }
}
