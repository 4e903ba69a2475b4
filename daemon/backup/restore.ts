import { lstatSync, renameSync } from 'node:fs';

import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import { renameIfFree } from '../../native/rename.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { checkDirectory } from '../home/safety.ts';
import { refuseWhileReplaced } from '../profiles/exchange.ts';
import { newFolderIn, removeUnfinished, type UnfinishedFolder } from '../profiles/unfinished.ts';
import { holdsKeysOfItsOwn } from '../profiles/unopened.ts';
import { fileOf } from './container.ts';
import { destroyedSince, type DestructionOnRecord } from './destroyed-since.ts';
import { keepAudit, knowsVault, type KeptAudit } from './kept-audit.ts';
import { refuseDestroyedBeside } from './kin.ts';
import { lockHome } from './lock-home.ts';
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
  /** One that stayed says at the next unlock what is older. */
  readonly audit: KeptAudit;
  /** What that audit tells of keys that were destroyed after the backup, which have come back to life with it. */
  readonly revived: readonly DestructionOnRecord[];
}

/**
 * Makes a profile out of a backup where there is none of that name. All files are written to folders of their own,
 * synced, and renamed into place, the audit first: a crash before the last rename leaves no profile, after it the whole
 * one, and its audit tells of the restore. A daemon that runs finds it by itself; only where the home has the audit of
 * this very vault none may run. Throws CONFLICT for that, and beside a profile of the same vault that has destroyed keys
 * which the backup holds; EXISTS when there is a profile of that name, DAMAGED, INTEGRITY, NEWER_FORMAT,
 * WRONG_PASSPHRASE, WRONG_KEY, UNSAFE_MODE, UNAVAILABLE.
 */
export async function restoreProfile(request: RestoreRequest): Promise<Restored> {
  const { paths, name, backup } = request;
  const { manifest } = backup.head;
  const place = profilePathsOf(paths, name);
  for (const folder of paths.ownFolders) checkDirectory(folder);
  refuseExisting(paths, place, name);
  return withUnpacked(request, async (folders) => {
    const refuse = (): void => {
      refuseExisting(paths, place, name);
      refuseDestroyedBeside(paths, manifest.vaultId, unpackedAt(folders, fileOf(manifest, 'keyset')));
    };
    refuse();
    const proof = request.proof && (await proveBackup(backup.head, folders, request.proof));
    // A daemon may have such an audit open, and must not write to it at the same time.
    const lock = knowsVault(place, manifest.vaultId) ? lockHome(paths) : undefined;
    try {
      const revived = lock === undefined ? [] : destroyedSince(place.audit, manifest);
      // Once the profile is there a daemon may write to its audit, unless it is kept out.
      const before = lock === undefined ? 'backup.restored' : 'backup.restoring';
      refuse();
      const audit = await keepAudit({
        place,
        name,
        vaultId: manifest.vaultId,
        ofBackup: folders.audit,
        record: (folder) => recordRestore(before, folder, name, manifest),
      });
      refuse();
      if (!renameIfFree(folders.profile, place.folder)) renameSync(folders.profile, place.folder);
      syncFolder(paths.profiles);
      if (lock !== undefined) await recordRestore('backup.restored', place.audit, name, manifest);
      return { proof, audit, revived };
    } finally {
      lock?.release();
    }
  });
}

/** Unpacks a backup into folders beside those of profiles and audits, and removes what is left of them at the end. */
export async function withUnpacked<Result>(
  { paths, backup, progress }: Pick<RestoreRequest, 'paths' | 'backup' | 'progress'>,
  use: (folders: UnpackFolders) => Promise<Result>,
): Promise<Result> {
  removeUnfinished(paths.profiles, (left) => !holdsKeysOfItsOwn(paths, left));
  removeUnfinished(paths.profileAudits);
  const made: UnfinishedFolder[] = [];
  const make = (beside: string): string => {
    const folder = newFolderIn(beside);
    made.push(folder);
    return folder.path;
  };
  try {
    const folders = { profile: make(paths.profiles), audit: make(paths.profileAudits) };
    await unpack(backup, folders, progress);
    return await use(folders);
  } catch (error) {
    throw diskError('cannot restore the backup', error);
  } finally {
    for (const folder of made) folder.end();
  }
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

function refuseExisting({ profiles }: HomePaths, { folder }: ProfilePaths, name: ProfileName): void {
  refuseWhileReplaced(profiles, name);
  if (!isThere(folder)) return;
  throw new HushError('EXISTS', `the profile ${name} exists already`, {
    hint: 'give another name with -p, or put the older state over it with --replace',
  });
}
