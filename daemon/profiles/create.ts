import { renameSync, lstatSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import { diskError, errnoOf } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { checkDirectory } from '../home/safety.ts';
import { createProfileKeys } from '../keys/create.ts';
import { writeHeaderFile } from '../keys/header-file.ts';
import { writeKeysetFile } from '../keys/keyset-file.ts';
import type { Argon2Cost, Argon2Queue } from '../keys/passphrase.ts';
import type { Credential } from '../keys/slot.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { createSqlcipherStore } from '../stores/sqlcipher.ts';
import { initialiseVault } from '../vault/vault.ts';
import { refuseWhileReplaced } from './exchange.ts';
import { newFolderIn, removeUnfinished } from './unfinished.ts';
import { holdsKeysOfItsOwn } from './unopened.ts';

/** What a new profile is made from. */
export interface NewProfile {
  readonly paths: HomePaths;
  readonly name: ProfileName;
  /** Any of them alone will open it; they stay the caller's to wipe. */
  readonly credentials: readonly (Credential & { readonly label: string })[];
  readonly argon2Cost: Argon2Cost;
  readonly argon2Queue: Argon2Queue;
  readonly arena: SecureArena;
  /** Who makes it, as the key set tells it. */
  readonly by: string;
}

/**
 * Makes a profile: the only place where keys are born without an unlock before it. All files are made in a folder of
 * their own, which is renamed into place when they are on the disk, so that a crash leaves the profile whole or not
 * at all. Throws EXISTS when there is a profile of that name, in whatever state, and touches nothing of it; and as
 * the parts do. Answers the id of its vault.
 */
export async function createProfile(request: NewProfile): Promise<{ readonly vaultId: string }> {
  const { paths, name } = request;
  for (const folder of paths.ownFolders) checkDirectory(folder);
  const place = profilePathsOf(paths, name);
  refuseExisting(paths, place.folder, name);
  removeUnfinished(paths.profiles, (left) => !holdsKeysOfItsOwn(paths, left));

  const unfinished = newFolderIn(paths.profiles);
  const folder = unfinished.path;
  const files = {
    ...place,
    folder,
    header: join(folder, 'header'),
    keyset: join(folder, 'keyset'),
    vault: join(folder, 'vault.db'),
  };
  try {
    const vaultId = await writeProfile(request, files);
    refuseExisting(paths, place.folder, name);
    setAsideAudit(place);
    renameSync(folder, place.folder);
    syncFolder(paths.profiles);
    return { vaultId };
  } catch (error) {
    if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') throw exists(name);
    throw error instanceof HushError ? error : diskError(`cannot make the profile ${name}`, error);
  } finally {
    unfinished.end();
  }
}

async function writeProfile(request: NewProfile, files: ProfilePaths): Promise<string> {
  const { arena } = request;
  const createdAt = new Date().toISOString();
  const keys = await createProfileKeys({ ...request, createdAt });
  try {
    const label = `profiles/${request.name}/vault.db`;
    const store = createSqlcipherStore({ path: files.vault, label, key: keys.vaultFileKey.bytes });
    initialiseVault({ store, keyring: keys.keyring, arena });
    store.close();
    writeKeysetFile(files.keyset, keys.keysetLines);
    writeHeaderFile(files.header, keys.headerBytes);
    return keys.header.vaultId;
  } finally {
    keys.keyring.close();
    keys.vaultFileKey.wipe();
  }
}

/**
 * Moves the audit of an earlier profile of this name out of the way: its seals belong to another vault. It is kept,
 * under a name that no profile can have, which is the answer; undefined where there was none. Throws UNAVAILABLE.
 */
export function setAsideAudit({ audit }: Pick<ProfilePaths, 'audit'>): string | undefined {
  if (lstatSync(audit, { throwIfNoEntry: false }) === undefined) return undefined;
  const kept = join(
    dirname(audit),
    `${basename(audit)}.${new Date().toISOString().replaceAll(/[:.]/g, '-')}`,
  );
  try {
    renameSync(audit, kept);
    syncFolder(dirname(audit));
    return kept;
  } catch (error) {
    throw diskError('cannot set the audit of an earlier profile aside', error);
  }
}

const exists = (name: string): HushError =>
  new HushError('EXISTS', `the profile ${name} exists already, and its keys are never made anew`, {
    hint: `hush unlock -p ${name}, or hush init -p with another name`,
  });

function refuseExisting({ profiles }: HomePaths, folder: string, name: ProfileName): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined) throw exists(name);
  refuseWhileReplaced(profiles, name);
}
