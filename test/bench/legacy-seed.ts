import { createCipheriv, randomBytes } from 'node:crypto';
import { secretPath } from './daemons.ts';
import type { Load } from './load.ts';

const rowsPerRequest = 1_000;

/**
 * Stores `count` secrets of `bytes` bytes by an import, which takes a commit a thousand and not one each; a rotation
 * makes them into what a `set` leaves.
 */
export async function seedByImport(load: Load, count: number, bytes: number): Promise<void> {
  const key = randomBytes(32);
  for (let first = 0; first < count; first += rowsPerRequest) {
    const rows = Array.from({ length: Math.min(rowsPerRequest, count - first) }, (_, index) => {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const ciphertext = Buffer.concat([
        cipher.update(Buffer.alloc(bytes, 120)),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return { path: secretPath(first + index), nonce, ciphertext };
    });
    await load.call('secret.importLegacy', { profile: 'default', key, rows });
  }
}
