import { existsSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';

import sodium from 'sodium-native';

import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { serialiseHeader, type HeaderBody } from '../keys/header.ts';
import type { Keyring } from '../keys/keyring.ts';
import { writeKeysetFile } from '../keys/keyset-file.ts';
import { resealOpener } from '../keys/opener.ts';
import { rewriteKeyset } from '../keys/rewrite-keyset.ts';
import { deriveSubkeys, type Subkeys } from '../keys/subkeys.ts';
import { wipeVaultKey } from '../keys/vault-key.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { checkVaultFile } from '../stores/file-check.ts';
import { createUnfinishedStore, openCheckedStore, type VaultFile } from '../stores/sqlcipher.ts';
import type { SqlcipherStore } from '../stores/sqlcipher-store.ts';
import type { VaultMove } from '../vault/move.ts';
import { inSlices } from '../vault/slices.ts';
import type { Vault } from '../vault/vault.ts';
import type { HeaderFile } from './header-in-place.ts';
import {
  filesOf,
  namesFor,
  removeLeftovers,
  vaultWithCompanions,
  type ProfileFiles,
} from './profile-files.ts';

/** How far a rotation of the vault key is. */
export interface VaultRotation {
  /** Copying rows into the new file; checking that file; going over to it. */
  readonly phase: 'copy' | 'check' | 'switch';
  /** Rows, in this phase. */
  readonly done: number;
  readonly total: number;
}

/** What a rotation of the vault key has come to. */
export interface RotatedVault {
  /** Of the header. */
  readonly generation: number;
  readonly keysetGeneration: number;
  /** The names of the files in use from here on. */
  readonly files: HeaderBody['files'];
  readonly secrets: number;
  /** Whether the files under the vault key before are gone; else the next unlock removes them. */
  readonly removed: boolean;
}

/** An unlocked profile whose vault key is rotated. */
export interface RotateVaultParts {
  readonly folder: string;
  /** What messages call the folder. */
  readonly label: string;
  readonly vault: Vault;
  readonly keyring: Keyring;
  readonly header: HeaderFile;
  /** The store that the vault stands on; it is closed in the end. */
  readonly source: SqlcipherStore;
  readonly arena: SecureArena;
  /** Ends it early, with the signal's reason. */
  readonly signal: AbortSignal;
  readonly told: (progress: VaultRotation) => void;
  /** Takes over what is in use from here on. */
  readonly moved: (store: SqlcipherStore, files: ProfileFiles) => void;
}

/**
 * Puts another, random vault key in place of the present one, while the vault serves: a new vault file and a new key set
 * file, and a header that names them and holds the new vault key for every opener, with nobody present. Data keys,
 * digest root, name-index key and audit keys keep their value. The header's rename is the one commit point: a crash
 * before it leaves the old files in use, a crash after it the new ones, and the next unlock removes the others. Rejects
 * with LOCKED when the profile is locked meanwhile, UNAVAILABLE when the disk refuses, INTEGRITY when header or vault
 * were changed by something else, CONFLICT; then everything is as it was.
 */
export async function rotateVaultKey(parts: RotateVaultParts): Promise<RotatedVault> {
  const { vault, source, header, signal } = parts;
  header.requireSettled();
  const move = vault.beginMove(source, () => signal.throwIfAborted());
  try {
    return await moveUnder(await newVaultKey(parts), move, parts);
  } finally {
    move.end();
  }
}

/** What is left of a new vault key: all that derives from it, and the openers that have it sealed to them. */
interface NewVaultKey {
  readonly subkeys: Subkeys;
  readonly openers: HeaderBody['openers'];
}

async function newVaultKey({ arena, header, signal }: RotateVaultParts): Promise<NewVaultKey> {
  const vaultKey = arena.allocate(32);
  let subkeys: Subkeys | undefined;
  try {
    sodium.randombytes_buf(vaultKey.bytes);
    subkeys = deriveSubkeys(vaultKey.bytes, arena);
    return { subkeys, openers: await resealed(header.body(), vaultKey.bytes, signal) };
  } catch (error) {
    subkeys?.wipe();
    throw error;
  } finally {
    wipeVaultKey(vaultKey);
  }
}

/** The openers of a header whose MAC has verified, with another vault key sealed to each. */
async function resealed(
  { vaultId, openers }: HeaderBody,
  vaultKey: Uint8Array,
  signal: AbortSignal,
): Promise<HeaderBody['openers']> {
  const all: HeaderBody['openers'] = [];
  for (const opener of openers) {
    all.push(resealOpener(vaultId, opener, vaultKey));
    await nextTurn();
    signal.throwIfAborted();
  }
  return all;
}

/** Moves vault and key set into files of their own under the new keys, and puts the header in place that names them. */
async function moveUnder(
  { subkeys, openers }: NewVaultKey,
  move: VaultMove,
  parts: RotateVaultParts,
): Promise<RotatedVault> {
  const { vault, header, folder, signal } = parts;
  const generation = header.body().generation + 1;
  const names = namesFor(generation);
  const files = filesOf(folder, names);
  const file = { path: files.vault, label: `${parts.label}/${names.vault}`, key: subkeys.vaultFileKey.bytes };
  const told = (phase: VaultRotation['phase']) => (done: number) => {
    parts.told({ phase, done, total: Math.max(done, vault.stats().rows) });
  };
  let target: SqlcipherStore | undefined;
  let isMoved = false;
  try {
    // A crash from here to the header's rename leaves these two files, or parts of them, beside those in use.
    removeFiles(files);
    await writeVault(file, folder, move, told('copy'));
    told('check')(0);
    await checkVaultFile(file, signal);
    target = openCheckedStore(file);
    subkeys.vaultFileKey.wipe();
    await move.verify(target, told('check'));
    const rewriting = rewriteKeyset(parts.keyring, subkeys);
    await inSlices(rewriting.step);
    told('switch')(0);
    await move.catchUp(target);

    // From here until the vault has moved nothing else runs.
    const keyset = rewriting.finish();
    writeKeysetFile(files.keyset, keyset.lines);
    const body = { ...header.body(), generation, files: names, openers };
    move.complete(target, keyset.lines, () => {
      putHeader(parts, body, subkeys);
    });
    isMoved = true;
    parts.keyring.moveTo({ keyset, wrappingKey: subkeys.wrappingKey, macKey: subkeys.macKey });
    parts.moved(target, files);
    return {
      generation,
      keysetGeneration: keyset.generation,
      files: names,
      secrets: vault.stats().secrets,
      removed: isGone(parts.source, folder, names),
    };
  } finally {
    if (!isMoved) {
      target?.close();
      subkeys.wipe();
      // Another profile of this name may have come since, and a header that may be in place needs its files.
      if (header.isInPlace()) dropFiles(files);
    }
  }
}

/** Fills a new vault file with all rows, and puts it on the disk. */
async function writeVault(
  file: VaultFile,
  folder: string,
  move: VaultMove,
  told: (rows: number) => void,
): Promise<void> {
  const unfinished = createUnfinishedStore(file);
  try {
    await move.copyTo(unfinished, told);
    unfinished.finish();
  } finally {
    unfinished.close();
  }
  try {
    const handle = await open(file.path, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw diskError(`cannot write ${file.label}`, error);
  }
  syncFolder(folder);
}

/** The commit point. */
function putHeader({ header, vault }: RotateVaultParts, body: HeaderBody, { macKey }: Subkeys): void {
  try {
    header.replace(body, serialiseHeader(body, macKey.bytes));
  } catch (error) {
    // Nothing may be acknowledged under either vault key before an unlock has found out which header is on the disk.
    if (!header.isSettled()) vault.distrust();
    throw error;
  }
}

/** Closes the store before and removes its file; false when the disk refuses, for by now the rotation is done. */
function isGone(source: SqlcipherStore, folder: string, names: HeaderBody['files']): boolean {
  try {
    source.discard();
    removeLeftovers(folder, names);
    return true;
  } catch {
    return false;
  }
}

function removeFiles({ vault, keyset }: ProfileFiles): void {
  try {
    for (const path of [...vaultWithCompanions(vault), keyset]) if (existsSync(path)) rmSync(path);
  } catch (error) {
    throw diskError('cannot remove what an earlier rotation of the vault key has left', error);
  }
}

function dropFiles(files: ProfileFiles): void {
  try {
    removeFiles(files);
  } catch {
    // The error that led here says more; the next unlock removes what is left.
  }
}
