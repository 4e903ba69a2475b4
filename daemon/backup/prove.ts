import { HushError } from '../../protocol/errors.ts';
import { folderParts } from '../audit/parts.ts';
import type { ChainHead } from '../audit/records.ts';
import { verifyParts } from '../audit/verify.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import { backupMacOf } from '../keys/hmac.ts';
import { openKeyring, type Keyring } from '../keys/keyring.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { reconcile } from '../keys/reconcile.ts';
import { openHeader } from '../keys/open.ts';
import type { Argon2Queue } from '../keys/passphrase.ts';
import type { Credential } from '../keys/slot.ts';
import { deriveSubkeys } from '../keys/subkeys.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { auditSecretOf } from '../profiles/audit-keys.ts';
import { openSqlcipherStore } from '../stores/sqlcipher.ts';
import { checkVault } from '../vault/vault.ts';
import { fileOf, type Head, type Manifest } from './container.ts';
import { unpackedAt, type UnpackFolders } from './unpack.ts';

/** What opens a backup. */
export interface ProofParts {
  /** One to four; they stay the caller's to wipe. */
  readonly credentials: readonly Credential[];
  readonly arena: SecureArena;
  readonly argon2Queue: Argon2Queue;
}

/** What a backup holds, as its keys prove it. */
export interface Proof {
  readonly secrets: number;
  /** Data keys by state. */
  readonly keys: { readonly active: number; readonly retired: number; readonly destroyed: number };
  readonly auditRecords: number;
}

/**
 * Opens an unpacked backup with its own keys and proves all of it, as an unlock would: header, manifest, key set, every
 * page and every row of the vault, every record and seal of the audit. Throws WRONG_PASSPHRASE and WRONG_KEY, INTEGRITY
 * when something was forged or put together from several backups, DAMAGED, NEWER_FORMAT, UNAVAILABLE.
 */
export async function proveBackup(head: Head, folders: UnpackFolders, parts: ProofParts): Promise<Proof> {
  const { arena } = parts;
  const header = readHeaderFile(unpackedAt(folders, fileOf(head.manifest, 'header')));
  const { vaultKey } = await openHeader(header, parts.credentials, arena, parts.argon2Queue);
  const subkeys = deriveSubkeys(vaultKey.bytes, arena);
  vaultKey.wipe();
  try {
    if (!equalBytes(backupMacOf(subkeys.macKey.bytes, head.signed), head.mac))
      throw forged('its manifest is not its own');
    return await proveContents(head, folders, subkeys, arena);
  } finally {
    subkeys.wipe();
  }
}

async function proveContents(
  { manifest }: Head,
  folders: UnpackFolders,
  subkeys: ReturnType<typeof deriveSubkeys>,
  arena: SecureArena,
): Promise<Proof> {
  const { vaultId } = manifest;
  const store = openSqlcipherStore({
    path: unpackedAt(folders, fileOf(manifest, 'vault')),
    label: 'the vault in the backup',
    key: subkeys.vaultFileKey.bytes,
  });
  try {
    const file = readKeysetFile(unpackedAt(folders, fileOf(manifest, 'keyset')));
    const { keyset } = reconcile(file, store.keysetLines(), vaultId, subkeys.macKey.bytes);
    const { wrappingKey, macKey } = subkeys;
    const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
    try {
      const { commit, secrets, auditHead } = await checkVault({ store, keyring, arena });
      if (commit !== manifest.commit) throw forged('its vault is of another time than its manifest');
      const auditRecords = await proveAudit(manifest, folders, keyring, auditHead);
      const states = [...keyset.keys.values()]
        .filter(({ entry }) => entry.use === 'dek')
        .map(({ state }) => state);
      const countOf = (wanted: string): number => states.filter((state) => state === wanted).length;
      return {
        secrets,
        keys: { active: countOf('active'), retired: countOf('retired'), destroyed: countOf('destroyed') },
        auditRecords,
      };
    } finally {
      keyring.close();
    }
  } finally {
    store.close();
  }
}

async function proveAudit(
  manifest: Manifest,
  folders: UnpackFolders,
  keyring: Keyring,
  remembered: ChainHead | undefined,
): Promise<number> {
  const { vaultId, audit } = manifest;
  if (!manifest.files.some(({ part }) => part === 'audit')) throw forged('it lacks the audit');
  const seals = { vaultId, secretOf: (id: string) => auditSecretOf(keyring, id) };
  const options = { seals, expected: remembered === undefined ? [] : [remembered] };
  const { records, head, tornBytes, bad } = await verifyParts(folderParts(folders.audit), options);
  if (bad?.code !== undefined) throw new HushError(bad.code);
  if (bad !== undefined) throw forged(`record ${bad.seq} of its audit is bad: ${bad.why}`);
  if (tornBytes > 0 || head.seq !== audit.seq || head.hash !== audit.hash) {
    throw forged('its audit does not end where its manifest says');
  }
  return records;
}

const forged = (why: string): HushError =>
  new HushError('INTEGRITY', `the backup was tampered with: ${why}`, { hint: 'restore from another backup' });
