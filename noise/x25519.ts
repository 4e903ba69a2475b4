import sodium from 'sodium-native';

import { newBytes } from './bytes.ts';

/** The length of an X25519 key, private or public, and of a shared secret, in bytes. */
export const keyBytes = 32;

/** 32 random bytes: a new private key (RFC 7748; any 32 bytes are one). The caller wipes it. */
export function newPrivateKey(): Uint8Array<ArrayBuffer> {
  const key = newBytes(keyBytes);
  sodium.randombytes_buf(key);
  return key;
}

/** The public key of a 32-byte private key. */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array<ArrayBuffer> {
  const publicKey = newBytes(keyBytes);
  sodium.crypto_scalarmult_base(publicKey, privateKey);
  return publicKey;
}

/**
 * The shared secret of a private and a public key into the 32 bytes of `out`. False where the public key is
 * of low order, so that the secret would be zeros whatever the private key (RFC 7748 6.1). Throws RangeError
 * for other lengths.
 */
export function agree(privateKey: Uint8Array, publicKey: Uint8Array, out: Uint8Array): boolean {
  if (
    privateKey.byteLength !== keyBytes ||
    publicKey.byteLength !== keyBytes ||
    out.byteLength !== keyBytes
  ) {
    throw new RangeError('X25519 keys and secrets are 32 bytes');
  }
  try {
    sodium.crypto_scalarmult(out, privateKey, publicKey);
    return true;
  } catch {
    // The lengths are right, so libsodium refused the point.
    out.fill(0);
    return false;
  }
}

/** Whether a shared secret can be agreed on with these bytes: 32 of them, and no point of low order. */
export function isUsablePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.byteLength !== keyBytes) return false;
  const privateKey = newPrivateKey();
  const secret = newBytes(keyBytes);
  try {
    return agree(privateKey, publicKey, secret);
  } finally {
    privateKey.fill(0);
    secret.fill(0);
  }
}
