import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import type { HomePaths, ProfilePaths } from '../home/paths.ts';
import { readHeaderFile } from '../keys/header-file.ts';

/** What the folders of profiles that a restore has put aside begin with. */
const replacedName = '.replaced-';

/**
 * The earlier states of a vault that still lie in the home: those that a restore put aside, and those kept before a
 * migration. Paths within `profiles`. They open with what opened them then, and hold the keys of that time.
 */
export function copiesInHome({ profiles }: HomePaths, { folder }: ProfilePaths, vaultId: string): string[] {
  const replaced = namesIn(profiles).filter((name) => name.startsWith(replacedName));
  const kept = namesIn(join(folder, 'backups')).map((name) => join('backups', name));
  const own = folder.slice(profiles.length + 1);
  const found = [...replaced, ...kept.map((name) => join(own, name))];
  return found.filter((name) => mayHold(join(profiles, name, 'header'), vaultId)).sort();
}

const namesIn = (folder: string): string[] =>
  lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];

/** Whether a folder's header is this vault's; one that cannot be read may be. */
function mayHold(header: string, vaultId: string): boolean {
  try {
    return readHeaderFile(header).body.vaultId === vaultId;
  } catch (error) {
    if (error instanceof HushError) return true;
    throw error;
  }
}
