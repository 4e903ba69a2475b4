import { checkLengths, createNodeGcm, nonceLength, tagLength } from '../../native/node-gcm.ts';
import { HushError } from '../../protocol/errors.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import { openssl, type OpenSsl } from './openssl.ts';

export { nonceLength, tagLength };

/** AES-256-GCM under one key (NIST SP 800-38D), with a 12-byte nonce and a 16-byte tag. */
export interface AesGcm {
  /**
   * Writes ciphertext and tag into `out`, which is 16 bytes longer than `plain`. A nonce must never come twice.
   * Throws LOCKED after `close`.
   */
  seal(nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array, out: Uint8Array): void;
  /**
   * Writes the plaintext of `sealed` (ciphertext and tag) into `out`, which is 16 bytes shorter. False when the tag
   * does not fit; `out` is then all zeros. Throws LOCKED after `close`.
   */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean;
  /** Drops the key; OpenSSL overwrites its copies. Further calls do nothing. */
  close(): void;
}

const commandGetTag = 0x10;
const commandSetTag = 0x11;

const closed = (): HushError => new HushError('LOCKED', 'the key is closed: the profile was locked');
const failed = (what: string): HushError => new HushError('UNAVAILABLE', `OpenSSL could not ${what}`);

/**
 * AES-256-GCM by the OpenSSL inside Node, called on the caller's memory: nothing is copied, and the key lives only in
 * a context that OpenSSL overwrites on `close`. `key` is 32 bytes and stays the caller's to wipe.
 */
export function createOpensslAesGcm(key: Uint8Array, library: OpenSsl): AesGcm {
  if (key.length !== 32) throw new RangeError('an AES-256 key is 32 bytes');
  let context = library.newContext();
  if (context === null) throw failed('make a cipher context');
  const written = new Int32Array(new ArrayBuffer(8));
  if (library.init(context, library.aes256Gcm, null, key, null, 1) !== 1) {
    library.freeContext(context);
    throw failed('take an AES key');
  }

  return {
    seal(nonce, aad, plain, out) {
      if (context === null) throw closed();
      checkLengths(nonce, plain, out);
      const tag = out.subarray(plain.length);
      const sealed =
        library.init(context, null, null, null, nonce, 1) === 1 &&
        (aad.length === 0 || library.update(context, null, written, aad, aad.length) === 1) &&
        (plain.length === 0 || library.update(context, out, written, plain, plain.length) === 1) &&
        library.final(context, tag, written) === 1 &&
        library.control(context, commandGetTag, tagLength, tag) === 1;
      if (!sealed) throw failed('encrypt');
    },
    open(nonce, aad, sealed, out) {
      if (context === null) throw closed();
      checkLengths(nonce, out, sealed);
      const tag = sealed.subarray(out.length);
      const genuine =
        library.init(context, null, null, null, nonce, 0) === 1 &&
        (aad.length === 0 || library.update(context, null, written, aad, aad.length) === 1) &&
        (out.length === 0 || library.update(context, out, written, sealed, out.length) === 1) &&
        library.control(context, commandSetTag, tagLength, tag) === 1 &&
        library.final(context, out, written) === 1;
      if (!genuine) out.fill(0);
      return genuine;
    },
    close() {
      if (context === null) return;
      library.freeContext(context);
      context = null;
    },
  };
}

/** The same by node:crypto (see `createNodeGcm` for what it leaves in memory). */
export const createNodeAesGcm = (key: Uint8Array): AesGcm => createNodeGcm(key, closed);

/** AES-256-GCM under a 32-byte key, which stays the caller's to wipe. */
export function createAesGcm(key: Uint8Array): AesGcm {
  return openssl === undefined ? createNodeAesGcm(key) : createOpensslAesGcm(key, openssl);
}

/** `nonce || ciphertext || tag` of one message under a key that seals few of them. The nonce is random. */
export function sealOnce(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createAesGcm(key);
  try {
    const sealed = newBytes(nonceLength + plain.length + tagLength);
    sealed.set(nonce);
    cipher.seal(nonce, aad, plain, sealed.subarray(nonceLength));
    return sealed;
  } finally {
    cipher.close();
  }
}

/** Opens what `sealOnce` made into `out`; false when it is not genuine or not of the length that fits `out`. */
export function openOnce(key: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean {
  if (sealed.length !== nonceLength + out.length + tagLength) return false;
  const cipher = createAesGcm(key);
  try {
    return cipher.open(sealed.subarray(0, nonceLength), aad, sealed.subarray(nonceLength), out);
  } finally {
    cipher.close();
  }
}
