import { closeSync, constants, fsyncSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import { openSafeFile } from '../home/safety.ts';
import { writeHeaderFile } from '../keys/header-file.ts';
import { serialiseHeader, type Header } from '../keys/header.ts';
import { openKeyring, type Keyring } from '../keys/keyring.ts';
import { writeKeysetFile } from '../keys/keyset-file.ts';
import type { Keyset } from '../keys/keyset.ts';
import { deriveSubkeys } from '../keys/subkeys.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { filesOf } from '../profiles/profile-files.ts';
import { vaultFormat } from '../stores/schema.ts';
import type { SqlcipherStore } from '../stores/sqlcipher-store.ts';
import {
  createUnfinishedStore,
  migrateSqlcipherStore,
  openSqlcipherStore,
  type VaultFile,
} from '../stores/sqlcipher.ts';
import { carryOver, type CarriedOver, type Remembered } from '../vault/carry-over.ts';
import { checkVault } from '../vault/vault.ts';
import type { Manifest } from './container.ts';

/** What a profile is rebuilt from. */
export interface RebuildParts {
  /** An empty folder, which becomes that of the profile. */
  readonly folder: string;
  /** The header that it goes on with, which was opened with `vaultKey`, and the key set. */
  readonly header: Header;
  readonly keyset: Keyset;
  readonly vaultKey: Uint8Array;
  /** The unpacked vault of the backup, and the vault key that it is under. */
  readonly source: string;
  readonly sourceKey: Uint8Array;
  readonly manifest: Manifest;
  /** What the vault that is replaced remembers, if it can be read. */
  readonly newer: Remembered | undefined;
  readonly arena: SecureArena;
}

/**
 * Makes header, key set and vault of a profile in a folder of their own, with the rows of a backup under the keys that
 * the profile has now, and puts them on the disk; the vault is opened anew and checked. Throws INTEGRITY when the
 * backup's vault is not what its manifest says, DAMAGED, NEWER_FORMAT, UNAVAILABLE.
 */
export async function rebuildProfile(parts: RebuildParts): Promise<CarriedOver> {
  const { folder, header, keyset, vaultKey, arena, manifest } = parts;
  const sourceKeys = deriveSubkeys(parts.sourceKey, arena);
  const { vaultFileKey, wrappingKey, macKey } = deriveSubkeys(vaultKey, arena);
  const headerBytes = serialiseHeader(header.body, macKey.bytes);
  const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
  const files = filesOf(folder, header.body.files);
  const target: VaultFile = { path: files.vault, label: 'the restored vault', key: vaultFileKey.bytes };
  const source = { path: parts.source, label: 'the vault in the backup', key: sourceKeys.vaultFileKey.bytes };
  try {
    const from = openPresentFormat(source);
    let carried: CarriedOver;
    try {
      const { commit } = await checkVault({ store: from, keyring, arena });
      if (commit !== manifest.commit) {
        throw new HushError('INTEGRITY', 'the backup was tampered with: its vault is of another time', {
          hint: 'restore from another backup',
        });
      }
      carried = await fill(target, from, keyring, parts);
    } finally {
      from.close();
    }
    await check(target, keyring, arena, manifest.commit);
    writeKeysetFile(files.keyset, keyset.lines);
    writeHeaderFile(join(folder, 'header'), headerBytes);
    return carried;
  } finally {
    keyring.close();
    vaultFileKey.wipe();
    sourceKeys.wipe();
  }
}

function openPresentFormat(file: VaultFile): SqlcipherStore {
  const store = openSqlcipherStore(file);
  if (store.format === vaultFormat) return store;
  store.close();
  migrateSqlcipherStore(file);
  return openSqlcipherStore(file);
}

async function fill(
  file: VaultFile,
  source: SqlcipherStore,
  keyring: Keyring,
  { newer, arena }: RebuildParts,
): Promise<CarriedOver> {
  const target = createUnfinishedStore(file);
  try {
    const carried = await carryOver({ source, target, keyring, arena, newer });
    target.finish();
    return carried;
  } finally {
    target.close();
  }
}

/** Opens what was written, checks all of it, and puts it on the disk. */
async function check(file: VaultFile, keyring: Keyring, arena: SecureArena, wanted: number): Promise<void> {
  const store = openSqlcipherStore(file);
  try {
    const { commit } = await checkVault({ store, keyring, arena });
    if (commit !== wanted) throw new HushError('UNAVAILABLE', 'the restored vault is not what was written');
  } finally {
    store.close();
  }
  try {
    const fd = openSafeFile(file.path, constants.O_RDWR);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw diskError('cannot write the restored vault', error);
  }
}
