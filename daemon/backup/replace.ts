import { closeSync, constants, existsSync, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import { syncFolder } from '../home/files.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { checkDirectory, openSafeFile } from '../home/safety.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { Header } from '../keys/header.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { readKeyset, type Keyset } from '../keys/keyset.ts';
import { deriveMacKey } from '../keys/subkeys.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import {
  finishReplacements,
  keptFolder,
  refuseWhileReplaced,
  replaceFolder,
  replacementTime,
  type ExchangeNames,
} from '../profiles/exchange.ts';
import { newFolderIn } from '../profiles/unfinished.ts';
import { presentHeader, presentVaultId } from '../profiles/unopened.ts';
import { chooseKeyset, newerHeader } from './choose-keys.ts';
import { fileOf, type Manifest } from './container.ts';
import { keepAudit, type KeptAudit } from './kept-audit.ts';
import { lockHome } from './lock-home.ts';
import { recordRestore } from './on-record.ts';
import { openBoth, type BothKeys, type OpenBothParts } from './open-both.ts';
import { presentContents, type PresentContents } from './present-profile.ts';
import { rebuildProfile } from './rebuild.ts';
import { withUnpacked, type RestoreRequest } from './restore.ts';
import { unpackedAt, type UnpackFolders } from './unpack.ts';

/** A backup that is to take the place of a later state of the same vault. */
export interface ReplaceRequest extends Omit<RestoreRequest, 'proof'> {
  readonly proof: OpenBothParts;
  /** Whether it goes ahead where secrets of the backup would not come back; if left out it does not. */
  readonly leavesOut?: boolean;
  /** Exchanges two names in one step; false where the file system cannot (`exchangeNames`, if left out). */
  readonly exchange?: ExchangeNames;
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
  readonly audit: KeptAudit;
}

/**
 * Puts the rows of a backup in place of those of a profile that is the same vault. Keys go on: the profile has every key
 * and every mark of destruction that it or the backup has, under the vault key that it has now, and its newest header;
 * a row whose key was destroyed since does not come back. The audit stays, so that the next unlock says ROLLBACK unless
 * nothing was changed since the backup; it tells of the restore before that has come true, and once more after it.
 * Everything is made in a folder of its own, which then takes the profile's place (see `replaceFolder`): what was there
 * is kept under another name. A crash before that leaves the profile as it is. Throws NO_SUCH_PROFILE; CONFLICT while a daemon serves the home, for another
 * vault, when profile and backup each have keys that the other lacks, and when secrets would be left out unless that is
 * asked for; WRONG_PASSPHRASE, WRONG_KEY, DAMAGED,
 * INTEGRITY, NEWER_FORMAT, UNSAFE_MODE, UNAVAILABLE.
 */
export async function replaceProfile(request: ReplaceRequest): Promise<Replaced> {
  const { paths, name } = request;
  const place = profilePathsOf(paths, name);
  for (const folder of paths.ownFolders) checkDirectory(folder);
  const lock = lockHome(paths);
  try {
    finishReplacements(paths.profiles);
    requireProfile(place, name);
    return await withUnpacked(request, (folders) => replaceWith(request, place, folders));
  } finally {
    lock.release();
  }
}

/**
 * Throws NO_SUCH_PROFILE when there is nothing of that name to be replaced, CONFLICT when it waits to be put back after a
 * restore that was cut off.
 */
export function requireReplaceable(paths: HomePaths, name: ProfileName): void {
  if (existsSync(paths.profiles)) refuseWhileReplaced(paths.profiles, name);
  requireProfile(profilePathsOf(paths, name), name);
}

function requireProfile({ folder }: ProfilePaths, name: ProfileName): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined) return;
  throw new HushError('NO_SUCH_PROFILE', `there is no profile ${name} to be replaced`, {
    hint: 'leave --replace away',
  });
}

