import { gcm } from '@noble/ciphers/aes.js';
import type { Gcm } from '../../../protocol/local-handle.ts';

/** AES-256-GCM by another library than the provider's. */
export function nobleGcm(given: Uint8Array): Gcm {
  const key = Uint8Array.from(given);
  return {
    seal(nonce, aad, plain, out) {
      out.set(gcm(key, nonce, aad).encrypt(plain));
    },
    open(nonce, aad, sealed, out) {
      try {
        out.set(gcm(key, nonce, aad).decrypt(Uint8Array.from(sealed)));
        return true;
      } catch {
        out.fill(0);
        return false;
      }
    },
    close: () => undefined,
  };
}
