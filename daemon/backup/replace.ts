import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { exchangeNames } from '../../native/rename.ts';
import { openChain } from '../audit/chain.ts';
import { syncFolder } from '../home/files.ts';
import { profilePathsOf, type ProfilePaths } from '../home/paths.ts';
import { checkDirectory, openSafeFile } from '../home/safety.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { Header } from '../keys/header.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { readKeyset, type Keyset } from '../keys/keyset.ts';
import { deriveMacKey } from '../keys/subkeys.ts';
import { lockHome } from './lock-home.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { setAsideAudit } from '../profiles/create.ts';
import { chooseKeyset, newerHeader } from './choose-keys.ts';
import { fileOf, type Manifest } from './container.ts';
import { recordRestore } from './on-record.ts';
import { openBoth, type BothKeys, type OpenBothParts } from './open-both.ts';
import { presentContents, presentHeader, presentVaultId, type PresentContents } from './present-profile.ts';
import { rebuildProfile } from './rebuild.ts';
import { withUnpacked, type RestoreRequest } from './restore.ts';
import { unpackedAt, type UnpackFolders } from './unpack.ts';

/** A backup that is to take the place of a later state of the same vault. */
export interface ReplaceRequest extends Omit<RestoreRequest, 'proof'> {
  readonly proof: OpenBothParts;
}

/** What came of it. */
export interface Replaced {
  /** The folder that holds what stood in its place. */
  readonly kept: string;
  /** Whose key set, and whose header with its slots, the profile goes on with. */
  readonly keysOf: 'profile' | 'backup';
  readonly slotsOf: 'profile' | 'backup';
  readonly secrets: number;
  /** Secrets of the backup that were left out, because their keys were destroyed since. */
  readonly unreadable: number;
  /** The commit of the vault that was replaced; undefined where it could not be read. */
  readonly replacedCommit: number | undefined;
}

/**
 * Puts the rows of a backup in place of those of a profile that is the same vault. Keys go on: the profile has every key
 * and every mark of destruction that it or the backup has, under the vault key that it has now, and its newest header;
 * a row whose key was destroyed since does not come back. The audit stays, so that the next unlock says ROLLBACK unless
 * nothing was changed since the backup. Everything is made in a folder of its own, which changes its name with the
 * profile's in one step: what was there is kept under the other name. A crash before that leaves the profile as it is,
 * with an unfinished folder beside it. Throws NO_SUCH_PROFILE; CONFLICT while a daemon serves the home, for another
 * vault, and when profile and backup each have keys that the other lacks; WRONG_PASSPHRASE, WRONG_KEY, DAMAGED,
 * INTEGRITY, NEWER_FORMAT, UNSAFE_MODE, UNAVAILABLE.
 */
export async function replaceProfile(request: ReplaceRequest): Promise<Replaced> {
  const { paths, name } = request;
  const place = profilePathsOf(paths, name);
  for (const folder of paths.ownFolders) checkDirectory(folder);
  if (lstatSync(place.folder, { throwIfNoEntry: false }) === undefined) {
    throw new HushError('NO_SUCH_PROFILE', `there is no profile ${name} to be replaced`, {
      hint: 'leave --replace away',
    });
  }
  const lock = lockHome(paths);
  try {
    return await withUnpacked(request, (folders) => replaceWith(request, place, folders));
  } finally {
    lock.release();
  }
}

