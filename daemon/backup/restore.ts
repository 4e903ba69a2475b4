import { lstatSync, renameSync, rmSync } from 'node:fs';

import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import { renameIfFree } from '../../native/rename.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { checkDirectory } from '../home/safety.ts';
import { newFolderIn, removeUnfinished, setAsideAudit } from '../profiles/create.ts';
import { recordRestore } from './on-record.ts';
import { proveBackup, type Proof, type ProofParts } from './prove.ts';
import type { BackupFile } from './reader.ts';
import { unpack, type UnpackFolders } from './unpack.ts';

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

/**
 * Makes a profile out of a backup where there is none of that name. All files are written to folders of their own,
 * synced, and renamed into place, the audit first: a crash before the last rename leaves no profile, after it the whole
 * one. A daemon that runs finds it by itself. Throws EXISTS when there is a profile of that name, DAMAGED, INTEGRITY,
 * NEWER_FORMAT, WRONG_PASSPHRASE, WRONG_KEY, UNSAFE_MODE, UNAVAILABLE.
 */
export async function restoreProfile(request: RestoreRequest): Promise<Proof | undefined> {
  const { paths, name, backup } = request;
  const place = profilePathsOf(paths, name);
  for (const folder of paths.ownFolders) checkDirectory(folder);
  refuseExisting(place, name);
  return withUnpacked(request, async (folders) => {
    const proof = request.proof && (await proveBackup(backup.head, folders, request.proof));
    await recordRestore(folders.audit, name, backup.head.manifest);
    refuseExisting(place, name);
    setAsideAudit(place);
    // A crash here leaves an audit without a profile, which the next `init` or restore sets aside.
    renameSync(folders.audit, place.audit);
    syncFolder(paths.profileAudits);
    refuseExisting(place, name);
    if (!renameIfFree(folders.profile, place.folder)) renameSync(folders.profile, place.folder);
    syncFolder(paths.profiles);
    return proof;
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
