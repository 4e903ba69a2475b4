import { HushError } from '../../protocol/errors.ts';
import type { Chain } from '../audit/chain.ts';
import type { ChainHead } from '../audit/records.ts';
import type { ProfileState } from '../gates/gate.ts';
import { checkHome } from '../home/inspection.ts';
import type { JournalChain } from '../journal.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { HeaderBody, Slot } from '../keys/header.ts';
import type { Credential } from '../keys/slot.ts';
import { createGuard, type GuardTrouble } from '../unlock/guard.ts';
import type { Vault } from '../vault/vault.ts';
import { change, stopChanges } from './changes.ts';
import { copiesInHome } from './copies.ts';
import { setAsideAudit } from './create.ts';
import { doomFolder, removeDoomed } from './destroy.ts';
import { lock, lockAll, type LockedProfile, type LockingParts, type LockReason } from './locking.ts';
import { chainKeysOf, chainOf, settle } from './profile-chain.ts';
import { problemOf, setActive, stateOf, type Profile } from './profile.ts';
import { createRegistry } from './registry.ts';
import type { Session } from './session.ts';
import { createUnlock, type Unlocked, type UnlockingParts } from './unlocking.ts';

/** What is known of one profile, for `status`. */
export interface ProfileFacts {
  readonly name: string;
  readonly state: 'locked' | 'unlocked' | 'inactive';
  readonly problem: string | undefined;
  readonly session: Session | undefined;
}

/** A profile that is unlocked. */
export interface UnlockedProfile {
  readonly name: string;
  /** When it was unlocked, in ms since boot, suspended time included. */
  readonly openedAt: number;
  /** Whether a change of its keys or header is under way. */
  readonly busy: boolean;
}

