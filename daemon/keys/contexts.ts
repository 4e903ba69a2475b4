/** The BLAKE3 `derive_key` contexts of the keys that come from the vault key. */
export const vaultKeyContexts = {
  /** The 32-byte raw key of the SQLCipher file. */
  vaultFile: 'hushd v1 vault file key, SQLCipher raw',
  /** The AES-256-GCM key that wraps the keys of the key set. */
  keyWrapping: 'hushd v1 key-wrapping key, AES-256-GCM',
  /** The HMAC-SHA-256 key of the header and of the key set's chain. */
  headerMac: 'hushd v1 header MAC key, HMAC-SHA-256',
} as const;

/** The HKDF-SHA-256 `info` of the master keys that come from 32 random bytes. */
export const slotKeyInfo = {
  key: 'hushd v1 slot key',
  recovery: 'hushd v1 slot recovery key',
} as const;

/** The HKDF-SHA-256 `info` of a keyring's digest key, which comes from the digest root. */
export const digestKeyInfo = (keyring: string): string => `hushd v1 digest key ${keyring}`;

/** The HPKE `info` of the vault key as it is sealed to an opener. */
export const vaultKeyInfo = (vaultId: string, openerId: string): string =>
  `hushd header v1 vault-key ${vaultId} ${openerId}`;

/** The HPKE `info` of the share of a group's secret that is sealed to one of its slots. */
export const shareInfo = (vaultId: string, openerId: string, slotId: string): string =>
  `hushd header v1 share ${vaultId} ${openerId} ${slotId}`;

/** What precedes the bytes under each MAC of the key set; nothing else under that key starts so. */
export const keysetMacPrefix = 'keyset';