async function replaceWith(
  request: ReplaceRequest,
  place: ProfilePaths,
  folders: UnpackFolders,
): Promise<Replaced> {
  const { paths, backup, proof } = request;
  const { manifest } = backup.head;
  const header = presentHeader(place);
  requireSameVault(presentVaultId(place, header), manifest, place.folder);
  const ofBackup = readHeaderFile(unpackedAt(folders, fileOf(manifest, 'header')));
  const unfinished = newFolderIn(paths.profiles);
  try {
    const keys = await openBoth(backup.head, ofBackup, header, proof);
    try {
      const headers = { ofProfile: header, ofBackup };
      const rebuilt = await rebuild(request, place, folders, headers, keys, unfinished.path);
      if (!request.leavesOut) refuseLeftOut(rebuilt);
      return { ...rebuilt, ...(await putInPlace(request, place, folders, unfinished.path)) };
    } finally {
      keys.wipe();
    }
  } finally {
    unfinished.end();
  }
}

/** Makes the profile as it is to be in the folder `fresh`, and puts it on the disk. */
async function rebuild(
  { backup, proof }: ReplaceRequest,
  place: ProfilePaths,
  folders: UnpackFolders,
  headers: { readonly ofProfile: Header | undefined; readonly ofBackup: Header },
  keys: BothKeys,
  fresh: string,
): Promise<Omit<Replaced, 'kept' | 'audit'>> {
  const { manifest } = backup.head;
  const present = await presentOf(place, headers.ofProfile, keys, manifest, proof.arena);
  const ofBackup = keysetOfBackup(folders, keys, manifest, proof.arena);
  const keysOf = chooseKeyset(present.keyset, ofBackup);
  const ofProfile = keysOf === 'profile' ? present.keyset : undefined;
  const vaultKey = ofProfile === undefined ? keys.ofBackup : (keys.ofProfile ?? keys.ofBackup);
  const header =
    headers.ofProfile !== undefined && vaultKey === keys.ofProfile
      ? newerHeader(headers.ofProfile, keys.ofBackup === vaultKey ? headers.ofBackup : undefined)
      : headers.ofBackup;
  const { rows, unreadable } = await rebuildProfile({
    folder: fresh,
    header,
    keyset: ofProfile ?? ofBackup,
    vaultKey: vaultKey.bytes,
    source: unpackedAt(folders, fileOf(manifest, 'vault')),
    sourceKey: keys.ofBackup.bytes,
    manifest,
    newer: newerOf(present, manifest),
    arena: proof.arena,
  });
  if (existsSync(place.inactive)) {
    closeSync(openSafeFile(join(fresh, 'inactive'), constants.O_WRONLY | constants.O_CREAT));
  }
  syncFolder(fresh);
  return {
    keysOf,
    slotsOf: header === headers.ofProfile ? 'profile' : 'backup',
    secrets: rows,
    unreadable,
    replacedCommit: present.vault?.commit,
  };
}

/** Puts the folder `fresh` in place of the profile, on record from before to after. */
async function putInPlace(
  { paths, name, backup, exchange }: ReplaceRequest,
  place: ProfilePaths,
  folders: UnpackFolders,
  fresh: string,
): Promise<Pick<Replaced, 'kept' | 'audit'>> {
  const { manifest } = backup.head;
  const replacement = { profiles: paths.profiles, name, time: replacementTime(), fresh };
  const detail = { replaced: basename(keptFolder(replacement)) };
  const audit = await keepAudit({
    place,
    name,
    vaultId: manifest.vaultId,
    ofBackup: folders.audit,
    record: (folder) => recordRestore('backup.restoring', folder, name, manifest, detail),
  });
  const kept = replaceFolder(replacement, exchange);
  try {
    await recordRestore('backup.restored', place.audit, name, manifest, detail);
  } catch (error) {
    throw notOnRecord(kept, error);
  }
  return { kept, audit };
}

function refuseLeftOut({ secrets, unreadable }: Pick<Replaced, 'secrets' | 'unreadable'>): void {
  if (unreadable === 0) return;
  const all = secrets + unreadable;
  throw new HushError(
    'CONFLICT',
    `${unreadable} of the ${all} secrets in the backup would not come back, because their keys were destroyed since; nothing was changed`,
    { hint: 'restore from a newer backup; or hush backup restore FILE --replace --yes, without them' },
  );
}

function notOnRecord(kept: string, error: unknown): unknown {
  if (!(error instanceof HushError)) return error;
  const done = `the profile is restored, and what was there is kept in ${kept}`;
  return new HushError(error.code, `${done}; only its end could not be put on record: ${error.message}`, {
    hint: error.hint,
    cause: error,
  });
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