/** The profiles of the home: which there are, and which of them are open. */
export interface Profiles {
  state(name: string): ProfileState;
  /** All that there are, in the order of their names. */
  facts(): readonly ProfileFacts[];
  /**
   * What opens a profile: each of the list alone, the members of one together. From its header, which is not proved
   * while it is locked; undefined where that cannot be read.
   */
  opensWith(name: string): readonly (readonly Pick<Slot, 'kind' | 'label'>[])[] | undefined;
  /** The vault of an unlocked profile. Throws LOCKED. */
  vault(name: string): Vault;
  /**
   * Opens a profile. The credentials are copied at once and the copies wiped at the end. Rejects as `openSession`
   * does, with NO_SUCH_PROFILE and PROFILE_INACTIVE before anything is tried, and with CONFLICT when the profile is
   * locked before it is open. `by`: the identity that asks; undefined for the daemon itself.
   */
  unlock(
    name: string,
    credentials: readonly Credential[],
    acceptRollback: string | undefined,
    by: string | undefined,
  ): Promise<Unlocked>;
  /** Earlier states of an unlocked profile's vault in this home: see `copiesInHome`. Throws LOCKED. */
  copies(name: string): string[];
  /** The keys and the vault of an unlocked profile. Throws LOCKED. */
  session(name: string): Session;
  /**
   * Runs a change of a profile's keys or header, one at a time: `what` names it to whoever comes while it is under way,
   * and is refused with CONFLICT. A lock meanwhile closes the session under it, so that its next step throws LOCKED;
   * work that takes long looks at the signal.
   */
  change<Result>(
    name: string,
    what: string,
    work: (session: Session, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result>;
  /** Ends the changes of keys or headers that take long, before their time: the daemon stops. */
  stopChanges(): void;
  /**
   * Seals and syncs the audit of an unlocked profile, and has the vault remember its end: vault, header and audit are
   * then of one moment. Answers the file of the audit and its last record. Throws LOCKED, UNAVAILABLE.
   */
  settle(name: string): { readonly auditFile: string; readonly head: ChainHead };
  /** Those that are unlocked. */
  unlocked(): readonly UnlockedProfile[];
  /** Locks; false if it was locked. With a reason that is put on record too. Throws NO_SUCH_PROFILE. */
  lock(name: string, reason?: LockReason): boolean;
  /**
   * Locks all profiles that `may` says, and ends what waits to unlock them; tells of each whether it was locked before.
   * One that fails to close in order does not keep the others open.
   */
  lockAll(may: (name: string) => boolean, reason?: LockReason): readonly LockedProfile[];
  /** Takes deactivation back; false if the profile was active. */
  activate(name: string): boolean;
  /** Locks, and keeps locked until `activate`; false if it was so already. */
  deactivate(name: string): boolean;
  /** Destroys a profile's keys and vault. Its audit is set aside. */
  delete(name: string): void;
  /** The chain of a profile that exists and whose audit can be opened, else the daemon's own. */
  chainOf(name: string | undefined): JournalChain;
  chains(): Iterable<JournalChain>;
  /** Has every unlocked profile look after itself; to be called once a second. */
  tick(): void;
  /** Locks everything and closes the chains. */
  close(): Promise<void>;
}

interface ProfilesParts extends UnlockingParts, LockingParts {
  readonly daemonChain: Chain;
  /** A clock in ms that never goes backwards; time in which the machine is suspended does not count. */
  readonly clock: () => number;
  /** Told of what the guard of a profile has met. */
  readonly onGuardTrouble: (profile: string, trouble: GuardTrouble) => void;
}

/** The profiles below a home. Nothing is opened before it is asked for; what a deletion has left is removed. */
export function createProfiles(parts: ProfilesParts): Profiles {
  const { paths, onUnsealed } = parts;
  removeDoomed(paths.profiles);
  const { clock } = parts;
  const since = clock();
  const registry = createRegistry(
    paths,
    (name, { backoff }) =>
      createGuard({
        path: backoff,
        clock,
        since,
        onTrouble: (trouble) => {
          parts.onGuardTrouble(name, trouble);
        },
      }),
    parts.daemonChain,
  );
  const { require, session } = registry;
  const daemonChain: JournalChain = {
    chain: parts.daemonChain,
    profile: undefined,
    canSeal: () => false,
    seal: () => undefined,
    isBehindDaemon: () => false,
    // Whichever profile is open vouches for what is kept of it.
    keys: () => {
      for (const { session: open } of registry.known()) if (open !== undefined) return chainKeysOf(open);
      return undefined;
    },
    keepHead: () => undefined,
  };

  const closeChain = async ({ name, chain }: Profile): Promise<void> => {
    await chain?.chain.close().catch((error: unknown) => {
      onUnsealed(name, error);
    });
  };

  return {
    state(name) {
      const profile = registry.find(name);
      return profile === undefined ? 'missing' : stateOf(profile);
    },
    facts() {
      // One that is open is told of although its folder is gone.
      const open = [...registry.known()].filter(({ session }) => session !== undefined);
      const names = new Set([...registry.names(), ...open.map(({ name }) => name)]);
      const problems = checkHome(paths);
      return [...names].sort().flatMap((name): ProfileFacts[] => {
        const profile = registry.find(name);
        if (profile === undefined) return [];
        const problem = (profile.session?.misplaced() ?? problemOf(name, problems))?.message;
        return [{ name, state: stateOf(profile), problem, session: profile.session }];
      });
    },
    opensWith: (name) => openersOf(require(name)),
    vault: (name) => session(name).vault,
    copies: (name) => copiesInHome(paths, require(name).paths, session(name).vault.vaultId),
    session,
    async change(name, what, work) {
      const open = session(name);
      return change(require(name), open, what, work);
    },
    stopChanges: () => {
      stopChanges(registry);
    },
    unlock: createUnlock(registry, parts),
    settle(name) {
      const chain = settle(require(name), session(name));
      return { auditFile: chain.file, head: chain.head() };
    },
    unlocked: () =>
      [...registry.known()]
        .filter(({ session }) => session !== undefined)
        .map(({ name, openedAt, changing }) => ({ name, openedAt, busy: changing !== undefined })),
    lock: (name, reason) => lock(require(name), parts, reason),
    lockAll: (may, reason) => lockAll(registry, may, parts, reason),
    activate: (name) => setActive(require(name), true),
    deactivate(name) {
      const profile = require(name);
      lock(profile, parts);
      return setActive(profile, false);
    },
    delete(name) {
      const profile = require(name);
      lock(profile, parts);
      doomFolder(paths.profiles, profile.paths.folder);
      registry.forget(profile);
      void closeChain(profile);
      setAsideAudit(profile.paths);
      removeDoomed(paths.profiles);
    },
    chainOf(name) {
      const profile = name === undefined ? undefined : registry.find(name);
      if (profile === undefined) return daemonChain;
      try {
        return chainOf(profile);
      } catch (error) {
        // Such a profile cannot be unlocked, which tells the reason; what is refused about it is on record here.
        if (error instanceof HushError) return daemonChain;
        throw error;
      }
    },
    *chains() {
      yield daemonChain;
      for (const { chain } of registry.known()) if (chain !== undefined) yield chain;
    },
    tick() {
      for (const profile of registry.known()) profile.session?.upkeep.tick(profile.changing === undefined);
    },
    async close() {
      for (const profile of registry.known()) {
        try {
          lock(profile, parts, 'stop');
        } catch (error) {
          onUnsealed(profile.name, error);
        }
      }
      for (const profile of registry.known()) await closeChain(profile);
    },
  };
}

/** What opens a profile: see `Profiles.opensWith`. */
function openersOf({ session, paths }: Profile): Slot[][] | undefined {
  try {
    return membersOf(session?.header() ?? readHeaderFile(paths.header).body);
  } catch (error) {
    // An unlock tells what is wrong with it.
    if (error instanceof HushError) return undefined;
    throw error;
  }
}

const membersOf = ({ openers, slots }: HeaderBody): Slot[][] =>
  openers.map((opener) => slots.filter(({ id }) => opener.slots.includes(id)));
