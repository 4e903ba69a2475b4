import type { Config } from '../daemon/config/config.ts';
import { loadConfig } from '../daemon/config/load.ts';
import { profilePathsOf, type HomePaths } from '../daemon/home/paths.ts';
import {
  argon2Default,
  calibrate,
  createArgon2Queue,
  type Argon2Cost,
  type Argon2Queue,
} from '../daemon/keys/passphrase.ts';
import { createSecureArena } from '../daemon/memory/secure-bytes.ts';
import { createProfile } from '../daemon/profiles/create.ts';
import { HushError } from '../protocol/errors.ts';
import type { ProfileName } from '../protocol/names.ts';
import { existsSync } from 'node:fs';
import type { Credential } from './credentials.ts';
import { stateOf, withDaemonIfRunning } from './daemon.ts';

/** Throws EXISTS if there is a profile of that name, before anybody is asked for a passphrase. */
export function refuseExisting(paths: HomePaths, name: ProfileName): void {
  if (!existsSync(profilePathsOf(paths, name).folder)) return;
  throw new HushError('EXISTS', `the profile ${name} exists already, and its keys are never made anew`, {
    hint: `hush unlock -p ${name}, or hush init -p with another name`,
  });
}

/**
 * Throws CONFLICT while the daemon of this home has a profile of that name open whose folder is gone: its audit is still
 * written to, and the folder may be put back.
 */
export async function refuseServed({ socket }: HomePaths, name: ProfileName): Promise<void> {
  const found = await withDaemonIfRunning((daemon) => stateOf(daemon, name), socket);
  if (found?.state !== 'unlocked') return;
  throw new HushError('CONFLICT', `a daemon has a profile ${name} open, whose folder was moved or removed`, {
    hint: `put the folder back; or hush lock -p ${name}, which gives it up, then hush init`,
  });
}

/** Makes a profile that each of the credentials opens, and gives its vault's id. Throws what `createProfile` throws. */
export async function makeProfile(
  paths: HomePaths,
  name: ProfileName,
  given: readonly Credential[],
): Promise<string> {
  const arena = createSecureArena();
  const argon2Queue = createArgon2Queue();
  try {
    const { kdf } = loadConfig(paths.config);
    const hasPassphrase = given.some(({ kind }) => kind === 'passphrase');
    const argon2Cost = hasPassphrase ? await costOf(kdf, argon2Queue) : argon2Default;
    const credentials = given.map((credential) => ({ ...credential, label: credential.kind }));
    const by = `uid:${process.geteuid?.() ?? 'unknown'}`;
    const { vaultId } = await createProfile({ paths, name, credentials, argon2Cost, argon2Queue, arena, by });
    return vaultId;
  } finally {
    arena.close();
  }
}

/** What the config says; where it is silent, what takes about half a second on this machine. */
async function costOf({ memoryMib, passes }: Config['kdf'], queue: Argon2Queue): Promise<Argon2Cost> {
  const measured = memoryMib === undefined || passes === undefined ? await calibrate(queue) : argon2Default;
  return {
    memoryKiB: memoryMib === undefined ? measured.memoryKiB : memoryMib * 1024,
    passes: passes ?? measured.passes,
  };
}
