import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import type { Header } from '../../daemon/keys/header.ts';
import { openKeyring, type Keyring } from '../../daemon/keys/keyring.ts';
import { appendToKeysetFile, readKeysetFile, writeKeysetFile } from '../../daemon/keys/keyset-file.ts';
import { reconcile } from '../../daemon/keys/reconcile.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { createSecureArena, type SecureArena } from '../../daemon/memory/secure-bytes.ts';
import type { SqlcipherStore } from '../../daemon/stores/sqlcipher-store.ts';
import { openSqlcipherStore } from '../../daemon/stores/sqlcipher.ts';
import { createIndexKeys } from '../../daemon/vault/index-keys.ts';
import { openLedger, type Ledger } from '../../daemon/vault/ledger.ts';
import { createRootCipher } from '../../daemon/vault/root.ts';
import { openVault, type Vault } from '../../daemon/vault/vault.ts';
import { passphraseCredential, type TestHome } from './daemon.ts';

/** What a test may do with a profile that no daemon has open. */
export interface OpenHome {
  readonly arena: SecureArena;
  readonly header: Header;
  readonly store: SqlcipherStore;
  readonly keyring: Keyring;
  /** The vault of the profile, for which it is the time that was asked for. */
  readonly vault: () => Promise<Vault>;
  /** The ledger alone, for what no vault would write. */
  readonly ledger: () => Promise<Ledger>;
}

/** Opens the profile `default` of a home in this process, and closes it when `use` is done. */
export async function inHome(
  home: TestHome,
  now: Date,
  use: (open: OpenHome) => Promise<void>,
): Promise<void> {
  const paths = home.profile();
  const arena = createSecureArena({ prefer: 'sodium_malloc' });
  const header = readHeaderFile(paths.header);
  const { vaultKey } = await openHeader(header, [passphraseCredential()], arena, createArgon2Queue());
  const subkeys = deriveSubkeys(vaultKey.bytes, arena);
  const store = openSqlcipherStore({ path: paths.vault, label: 'vault.db', key: subkeys.vaultFileKey.bytes });
  const { keyset } = reconcile(
    readKeysetFile(paths.keyset),
    store.keysetLines(),
    header.body.vaultId,
    subkeys.macKey.bytes,
  );
  const keyring = openKeyring({ keyset, ...subkeys, arena });
  try {
    await use({
      arena,
      header,
      store,
      keyring,
      vault: () =>
        openVault({
          store,
          keyring,
          arena,
          cache: { ttlSeconds: 0, entries: 0, bytes: 0 },
          maxTenants: 1_000,
          keptVersions: () => 5,
          now: () => now,
          appendKeys: (present, added) => {
            appendToKeysetFile(paths.keyset, present, added);
          },
          replaceKeys: (lines) => {
            writeKeysetFile(paths.keyset, lines);
          },
        }),
      ledger: () => {
        const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
        return openLedger(store, keys, createRootCipher(keys, keyring.vaultId));
      },
    });
  } finally {
    store.close();
    keyring.close();
    arena.close();
  }
}
