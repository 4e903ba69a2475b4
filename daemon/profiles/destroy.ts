import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';

/** Folders of deleted profiles; no profile can have such a name. */
const doomedName = /^\.deleted-[0-9a-f]{16}$/;

/** Whether a folder's name is one that `doomFolder` gives. */
export const isDoomed = (name: string): boolean => doomedName.test(name);

/** Takes a profile's folder out of `profiles` in one step: from then on it is deleted. Throws UNAVAILABLE; then it is not. */
export function doomFolder(profiles: string, folder: string): void {
  try {
    renameSync(folder, join(profiles, `.deleted-${randomBytes(8).toString('hex')}`));
  } catch (error) {
    throw diskError('cannot delete the profile', error);
  }
}

/** Removes all doomed folders, also those that a crash or the disk has left of an earlier deletion. Throws UNAVAILABLE. */
export function removeDoomed(profiles: string): void {
  try {
    syncFolder(profiles);
    for (const name of readdirSync(profiles)) {
      if (isDoomed(name)) rmSync(join(profiles, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw diskError('cannot remove all that is left of a deleted profile', error);
  }
}
