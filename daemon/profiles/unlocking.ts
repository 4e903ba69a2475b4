import { HushError } from '../../protocol/errors.ts';
import { profileConfigOf, type CacheConfig, type Config } from '../config/config.ts';
import { checkHome } from '../home/inspection.ts';
import type { HomePaths } from '../home/paths.ts';
import type { Argon2Queue } from '../keys/passphrase.ts';
import { checkCredential, type Credential } from '../keys/slot.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import type { ResealingEvent } from '../vault/resealing.ts';
import { withCopies } from './credential-copies.ts';
import { doubtOfDaemon } from './daemon-audit.ts';
import { noSuchProfile, problemOf, stateOf, type Profile } from './profile.ts';
import { chainInPlace, type OnUnsealed } from './profile-chain.ts';
import type { Registry } from './registry.ts';
import { openSession, type SessionParts } from './session.ts';
import type { Raised } from './slots.ts';
import type { UpkeepEvent } from './upkeep.ts';

/** What profiles are unlocked with. */
export interface UnlockingParts {
  readonly paths: HomePaths;
  readonly config: () => Config;
  /** The cache's bounds, with the TTL that the command line or the environment asks for. */
  readonly cache: () => CacheConfig;
  readonly arena: SecureArena;
  readonly argon2Queue: Argon2Queue;
  /** Where values are opened for their way out. */
  readonly scratch: Scratch;
  /** Told when a profile was locked without its last audit records being sealed. */
  readonly onUnsealed: OnUnsealed;
  /** Told of each slot whose Argon2id an unlock has raised, or could not raise. */
  readonly onRaised: (profile: string, outcome: Raised) => void;
  /** Told when an unlock finds that the daemon's own audit is not what the profile's seals vouch for. */
  readonly onDaemonDoubt: (profile: string, error: HushError) => void;
  /** Told of what an unlocked profile did by itself, or could not do. */
  readonly onUpkeep: (profile: string, event: UpkeepEvent | ResealingEvent) => void;
  /** A clock in ms since boot that counts suspended time. */
  readonly bootClock: () => number;
}

/** What an unlock has come to. */
export interface Unlocked {
  readonly vaultId: string;
  readonly already: boolean;
  /** Whether it has put another header in place: with a dearer Argon2id, or past a state that was given up. */
  readonly headerChanged: boolean;
  /** What the operator should know, although it is open. */
  readonly warning: string | undefined;
}

/** See `Profiles.unlock`. */
export type Unlock = (
  name: string,
  credentials: readonly Credential[],
  acceptRollback: string | undefined,
  by: string | undefined,
) => Promise<Unlocked>;

/**
 * Each waiting unlock holds its credentials in the arena. Those with a passphrase, and those without: so that somebody
 * who guesses passphrases does not keep the owner of a key out.
 */
const mostWaiting = 8;

/** The unlock of the profiles of a registry: one after the other for each. */
export function createUnlock(registry: Registry, parts: UnlockingParts): Unlock {
  const open = async (
    profile: Profile,
    credentials: readonly Credential[],
    accept: string | undefined,
    by: string | undefined,
    locks: number,
  ): Promise<Unlocked> => {
    // It may have been deleted or locked while this unlock waited for the one before.
    if (!registry.isKnown(profile)) throw noSuchProfile(profile.name);
    if (profile.locks !== locks) throw lockedMeanwhile(profile.name);
    if (profile.session !== undefined) {
      return {
        vaultId: profile.session.vault.vaultId,
        already: true,
        headerChanged: false,
        warning: undefined,
      };
    }
    if (!profile.active) {
      throw new HushError('PROFILE_INACTIVE', `the profile ${profile.name} is deactivated`, {
        hint: `hush profile activate ${profile.name}`,
      });
    }
    const problem = problemOf(profile.name, checkHome(parts.paths));
    if (problem !== undefined) throw problem;
    const given = sessionParts(profile, parts, accept);
    const session = await openSession(given, credentials, by);
    const doubt = await doubtOfDaemon(given.chain, profile.daemonChain, session).catch((error: unknown) => {
      session.close();
      throw error;
    });
    if (profile.locks !== locks) {
      session.close();
      throw lockedMeanwhile(profile.name);
    }
    profile.session = session;
    profile.openedAt = parts.bootClock();
    session.upkeep.begin();
    if (doubt !== undefined) parts.onDaemonDoubt(profile.name, doubt);
    const { vault, headerChanged } = session;
    return { vaultId: vault.vaultId, already: false, headerChanged, warning: doubt?.message };
  };

  return async (name, credentials, acceptRollback, by) => {
    const profile = registry.require(name);
    for (const credential of credentials) checkCredential(credential);
    // Whoever has to wait anyway does not take a place in the queue.
    if (by !== undefined && stateOf(profile) === 'locked') profile.guard.requireTurn(by, credentials);
    const queue = credentials.some(({ kind }) => kind === 'passphrase') ? 'passphrases' : 'keys';
    return withCopies(parts.arena, credentials, (copies) => {
      if (profile.waiting[queue] >= mostWaiting) {
        throw new HushError('LIMIT_EXCEEDED', `${mostWaiting} unlocks of this profile are under way`, {
          hint: 'wait, then try again',
        });
      }
      profile.waiting[queue]++;
      const { locks } = profile;
      const attempt = profile.unlocking.then(() => open(profile, copies, acceptRollback, by, locks));
      const ended = (): void => {
        profile.waiting[queue]--;
      };
      profile.unlocking = attempt.then(ended, ended);
      return attempt;
    });
  };
}

/** What the session of a profile is opened with. */
function sessionParts(
  profile: Profile,
  parts: UnlockingParts,
  acceptRollback: string | undefined,
): SessionParts {
  const { name } = profile;
  const configOfProfile = () => profileConfigOf(parts.config(), name);
  return {
    name,
    paths: profile.paths,
    guard: profile.guard,
    chain: chainInPlace(profile, parts.onUnsealed),
    arena: parts.arena,
    scratch: parts.scratch,
    argon2Queue: parts.argon2Queue,
    cache: parts.cache(),
    maxTenants: configOfProfile().maxTenants,
    keptVersions: () => configOfProfile().versions,
    acceptRollback,
    rotationRule: () => configOfProfile().rotation,
    onUpkeep: (event) => {
      parts.onUpkeep(name, event);
    },
    wantedCost: () => {
      const { memoryMib, passes } = parts.config().kdf;
      return {
        ...(memoryMib === undefined ? {} : { memoryKiB: memoryMib * 1024 }),
        ...(passes === undefined ? {} : { passes }),
      };
    },
    onRaised: (outcome) => {
      parts.onRaised(name, outcome);
    },
  };
}

const lockedMeanwhile = (name: string): HushError =>
  new HushError('CONFLICT', `the profile ${name} was locked meanwhile`, { hint: `hush unlock -p ${name}` });
