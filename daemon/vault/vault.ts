import { HushError } from '../../protocol/errors.ts';
import { createSecretCache, type CacheOptions, type CacheStats } from '../cache/secret-cache.ts';
import { createNonceSource } from '../keys/nonce.ts';
import { createSealer } from '../keys/sealed.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import type { SecretsStore } from '../stores/store.ts';
import { createHandles, type Handles } from './handles.ts';
import { createIndexKeys, type IndexKeys } from './index-keys.ts';
import { createKeyLines, type KeyLinesParts, type RotatedKeys } from './key-lines.ts';
import { createLedger, openLedger, type Ledger } from './ledger.ts';
import { createRootCipher, type AuditHead } from './root.ts';
import { createSecrets, type Secrets } from './secrets.ts';

/** What a vault is opened with. Store and keyring belong to the same profile; the vault closes the store only. */
export interface VaultParts extends Pick<KeyLinesParts, 'keyring' | 'maxTenants' | 'appendKeys'> {
  readonly store: SecretsStore;
  readonly arena: SecureArena;
  readonly cache: CacheOptions;
  /** Gives the memory of values on their way to the caller, who wipes them; new memory each time by default. */
  readonly allocate?: (length: number) => Uint8Array;
  /** The time of day; the system's if left out. */
  readonly now?: () => Date;
  /** Asked, once all has proved to be of one commit and before anything is changed; what it throws ends the opening. */
  readonly beforeChange?: (found: VaultState) => Promise<void>;
}

/** What the last commit of a vault says. */
export interface VaultState {
  readonly commit: number;
  readonly auditHead: AuditHead | undefined;
}

/** What a vault tells of itself. */
export interface VaultStats {
  readonly secrets: number;
  readonly commit: number;
  /** The key that stored secrets are sealed under. */
  readonly activeKey: string;
  readonly cache: CacheStats & { readonly ttlSeconds: number };
}

/**
 * The secrets and keys of an unlocked profile. All of it is synchronous; what changes something is on the disk when
 * it returns, and `commit` is the number of that change. All throw INTEGRITY when what is stored was tampered with,
 * UNAVAILABLE when the disk refuses (nothing has changed then), and LOCKED after `close`.
 */
export interface Vault extends Secrets, Handles {
  readonly vaultId: string;
  /** The key of a keyring's digests, 32 bytes that the caller wipes. */
  digestKey(keyring: string): Uint8Array;
  /** A new DEK for each line of a keyring; new values are sealed under it from here on. Throws NOT_FOUND. */
  rotateKeys(keyring: string, by: string): RotatedKeys;
  stats(): VaultStats;
  /** Keeps the head of the audit chain for the next commit. */
  noteAuditHead(head: AuditHead): void;
  /** Commits the head that was noted, if the vault does not hold it yet. */
  persistAuditHead(): void;
  /** The head that the last commit holds; undefined if none was ever noted. */
  auditHead(): AuditHead | undefined;
  /** The number of the last commit. */
  commitCounter(): number;
  /** Wipes the cache, then closes the store, then wipes the vault's keys. A second call does nothing. */
  close(): void;
}

/** Makes the vault of a new profile in an empty store: the only place where one is born. Throws EXISTS. */
export function initialiseVault({
  store,
  keyring,
  arena,
}: Pick<VaultParts, 'store' | 'keyring' | 'arena'>): void {
  const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
  const cipher = createRootCipher(keys, keyring.vaultId);
  try {
    createLedger(store, keys, cipher, { keyset: { from: 0, lines: keyring.keyset().lines } });
  } finally {
    cipher.close();
    keys.close();
  }
}

/**
 * Opens a vault once all of its rows, counters and key set lines have proved to be those of its last commit. Throws
 * INTEGRITY, NEWER_FORMAT, DAMAGED or UNAVAILABLE; the store then stays the caller's to close.
 */
export async function openVault(parts: VaultParts): Promise<Vault> {
  const { store, keyring, arena } = parts;
  const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
  const cipher = createRootCipher(keys, keyring.vaultId);
  const closeKeys = (): void => {
    cipher.close();
    keys.close();
  };
  try {
    const ledger = await openLedger(store, keys, cipher);
    await parts.beforeChange?.({ commit: ledger.commitCounter(), auditHead: ledger.auditHead() });
    mendKeyset(ledger, store.keysetLines(), keyring.keyset().lines);
    return vaultOf(parts, ledger, keys, closeKeys);
  } catch (error) {
    closeKeys();
    throw error;
  }
}

/** Brings the vault's copy of the key set up to the one that both copies gave together. */
function mendKeyset(ledger: Ledger, kept: readonly string[], lines: readonly string[]): void {
  const from = lines.findIndex((line, at) => line !== kept[at]);
  if (from >= 0) ledger.commit({ keyset: { from, lines: lines.slice(from) } });
  else if (lines.length < kept.length) {
    throw new HushError('INTEGRITY', 'the key set was tampered with: it lacks keys that the vault knows');
  }
}

function vaultOf(parts: VaultParts, ledger: Ledger, keys: IndexKeys, closeKeys: () => void): Vault {
  const { keyring } = parts;
  const { vaultId } = keyring;
  const now = parts.now ?? (() => new Date());
  const sealer = createSealer(vaultId, createNonceSource(), parts.allocate);
  const cache = createSecretCache({
    ...parts.cache,
    ...(parts.allocate === undefined ? {} : { allocate: parts.allocate }),
  });
  const keyLines = createKeyLines({ ...parts, ledger, now });

  return {
    vaultId,
    ...createSecrets({ ledger, keys, keyring, keyLines, sealer, cache, now }),
    ...createHandles({ ledger, keyring, keyLines, sealer }),
    digestKey(name) {
      ledger.requireOpen();
      const key = newBytes(32);
      keyring.digestKey(name, key);
      return key;
    },
    rotateKeys: keyLines.rotate,
    stats: () => ({
      secrets: ledger.size(),
      commit: ledger.commitCounter(),
      activeKey: keyLines.activeKey(),
      cache: { ...cache.stats(), ttlSeconds: parts.cache.ttlSeconds },
    }),
    noteAuditHead: ledger.noteAuditHead,
    persistAuditHead: () => {
      if (ledger.hasNewAuditHead()) ledger.commit({});
    },
    auditHead: ledger.auditHead,
    commitCounter: ledger.commitCounter,
    close: () => {
      cache.flush();
      ledger.close();
      closeKeys();
    },
  };
}
