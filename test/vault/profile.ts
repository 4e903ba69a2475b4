import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { CacheOptions } from '../../daemon/cache/secret-cache.ts';
import { createProfileKeys, type ProfileKeys } from '../../daemon/keys/create.ts';
import { parseHeader } from '../../daemon/keys/header.ts';
import { openKeyring } from '../../daemon/keys/keyring.ts';
import { appendToKeysetFile, readKeysetFile, writeKeysetFile } from '../../daemon/keys/keyset-file.ts';
import { reconcile } from '../../daemon/keys/reconcile.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { argon2Default, createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { createSecureArena, type SecureArena } from '../../daemon/memory/secure-bytes.ts';
import { createMemoryStore } from '../stores/memory-store.ts';
import { createSqlcipherStore, openSqlcipherStore, type VaultFile } from '../../daemon/stores/sqlcipher.ts';
import type { SecretsStore } from '../../daemon/stores/store.ts';
import { initialiseVault, openVault, type Vault, type VaultParts } from '../../daemon/vault/vault.ts';
import { temporaryFolder } from '../stores/files.ts';

/** Which store a test's vault stands on. */
export type StoreKind = 'SQLCipher' | 'memory';

/** What a test may open its vault with besides the usual. */
export type OpenOptions = Partial<
  Pick<VaultParts, 'maxTenants' | 'keptVersions' | 'now' | 'appendKeys' | 'replaceKeys' | 'onResealing'>
> & {
  readonly cache?: CacheOptions;
  /** Stands between the vault and its store. */
  readonly wrapStore?: (store: SecretsStore) => SecretsStore;
};

/** A profile with its keys and files, made as `init` makes one and opened as `unlock` opens it. */
export interface TestProfile {
  readonly vaultId: string;
  readonly file: VaultFile;
  readonly keysetPath: string;
  /** Opens the profile; the vault that was open before is closed first. */
  open(options?: OpenOptions): Promise<Vault>;
  close(): void;
}

const queue = createArgon2Queue();
const createdAt = '2025-01-02T03:04:05.678Z';
const secret = new Uint8Array(32).fill(7);

export const noCache: CacheOptions = { ttlSeconds: 0, entries: 0, bytes: 0 };
export const roomyCache: CacheOptions = { ttlSeconds: 300, entries: 1_000, bytes: 1_000_000 };

async function makeKeys(arena: SecureArena): Promise<ProfileKeys> {
  return createProfileKeys({
    credentials: [{ kind: 'key', secret, label: 'key' }],
    argon2Cost: argon2Default,
    argon2Queue: queue,
    arena,
    by: 'test',
    createdAt,
  });
}

/** A new profile in a folder of its own, closed. */
export async function newProfile(t: TestContext, kind: StoreKind, folder?: string): Promise<TestProfile> {
  const home = folder ?? temporaryFolder(t);
  const arena = createSecureArena({ bytes: 64 * 1024, prefer: 'sodium_malloc' });
  const keys = await makeKeys(arena);
  const file = {
    path: join(home, 'vault.db'),
    label: 'profiles/test/vault.db',
    key: Uint8Array.from(keys.vaultFileKey.bytes),
  };
  const keysetPath = join(home, 'keyset');
  writeKeysetFile(keysetPath, keys.keysetLines);
  const memory = createMemoryStore();
  const store = kind === 'memory' ? memory : createSqlcipherStore(file);
  initialiseVault({ store, keyring: keys.keyring, arena });
  store.close();
  keys.keyring.close();
  const { vaultId } = keys.header;

  let closeOpen: (() => void) | undefined;

  function close(): void {
    closeOpen?.();
    closeOpen = undefined;
  }

  async function open(options: OpenOptions = {}): Promise<Vault> {
    close();
    const { vaultKey } = await openHeader(
      parseHeader(keys.headerBytes),
      [{ kind: 'key', secret }],
      arena,
      queue,
    );
    const subkeys = deriveSubkeys(vaultKey.bytes, arena);
    vaultKey.wipe();
    const raw = kind === 'memory' ? memory : openSqlcipherStore({ ...file, key: subkeys.vaultFileKey.bytes });
    try {
      const found = reconcile(readKeysetFile(keysetPath), raw.keysetLines(), vaultId, subkeys.macKey.bytes);
      if (found.fileNeedsRepair) writeKeysetFile(keysetPath, found.keyset.lines);
      const keyring = openKeyring({ ...subkeys, keyset: found.keyset, arena });
      const { wrapStore = (same: SecretsStore) => same, ...rest } = options;
      const vault = await openVault({
        store: wrapStore(raw),
        keyring,
        arena,
        cache: noCache,
        maxTenants: 100,
        keptVersions: () => 5,
        appendKeys: (present, added) => {
          appendToKeysetFile(keysetPath, present, added);
        },
        replaceKeys: (lines) => {
          writeKeysetFile(keysetPath, lines);
        },
        ...rest,
      });
      closeOpen = () => {
        vault.close();
        keyring.close();
        subkeys.wipe();
      };
      return vault;
    } catch (error) {
      raw.close();
      subkeys.wipe();
      throw error;
    }
  }

  t.after(() => {
    close();
    arena.close();
  });
  return { vaultId, file, keysetPath, open, close };
}
