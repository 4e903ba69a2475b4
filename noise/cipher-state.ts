import sodium from 'sodium-native';

import { HushError } from '../protocol/errors.ts';
import { copyOf, newBytes, wipe } from './bytes.ts';

/**
 * ChaCha20-Poly1305 of RFC 8439 in libsodium. Both throw where lengths do not fit, the second where the tag
 * is wrong.
 */
interface ChaChaPoly {
  crypto_aead_chacha20poly1305_ietf_encrypt(
    sealed: Uint8Array,
    plain: Uint8Array,
    ad: Uint8Array | null,
    unused: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plain: Uint8Array,
    unused: null,
    sealed: Uint8Array,
    ad: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

// sodium-native has both functions; the types that we keep of it name only what is used elsewhere.
const chachaPoly = sodium as typeof sodium & ChaChaPoly;

/** The length of an authentication tag in bytes. */
export const tagBytes = 16;

/**
 * How many messages one key chain takes. The specification allows 2^64 - 1, which numbers here cannot count;
 * at a million messages a second this many last for nine years.
 */
export const mostMessages = 2 ** 48;

/**
 * ChaChaPoly under one key, with a nonce that counts messages: CipherState of the Noise specification, 5.1.
 */
export interface CipherState {
  /**
   * Writes ciphertext and tag into `out`, which is 16 bytes longer than `plain`. Throws UNAVAILABLE once 2^48
   * messages were sealed, and after `wipe`.
   */
  seal(ad: Uint8Array, plain: Uint8Array, out: Uint8Array): void;
  /**
   * Writes the plaintext of `sealed` into `out`, which is 16 bytes shorter. False, with `out` all zeros,
   * where `sealed` is not what the other end sealed as its next message; the count then stays. Throws as
   * `seal` does.
   */
  open(ad: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean;
  /** REKEY: the next key comes of this one, and this one is gone. The count goes on. */
  rekey(): void;
  /** How many messages were sealed or opened. */
  count(): number;
  /** Forgets the key. */
  wipe(): void;
}

const keyBytes = 32;
const nonceBytes = 12;
const zeros = newBytes(keyBytes);

/** A cipher state under a copy of `key`, which has sealed or opened `startAt` messages already. */
export function createCipherState(key: Uint8Array, startAt = 0): CipherState {
  const ownKey = copyOf(key);
  const nonce = newBytes(nonceBytes);
  const nonceWords = new DataView(nonce.buffer);
  let count = startAt;
  let isOver = false;

  /** Four zero bytes, then the count as 64 bits, little-endian. */
  const setNonce = (): void => {
    if (isOver)
      throw new HushError('UNAVAILABLE', 'the sealed connection has ended', { hint: 'connect again' });
    if (count >= mostMessages) {
      throw new HushError('UNAVAILABLE', 'the connection has carried as many messages as its keys allow', {
        hint: 'connect again',
      });
    }
    nonceWords.setUint32(4, count >>> 0, true);
    nonceWords.setUint32(8, Math.floor(count / 2 ** 32), true);
  };

  return {
    seal(ad, plain, out) {
      setNonce();
      chachaPoly.crypto_aead_chacha20poly1305_ietf_encrypt(out, plain, ad, null, nonce, ownKey);
      count += 1;
    },
    open(ad, sealed, out) {
      setNonce();
      if (sealed.byteLength !== out.byteLength + tagBytes)
        throw new RangeError('the buffers do not fit each other');
      try {
        chachaPoly.crypto_aead_chacha20poly1305_ietf_decrypt(out, null, sealed, ad, nonce, ownKey);
      } catch {
        // The lengths are right, so the tag is wrong.
        out.fill(0);
        return false;
      }
      count += 1;
      return true;
    },
    rekey() {
      const sealed = newBytes(keyBytes + tagBytes);
      try {
        nonce.fill(0xff, 4);
        chachaPoly.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, zeros, null, null, nonce, ownKey);
        ownKey.set(sealed.subarray(0, keyBytes));
      } finally {
        wipe(sealed);
      }
    },
    count: () => count,
    wipe() {
      isOver = true;
      wipe(ownKey);
    },
  };
}
