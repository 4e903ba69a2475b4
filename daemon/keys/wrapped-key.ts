import sodium from 'sodium-native';

import { HushError } from '../../protocol/errors.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import { aadOf } from './aad.ts';
import { nonceLength, openOnce, sealOnce } from './aes-gcm.ts';
import type { KeyEntry } from './keyset.ts';
import { base64Of, checkedBase64 } from './text.ts';

/** What a wrapped key is bound to besides its vault. */
export type KeyPlace = Pick<KeyEntry, 'id' | 'use' | 'keyring' | 'tenant' | 'version'>;

const aadOfKey = (vaultId: string, place: KeyPlace): Uint8Array =>
  aadOf([
    'hushd',
    '1',
    'key',
    vaultId,
    place.id,
    place.use,
    place.keyring,
    place.tenant,
    String(place.version),
  ]);

/** The base64 of a 32-byte key sealed under the key-wrapping key (AES-256-GCM, random nonce) for its place. */
export function wrapKey(wrappingKey: Uint8Array, vaultId: string, place: KeyPlace, key: Uint8Array): string {
  const nonce = newBytes(nonceLength);
  sodium.randombytes_buf(nonce);
  return base64Of(sealOnce(wrappingKey, nonce, aadOfKey(vaultId, place), key));
}

/** Unwraps an entry's key into the 32 bytes of `out`. Throws INTEGRITY when it was not wrapped for that place. */
export function unwrapKey(wrappingKey: Uint8Array, vaultId: string, entry: KeyEntry, out: Uint8Array): void {
  if (!openOnce(wrappingKey, aadOfKey(vaultId, entry), checkedBase64(entry.wrapped), out)) {
    throw new HushError(
      'INTEGRITY',
      `a key of the key set was tampered with: ${entry.use} version ${entry.version}`,
    );
  }
}
