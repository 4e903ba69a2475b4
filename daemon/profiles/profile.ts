import { closeSync, constants, existsSync, rmSync } from 'node:fs';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import type { Chain } from '../audit/chain.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import type { HomeProblem } from '../home/inspection.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { openSafeFile, unsafeError } from '../home/safety.ts';
import type { JournalChain } from '../journal.ts';
import type { Guard } from '../unlock/guard.ts';
import type { Session } from './session.ts';

/** The audit chain of a profile; mending its file by hand puts another one in its place. */
export type ProfileChain = JournalChain & { chain: Chain };

/** One profile of the home, and what of it is open. */
export interface Profile {
  readonly name: ProfileName;
  readonly paths: ProfilePaths;
  active: boolean;
  session: Session | undefined;
  /** When it was unlocked last, in ms since boot, suspended time included. */
  openedAt: number;
  /** Stands before whatever tries passphrases on it. */
  readonly guard: Guard;
  /** The unlock that is under way, if one is: the next waits for it. */
  unlocking: Promise<unknown>;
  /** How many unlocks are under way or wait: those with a passphrase, and those without. */
  readonly waiting: { passphrases: number; keys: number };
  /** The change of keys or header that is under way. */
  changing: { readonly what: string; readonly ending: AbortController } | undefined;
  /** Grows with each lock, so that an unlock under way notices that it was overtaken. */
  locks: number;
  chain: ProfileChain | undefined;
  /** The daemon's own, which the seals of this profile's vouch for. */
  readonly daemonChain: Chain;
}

/** Makes the guard of a profile. */
export type GuardOf = (name: ProfileName, paths: ProfilePaths) => Guard;

/** The profile of that name as it lies in the home, with nothing of it opened; undefined where there is none. */
export function profileIn(
  home: HomePaths,
  name: string,
  guardOf: GuardOf,
  daemonChain: Chain,
): Profile | undefined {
  if (!isProfileName(name)) return undefined;
  const paths = profilePathsOf(home, name);
  // A folder without a header is a damaged profile, never a place for a new one.
  if (!existsSync(paths.folder)) return undefined;
  return {
    name,
    paths,
    active: !existsSync(paths.inactive),
    session: undefined,
    openedAt: 0,
    guard: guardOf(name, paths),
    unlocking: Promise.resolve(),
    waiting: { passphrases: 0, keys: 0 },
    changing: undefined,
    locks: 0,
    chain: undefined,
    daemonChain,
  };
}

/** What gates and `status` call the state of a profile. */
export function stateOf({ active, session }: Profile): 'locked' | 'unlocked' | 'inactive' {
  if (!active) return 'inactive';
  return session === undefined ? 'locked' : 'unlocked';
}

/** Activates or deactivates a profile, for good; false if it was so already. Throws UNAVAILABLE; then it stays. */
export function setActive(profile: Profile, active: boolean): boolean {
  if (profile.active === active) return false;
  try {
    if (active) rmSync(profile.paths.inactive, { force: true });
    else closeSync(openSafeFile(profile.paths.inactive, constants.O_WRONLY | constants.O_CREAT));
    syncFolder(profile.paths.folder);
  } catch (error) {
    throw diskError(`cannot ${active ? 'activate' : 'deactivate'} the profile ${profile.name}`, error);
  }
  profile.active = active;
  return true;
}

/** The error that keeps a profile locked, of all that is unsafe in the home; undefined where nothing of it is. */
export function problemOf(name: string, problems: readonly HomeProblem[]): HushError | undefined {
  const own = problems.filter(({ profile }) => profile === name);
  return own.length === 0 ? undefined : unsafeError(own);
}

/** NO_SUCH_PROFILE. */
export const noSuchProfile = (name: string): HushError =>
  new HushError('NO_SUCH_PROFILE', `there is no profile ${name}`, { hint: `hush init -p ${name}` });
