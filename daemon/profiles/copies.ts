import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { diskError } from '../home/disk-errors.ts';
import type { HomePaths, ProfilePaths } from '../home/paths.ts';
import { isDoomed } from './destroy.ts';
import { isSetAside } from './exchange.ts';
import { claimedVaultId } from './unopened.ts';
import { isUnfinished } from './unfinished.ts';

/**
 * Where keys of a vault may lie in the home besides its profile: what a restore has put aside, what was kept before a
 * migration, and what a cut-off init, restore or deletion has left. Paths within `profiles`. They open with what opened
 * them then, and hold the keys of that time. Throws UNAVAILABLE.
 */
export function copiesInHome({ profiles }: HomePaths, { folder }: ProfilePaths, vaultId: string): string[] {
  const left = namesIn(profiles).filter((name) => isSetAside(name) || isUnfinished(name) || isDoomed(name));
  const kept = namesIn(join(folder, 'backups')).map((name) => join('backups', name));
  const own = folder.slice(profiles.length + 1);
  const found = [...left, ...kept.map((name) => join(own, name))];
  return found.filter((name) => mayHold(join(profiles, name), vaultId)).sort();
}

function namesIn(folder: string): string[] {
  try {
    const isFolder = lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
    return isFolder ? readdirSync(folder) : [];
  } catch (error) {
    throw diskError('cannot look for copies of the keys in the home', error);
  }
}

/** Whether a folder says that it is of this vault; one that holds something and cannot say what may be. */
function mayHold(folder: string, vaultId: string): boolean {
  const claimed = claimedVaultId(folder);
  return claimed === undefined ? namesIn(folder).length > 0 : claimed === vaultId;
}
