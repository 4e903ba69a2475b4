import { readdirSync } from 'node:fs';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import type { Chain } from '../audit/chain.ts';
import type { HomePaths } from '../home/paths.ts';
import { noSuchProfile, profileIn, type GuardOf, type Profile } from './profile.ts';
import type { Session } from './session.ts';

/** Which profiles there are. One that was asked for once is known from then on, and is the same object each time. */
export interface Registry {
  find(name: string): Profile | undefined;
  /** Throws NO_SUCH_PROFILE. */
  require(name: string): Profile;
  /** The session of an unlocked profile. Throws LOCKED. */
  session(name: string): Session;
  /** Those that were asked for since the start: only they can be open. */
  known(): Iterable<Profile>;
  /** Whether this very profile is still the one of its name. */
  isKnown(profile: Profile): boolean;
  /** The names of all folders that can be a profile's, sorted. */
  names(): ProfileName[];
  /** Takes a profile out that was deleted. */
  forget(profile: Profile): void;
}

/** The profiles below a home; nothing of it is read before it is asked for. */
export function createRegistry(paths: HomePaths, guardOf: GuardOf, daemonChain: Chain): Registry {
  const known = new Map<string, Profile>();

  const find = (name: string): Profile | undefined => {
    const profile = known.get(name) ?? profileIn(paths, name, guardOf, daemonChain);
    if (profile !== undefined) known.set(name, profile);
    return profile;
  };

  return {
    find,
    require(name) {
      const profile = find(name);
      if (profile !== undefined) return profile;
      throw noSuchProfile(name);
    },
    session(name) {
      const session = find(name)?.session;
      if (session !== undefined) return session;
      throw new HushError('LOCKED', `the profile ${name} is locked`, { hint: `hush unlock -p ${name}` });
    },
    known: () => known.values(),
    isKnown: (profile) => known.get(profile.name) === profile,
    names: () => readdirSync(paths.profiles).filter(isProfileName).sort(),
    forget(profile) {
      known.delete(profile.name);
    },
  };
}
