import type { Keyring } from '../keys/keyring.ts';

/** The id by which seals name an audit key. */
export const auditKeyId = (version: number): string => `v${version}`;

/** The secret of the audit key of that id; undefined for what is none. Throws INTEGRITY, KEY_DESTROYED. */
export function auditSecretOf(keyring: Keyring, id: string): Uint8Array | undefined {
  const version = /^v([1-9][0-9]{0,8})$/.exec(id)?.[1];
  return version === undefined ? undefined : keyring.auditKeyOf(Number(version)).bytes;
}
