import { createCipheriv, randomBytes } from 'node:crypto';

import type { LegacyImport, LegacyRow } from '../../daemon/vault/legacy-import.ts';
import { parseSecretPath } from '../../protocol/names.ts';

/** A value as a system from before data keys kept it: AES-256-GCM straight under its master key, without AAD. */
export function legacyRow(key: Uint8Array, path: string, value: string | Uint8Array): LegacyRow {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = Buffer.concat([
    cipher.update(typeof value === 'string' ? Buffer.from(value) : value),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return { path: parseSecretPath(path), nonce, sealed };
}

/** The import of rows with the usual bounds. */
export const importOf = (
  key: Uint8Array,
  rows: readonly LegacyRow[],
  options: Partial<Pick<LegacyImport, 'overwrite' | 'checkOnly'>> = {},
): LegacyImport => ({ key, rows, overwrite: false, checkOnly: false, mostBytes: 65_536, ...options });
