import { HushError } from '../../protocol/errors.ts';
import { processPrefix } from '../audit/opening.ts';
import { diskError } from '../home/disk-errors.ts';
import { collectGarbage } from '../memory/collect.ts';
import type { Profile } from './profile.ts';
import { chainOf, settle, type OnUnsealed } from './profile-chain.ts';
import type { Registry } from './registry.ts';
import { runAll } from './run-all.ts';

/** Why a profile is locked where no request asks for it: those are on record by themselves. */
export type LockReason = 'idle' | 'age' | 'suspend' | 'signal' | 'stop';

/** Who hears of a lock. */
export interface LockingParts {
  /** Told when a profile was locked without its last audit records being sealed. */
  readonly onUnsealed: OnUnsealed;
  /** Told of each lock while nothing but authority is taken back: what somebody was allowed until then ends with it. */
  readonly onLock: (profile: string) => void;
}

/**
 * The one way out of an unlocked profile, for a request, for auto-lock, a signal and the end of the daemon. First all
 * authority ends: requests find the profile locked, unlocks and changes under way fail, approvals are void. Then its
 * audit is sealed, the cache wiped, the store closed and the keys wiped, whatever fails on the way. False if it was locked.
 */
export function lock(profile: Profile, { onUnsealed, onLock }: LockingParts, reason?: LockReason): boolean {
  const { session } = profile;
  profile.locks++;
  profile.session = undefined;
  onLock(profile.name);
  if (session === undefined) return false;
  profile.changing?.ending.abort(new HushError('LOCKED', 'the profile was locked meanwhile'));
  try {
    if (reason !== undefined) noteLock(profile, reason);
    session.upkeep.end();
    settle(profile, session);
  } catch (error) {
    onUnsealed(profile.name, error);
  } finally {
    runAll([session.close, collectGarbage]);
  }
  return true;
}

/** Before the seal, which then vouches for it. */
function noteLock(profile: Profile, reason: LockReason): void {
  const { name } = profile;
  chainOf(profile).chain.append({
    event: 'lock',
    who: processPrefix(),
    profile: name,
    outcome: 'ok',
    detail: { reason },
  });
}

/** What became of one of the profiles that were to be locked. */
export interface LockedProfile {
  readonly name: string;
  /** Whether it was locked before. */
  readonly already: boolean;
}

/** Locks all profiles that `may` says: see `Profiles.lockAll`. Throws the first error, UNAVAILABLE for a list that fails. */
export function lockAll(
  registry: Registry,
  may: (name: string) => boolean,
  parts: LockingParts,
  reason?: LockReason,
): readonly LockedProfile[] {
  // Those that were used since the start can be open; the rest is told of, and cannot keep them from being locked.
  const locked = new Map<string, boolean>();
  const problems: unknown[] = [];
  for (const profile of registry.known()) {
    if (!may(profile.name)) continue;
    try {
      locked.set(profile.name, !lock(profile, parts, reason));
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw problems[0];
  try {
    for (const name of registry.names()) if (!locked.has(name) && may(name)) locked.set(name, true);
  } catch (error) {
    throw diskError('what was open is locked; the other profiles cannot be listed', error);
  }
  return [...locked].map(([name, already]) => ({ name, already })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
