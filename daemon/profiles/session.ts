import { HushError } from '../../protocol/errors.ts';
import type { AuditKey, SealState } from '../audit/seals.ts';
import type { Chain } from '../audit/chain.ts';
import type { CacheConfig } from '../config/config.ts';
import type { ProfilePaths } from '../home/paths.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { Header } from '../keys/header.ts';
import { openKeyring, type Keyring } from '../keys/keyring.ts';
import { readKeysetFile, writeKeysetFile, appendToKeysetFile } from '../keys/keyset-file.ts';
import { reconcile } from '../keys/keyset.ts';
import { openHeader } from '../keys/open.ts';
import type { Argon2Queue } from '../keys/passphrase.ts';
import type { Credential } from '../keys/slot.ts';
import { deriveSubkeys } from '../keys/subkeys.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { openSqlcipherStore } from '../stores/sqlcipher.ts';
import { openVault, type Vault } from '../vault/vault.ts';
import { checkFreshness } from './rollback.ts';

/** The keys and the vault of an unlocked profile. */
export interface Session {
  readonly vault: Vault;
  readonly unlockedAt: string;
  /** What a seal of the audit vouches for now. */
  sealState(): SealState;
  auditKey(): AuditKey;
  /** Wipes the cache, closes the store, wipes the keys, in this order. A second call does nothing. */
  close(): void;
}

/** What a session is opened with. */
export interface SessionParts {
  readonly name: string;
  readonly paths: ProfilePaths;
  readonly chain: Chain;
  readonly arena: SecureArena;
  readonly argon2Queue: Argon2Queue;
  readonly scratch: Scratch;
  readonly cache: CacheConfig;
  readonly maxTenants: number;
  /** The id of the rollback that the operator takes on purpose. */
  readonly acceptRollback: string | undefined;
}

/** The id by which seals name an audit key. */
const auditKeyId = (version: number): string => `v${version}`;

function auditKeyOf(keyring: Keyring, id: string): Uint8Array | undefined {
  const version = /^v([1-9][0-9]{0,8})$/.exec(id)?.[1];
  return version === undefined ? undefined : keyring.auditKeyOf(Number(version)).bytes;
}

/**
 * Opens a profile: header, keys, key set, vault, and whether all of it is the newest that the audit knows. The
 * credentials stay the caller's to wipe. Throws WRONG_PASSPHRASE, WRONG_KEY, DAMAGED, INTEGRITY, ROLLBACK,
 * NEWER_FORMAT, UNSAFE_MODE, UNAVAILABLE; then nothing stays open.
 */
export async function openSession(parts: SessionParts, credentials: readonly Credential[]): Promise<Session> {
  const header = readHeaderFile(parts.paths.header);
  const { vaultKey } = await openHeader(header, credentials, parts.arena, parts.argon2Queue);
  try {
    return await openWith(parts, header, vaultKey.bytes);
  } finally {
    vaultKey.wipe();
  }
}

async function openWith(parts: SessionParts, header: Header, vaultKey: Uint8Array): Promise<Session> {
  const { paths, arena } = parts;
  const { vaultId, generation } = header.body;
  const subkeys = deriveSubkeys(vaultKey, arena);
  const undo: (() => void)[] = [() => subkeys.wipe()];
  const rollBack = (): void => {
    for (const step of undo.reverse()) step();
  };
  try {
    const store = openSqlcipherStore({
      path: paths.vault,
      label: `profiles/${parts.name}/vault.db`,
      key: subkeys.vaultFileKey.bytes,
    });
    undo.push(() => store.close());
    const lines = store.keysetLines();
    const { keyset, fileNeedsRepair, fileIsOlder } = reconcile(
      readKeysetFile(paths.keyset),
      lines,
      vaultId,
      subkeys.macKey.bytes,
    );
    const keyring = openKeyring({ keyset, wrappingKey: subkeys.wrappingKey, macKey: subkeys.macKey, arena });
    undo.push(() => keyring.close());
    const vault = await openVault({
      store,
      keyring,
      arena,
      cache: parts.cache,
      allocate: parts.scratch.take,
      maxTenants: parts.maxTenants,
      beforeChange: async ({ commit, auditHead }) => {
        await checkFreshness({
          chain: parts.chain,
          state: { vaultId, generation, commit },
          head: auditHead,
          olderKeyset: fileIsOlder,
          secretOf: (id) => auditKeyOf(keyring, id),
          accept: parts.acceptRollback,
        });
        if (fileNeedsRepair) writeKeysetFile(paths.keyset, keyset.lines);
      },
      appendKeys: (present, added) => {
        appendToKeysetFile(paths.keyset, present, added);
      },
    });
    undo.push(() => vault.close());
    subkeys.vaultFileKey.wipe();
    return {
      vault,
      unlockedAt: new Date().toISOString(),
      sealState: () => ({ vaultId, generation, commit: vault.commitCounter() }),
      auditKey: () => {
        const { version, key } = keyring.auditKey();
        return { id: auditKeyId(version), secret: key.bytes };
      },
      close: () => {
        for (const step of undo.splice(0).reverse()) step();
      },
    };
  } catch (error) {
    rollBack();
    throw error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error });
  }
}
