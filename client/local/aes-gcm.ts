import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HushError } from '../../protocol/errors.ts';
import type { Gcm } from '../../protocol/local-handle.ts';

const options = { authTagLength: 16 };

/**
 * AES-256-GCM by node:crypto, which keeps the key off the JavaScript heap. It opens a megabyte in 1 ms, where JavaScript
 * would hold up the event loop for 100. Throws UNAVAILABLE after `close`.
 */
export function createGcm(key: Uint8Array): Gcm {
  let secret: KeyObject | undefined = createSecretKey(key);
  const opened = (): KeyObject => {
    if (secret !== undefined) return secret;
    throw new HushError('UNAVAILABLE', 'the provider was closed', { hint: 'make a new one' });
  };
  return {
    seal(nonce, aad, plain, out) {
      const cipher = createCipheriv('aes-256-gcm', opened(), nonce, options);
      cipher.setAAD(aad);
      out.set(cipher.update(plain));
      cipher.final();
      out.set(cipher.getAuthTag(), plain.length);
    },
    open(nonce, aad, sealed, out) {
      const decipher = createDecipheriv('aes-256-gcm', opened(), nonce, options);
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.subarray(out.length));
      const plain = decipher.update(sealed.subarray(0, out.length));
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
