import { lstatSync, renameSync, rmSync } from 'node:fs';

import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import { renameIfFree } from '../../native/rename.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { checkDirectory } from '../home/safety.ts';
import { newFolderIn, removeUnfinished, setAsideAudit } from '../profiles/create.ts';
import { fileOf } from './container.ts';
import { lockHome } from './lock-home.ts';
import { knowsVault, refuseDestroyedBeside } from './kin.ts';
import { recordRestore } from './on-record.ts';
import { proveBackup, type Proof, type ProofParts } from './prove.ts';
import type { BackupFile } from './reader.ts';
import { unpack, unpackedAt, type UnpackFolders } from './unpack.ts';

/** A backup that is to become a profile. */
export interface RestoreRequest {
  readonly paths: HomePaths;
  /** The name that it is to have here; its vault id stays what it is. */
  readonly name: ProfileName;
  readonly backup: BackupFile;
  /** With it the backup is opened and proved before anything of it is put in place; without it the unlock does that. */
  readonly proof: ProofParts | undefined;
  readonly progress?: (bytes: number) => void;
}

/** What a restore did. */
export interface Restored {
  /** Where the backup was opened: what that found. */
  readonly proof: Proof | undefined;
  /** Whether the home had the audit of this vault, which then says at the next unlock what is older. */
  readonly auditStayed: boolean;
}

/**
 * Makes a profile out of a backup where there is none of that name. All files are written to folders of their own,
 * synced, and renamed into place, the audit first: a crash before the last rename leaves no profile, after it the whole
 * one. A daemon that runs finds it by itself. Where the home has the audit of this very vault that one stays, and no
 * daemon may run meanwhile. Throws CONFLICT for that, and beside a profile of the same vault that has destroyed keys which
 * the backup holds; EXISTS when there is a profile of that name, DAMAGED, INTEGRITY,
 * NEWER_FORMAT, WRONG_PASSPHRASE, WRONG_KEY, UNSAFE_MODE, UNAVAILABLE.
 */
export async function restoreProfile(request: RestoreRequest): Promise<Restored> {
  const { paths, name, backup } = request;
  const place = profilePathsOf(paths, name);
  for (const folder of paths.ownFolders) checkDirectory(folder);
  refuseExisting(place, name);
  return withUnpacked(request, async (folders) => {
    const proof = request.proof && (await proveBackup(backup.head, folders, request.proof));
    const { manifest } = backup.head;
    refuseDestroyedBeside(paths, manifest.vaultId, unpackedAt(folders, fileOf(manifest, 'keyset')));
    refuseExisting(place, name);
    const auditStayed = knowsVault(place, manifest.vaultId);
    if (auditStayed) {
      // It knows how far this vault had come: what is older shows at the next unlock, as with --replace. A daemon may
      // have it open, and must not write to it at the same time.
      const lock = lockHome(paths);
      try {
        await recordRestore(place.audit, name, manifest);
      } finally {
        lock.release();
      }
    } else {
      await recordRestore(folders.audit, name, manifest);
      setAsideAudit(place);
      // A crash here leaves an audit without a profile, which the next `init` sets aside and the next restore goes on with.
      renameSync(folders.audit, place.audit);
      syncFolder(paths.profileAudits);
    }
    refuseExisting(place, name);
    if (!renameIfFree(folders.profile, place.folder)) renameSync(folders.profile, place.folder);
    syncFolder(paths.profiles);
    return { proof, auditStayed };
  });
}

/** Unpacks a backup into folders beside those of profiles and audits, and removes what is left of them at the end. */
export async function withUnpacked<Result>(
  { paths, backup, progress }: Pick<RestoreRequest, 'paths' | 'backup' | 'progress'>,
  use: (folders: UnpackFolders) => Promise<Result>,
): Promise<Result> {
  removeUnfinished(paths.profiles);
  removeUnfinished(paths.profileAudits);
  const made: string[] = [];
  const make = (beside: string): string => {
    const folder = newFolderIn(beside);
    made.push(folder);
    return folder;
  };
  try {
    const folders = { profile: make(paths.profiles), audit: make(paths.profileAudits) };
    await unpack(backup, folders, progress);
    return await use(folders);
  } catch (error) {
    throw diskError('cannot restore the backup', error);
  } finally {
    for (const folder of made) rmSync(folder, { recursive: true, force: true });
  }
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

function refuseExisting({ folder }: ProfilePaths, name: ProfileName): void {
  if (!isThere(folder)) return;
  throw new HushError('EXISTS', `the profile ${name} exists already`, {
    hint: 'give another name with -p, or put the older state over it with --replace',
  });
}