async function replaceWith(
  { paths, name, backup, proof }: ReplaceRequest,
  place: ProfilePaths,
  folders: UnpackFolders,
): Promise<Replaced> {
  const { manifest } = backup.head;
  const header = presentHeader(place);
  requireSameVault(presentVaultId(place, header), manifest, place.folder);
  const headerOfBackup = readHeaderFile(unpackedAt(folders, fileOf(manifest, 'header')));
  const keys = await openBoth(backup.head, headerOfBackup, header, proof);
  const stamp = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(3).toString('hex')}`;
  // The name that the state before will have: until then it is that of the new one.
  const kept = join(paths.profiles, `.replaced-${name}-${stamp}`);
  let isDone = false;
  try {
    const present = await presentOf(place, header, keys, manifest, proof.arena);
    const ofBackup = keysetOfBackup(folders, keys, manifest, proof.arena);
    const keysOf = chooseKeyset(present.keyset, ofBackup);
    const ofProfile = keysOf === 'profile' ? present.keyset : undefined;
    const vaultKey = ofProfile === undefined ? keys.ofBackup : (keys.ofProfile ?? keys.ofBackup);
    const chosen =
      header !== undefined && vaultKey === keys.ofProfile
        ? newerHeader(header, keys.ofBackup === vaultKey ? headerOfBackup : undefined)
        : headerOfBackup;
    mkdirSync(kept, { mode: 0o700 });
    chmodSync(kept, 0o700);
    const { rows, unreadable } = await rebuildProfile({
      folder: kept,
      header: chosen,
      keyset: ofProfile ?? ofBackup,
      vaultKey: vaultKey.bytes,
      source: unpackedAt(folders, fileOf(manifest, 'vault')),
      sourceKey: keys.ofBackup.bytes,
      manifest,
      newer: newerOf(present, manifest),
      arena: proof.arena,
    });
    if (existsSync(place.inactive)) {
      closeSync(openSafeFile(join(kept, 'inactive'), constants.O_WRONLY | constants.O_CREAT));
    }
    syncFolder(kept);
    await keepAudit(place, folders, name);
    exchange(place.folder, kept);
    isDone = true;
    syncFolder(paths.profiles);
    await recordRestore(place.audit, name, manifest, { replaced: kept.slice(paths.profiles.length + 1) });
    return {
      kept,
      keysOf,
      slotsOf: chosen === header ? 'profile' : 'backup',
      secrets: rows,
      unreadable,
      replacedCommit: present.vault?.commit,
    };
  } finally {
    keys.wipe();
    if (!isDone) rmSync(kept, { recursive: true, force: true });
  }
}

function requireSameVault(vaultId: string | undefined, manifest: Manifest, folder: string): void {
  if (vaultId === manifest.vaultId) return;
  const what = vaultId === undefined ? 'cannot say which vault it is' : `is another vault, ${vaultId}`;
  throw new HushError('CONFLICT', `the profile ${what}, and the backup is one of ${manifest.vaultId}`, {
    hint: `restore it under another name with -p, or move ${folder} away first`,
  });
}

/** What of the profile can be read. Throws where it has keys that none of the keys at hand opens: they would be lost. */
async function presentOf(
  place: ProfilePaths,
  header: Header | undefined,
  keys: BothKeys,
  { vaultId }: Manifest,
  arena: SecureArena,
): Promise<PresentContents> {
  const vaultKey = keys.ofProfile ?? keys.ofBackup;
  const present = await presentContents(place, header, vaultId, vaultKey.bytes, arena);
  if (present.keyset !== undefined || keys.ofProfile !== undefined) return present;
  if (keys.refusal !== undefined) throw keys.refusal;
  throw new HushError(
    'CONFLICT',
    'the header of the profile cannot be read, and its keys are not under the vault key of the backup',
    {
      hint: `if they are lost: move ${place.folder} away, then restore without --replace`,
    },
  );
}

function keysetOfBackup(
  folders: UnpackFolders,
  keys: BothKeys,
  manifest: Manifest,
  arena: SecureArena,
): Keyset {
  const macKey = deriveMacKey(keys.ofBackup.bytes, arena);
  try {
    const { lines } = readKeysetFile(unpackedAt(folders, fileOf(manifest, 'keyset')));
    return readKeyset(lines, manifest.vaultId, macKey.bytes);
  } finally {
    macKey.wipe();
  }
}

/** Counts never go down, and what the newer vault remembers of backups and key use stays true. */
function newerOf({ vault }: PresentContents, { commit }: Manifest): PresentContents['vault'] {
  if (vault === undefined || vault.commit >= commit) return vault;
  return { ...vault, facts: undefined };
}

/** The profile's audit goes on. Where there is none, or none that can be gone on with, that of the backup does. */
async function keepAudit(place: ProfilePaths, folders: UnpackFolders, name: string): Promise<void> {
  if (existsSync(place.audit)) {
    try {
      await openChain(place.audit, name).close();
      return;
    } catch (error) {
      if (!(error instanceof HushError) || error.code !== 'INTEGRITY') throw error;
      setAsideAudit(place);
    }
  }
  renameSync(folders.audit, place.audit);
  syncFolder(join(place.audit, '..'));
}

function exchange(folder: string, kept: string): void {
  if (exchangeNames(folder, kept)) return;
  // The file system cannot do it in one step: a crash between these leaves both states whole, under other names.
  const between = `${kept}-new`;
  renameSync(kept, between);
  renameSync(folder, kept);
  renameSync(between, folder);
}
