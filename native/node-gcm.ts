import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import type { HushError } from '../protocol/errors.ts';
import type { Gcm } from '../protocol/local-handle.ts';

export const nonceLength = 12;
export const tagLength = 16;

/** Throws RangeError unless the buffers fit each other. */
export function checkLengths(nonce: Uint8Array, plain: Uint8Array, sealed: Uint8Array): void {
  if (nonce.length !== nonceLength || sealed.length !== plain.length + tagLength) {
    throw new RangeError('AES-GCM buffers do not fit each other');
  }
}

const options = { authTagLength: tagLength };

/**
 * AES-256-GCM by node:crypto, which keeps the key off the JavaScript heap; `key` is 32 bytes and stays the caller's to
 * wipe. It opens a megabyte in 1 ms. After `close` it throws what `closed` gives. node:crypto frees an unwiped copy of
 * each plaintext, which is overwritten by taking the freed place again: that catches it up to 1 KiB (found by
 * scanning); of larger values copies may stay until the place is reused.
 */
export function createNodeGcm(key: Uint8Array, closed: () => HushError): Gcm {
  let secret: KeyObject | undefined = createSecretKey(key);
  const opened = (): KeyObject => {
    if (secret === undefined) throw closed();
    return secret;
  };

  return {
    seal(nonce, aad, plain, out) {
      const held = opened();
      checkLengths(nonce, plain, out);
      const cipher = createCipheriv('aes-256-gcm', held, nonce, options);
      cipher.setAAD(aad);
      out.set(cipher.update(plain));
      cipher.final();
      out.set(cipher.getAuthTag(), plain.length);
    },
    open(nonce, aad, sealed, out) {
      const held = opened();
      checkLengths(nonce, out, sealed);
      const decipher = createDecipheriv('aes-256-gcm', held, nonce, options);
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.subarray(out.length));
      const plain = decipher.update(sealed.subarray(0, out.length));
      Buffer.allocUnsafeSlow(out.length + 1).fill(0);
      try {
        decipher.final();
        out.set(plain);
        return true;
      } catch {
        out.fill(0);
        return false;
      } finally {
        plain.fill(0);
      }
    },
    close() {
      secret = undefined;
    },
  };
}
