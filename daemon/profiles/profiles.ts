import { closeSync, constants, existsSync, readdirSync, rmSync } from 'node:fs';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { openChain, type Chain } from '../audit/chain.ts';
import type { ChainHead } from '../audit/records.ts';
import { profileConfigOf, type CacheConfig, type Config } from '../config/config.ts';
import type { ProfileState } from '../gates/gate.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { checkHome, type HomeProblem } from '../home/inspection.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { openSafeFile, unsafeError } from '../home/safety.ts';
import type { JournalChain } from '../journal.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { HeaderBody, Slot } from '../keys/header.ts';
import type { Argon2Queue } from '../keys/passphrase.ts';
import { checkCredential, type Credential } from '../keys/slot.ts';
import { collectGarbage } from '../memory/collect.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import type { ResealingEvent } from '../vault/resealing.ts';
import type { Vault } from '../vault/vault.ts';
import { copiesInHome } from './copies.ts';
import { setAsideAudit } from './create.ts';
import { withCopies } from './credential-copies.ts';
import { doomFolder, removeDoomed } from './destroy.ts';
import { openSession, type Session } from './session.ts';
import type { Raised } from './slots.ts';
import type { UpkeepEvent } from './upkeep.ts';

/** What is known of one profile, for `status`. */
export interface ProfileFacts {
  readonly name: string;
  readonly state: 'locked' | 'unlocked' | 'inactive';
  readonly problem: string | undefined;
  readonly session: Session | undefined;
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
   * locked before it is open. `raised`: whether it has put another header in place, with a dearer Argon2id.
   */
  unlock(
    name: string,
    credentials: readonly Credential[],
    acceptRollback: string | undefined,
  ): Promise<{ vaultId: string; already: boolean; raised: boolean }>;
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
  /** Locks; false if it was locked. Throws NO_SUCH_PROFILE. */
  lock(name: string): boolean;
  /**
   * Locks all profiles that `may` says, and ends what waits to unlock them; tells of each whether it was locked before.
   * One that fails to close in order does not keep the others open.
   */
  lockAll(may: (name: string) => boolean): readonly { readonly name: string; readonly already: boolean }[];
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

const membersOf = ({ openers, slots }: HeaderBody): Slot[][] =>
  openers.map((opener) => slots.filter(({ id }) => opener.slots.includes(id)));

/** Each waiting unlock holds its credentials in the arena. */
const mostWaiting = 8;

interface ProfilesParts {
  readonly paths: HomePaths;
  readonly daemonChain: Chain;
  readonly config: () => Config;
  /** The cache's bounds, with the TTL that the command line or the environment asks for. */
  readonly cache: () => CacheConfig;
  readonly arena: SecureArena;
  readonly argon2Queue: Argon2Queue;
  /** Where values are opened for their way out. */
  readonly scratch: Scratch;
  /** Told when a profile was locked without its last audit records being sealed. */
  readonly onUnsealed: (profile: string, error: unknown) => void;
  /** Told of each slot whose Argon2id an unlock has raised, or could not raise. */
  readonly onRaised: (profile: string, outcome: Raised) => void;
  /** Told of what an unlocked profile did by itself, or could not do. */
  readonly onUpkeep: (profile: string, event: UpkeepEvent | ResealingEvent) => void;
}

interface Profile {
  readonly name: ProfileName;
  readonly paths: ProfilePaths;
  active: boolean;
  session: Session | undefined;
  /** The unlock that is under way, if one is: the next waits for it. */
  unlocking: Promise<unknown>;
  /** How many unlocks are under way or wait. */
  waiting: number;
  /** The change of keys or header that is under way. */
  changing: { readonly what: string; readonly ending: AbortController } | undefined;
  /** Grows with each lock, so that an unlock under way notices that it was overtaken. */
  locks: number;
  chain: (JournalChain & { readonly chain: Chain }) | undefined;
}

/** The profiles below a home. Nothing is opened before it is asked for; what a deletion has left is removed. */
export function createProfiles(parts: ProfilesParts): Profiles {
  const { paths, arena } = parts;
  removeDoomed(paths.profiles);
  const known = new Map<string, Profile>();
  const daemonChain: JournalChain = {
    chain: parts.daemonChain,
    canSeal: () => false,
    seal: () => undefined,
    keepHead: () => undefined,
  };

  const noSuchProfile = (name: string): HushError =>
    new HushError('NO_SUCH_PROFILE', `there is no profile ${name}`, { hint: `hush init -p ${name}` });

  const lockedMeanwhile = (name: string): HushError =>
    new HushError('CONFLICT', `the profile ${name} was locked meanwhile`, { hint: `hush unlock -p ${name}` });

  const find = (name: string): Profile | undefined => {
    const profile = known.get(name);
    if (profile !== undefined) return profile;
    if (!isProfileName(name)) return undefined;
    const files = profilePathsOf(paths, name);
    // A folder without a header is a damaged profile, never a place for a new one.
    if (!existsSync(files.folder)) return undefined;
    const found: Profile = {
      name,
      paths: files,
      active: !existsSync(files.inactive),
      session: undefined,
      unlocking: Promise.resolve(),
      waiting: 0,
      changing: undefined,
      locks: 0,
      chain: undefined,
    };
    known.set(name, found);
    return found;
  };

  const require = (name: string): Profile => {
    const profile = find(name);
    if (profile !== undefined) return profile;
    throw noSuchProfile(name);
  };

  const chainOf = (profile: Profile): JournalChain & { chain: Chain } => {
    profile.chain ??= {
      chain: openChain(profile.paths.audit, profile.name),
      canSeal: () => profile.session !== undefined,
      seal() {
        const { session } = profile;
        if (session !== undefined) this.chain.seal(session.sealState(), session.auditKey());
      },
      keepHead(atOnce) {
        const { session } = profile;
        if (session === undefined) return;
        session.vault.noteAuditHead(this.chain.syncedHead());
        if (atOnce) session.vault.persistAuditHead();
      },
    };
    return profile.chain;
  };

  /** The chain in the file that is at its path now: mending a file puts another one there. */
  const chainInPlace = (profile: Profile): Chain => {
    const own = chainOf(profile);
    if (own.chain.isInPlace()) return own.chain;
    const left = own.chain;
    own.chain = openChain(profile.paths.audit, profile.name);
    left.close().catch((error: unknown) => {
      parts.onUnsealed(profile.name, error);
    });
    return own.chain;
  };

  const problemIn = (problems: readonly HomeProblem[], name: string): HushError | undefined => {
    const own = problems.filter((problem) => problem.profile === name);
    return own.length === 0 ? undefined : unsafeError(own);
  };

  const open = async (
    profile: Profile,
    credentials: readonly Credential[],
    accept: string | undefined,
    locks: number,
  ) => {
    // It may have been deleted or locked while this unlock waited for the one before.
    if (known.get(profile.name) !== profile) throw noSuchProfile(profile.name);
    if (profile.locks !== locks) throw lockedMeanwhile(profile.name);
    if (profile.session !== undefined) {
      return { vaultId: profile.session.vault.vaultId, already: true, raised: false };
    }
    if (!profile.active) {
      throw new HushError('PROFILE_INACTIVE', `the profile ${profile.name} is deactivated`, {
        hint: `hush profile activate ${profile.name}`,
      });
    }
    const problem = problemIn(checkHome(paths), profile.name);
    if (problem !== undefined) throw problem;
    const chain = chainInPlace(profile);
    let raised = false;
    const session = await openSession(
      {
        name: profile.name,
        paths: profile.paths,
        chain,
        arena,
        scratch: parts.scratch,
        argon2Queue: parts.argon2Queue,
        cache: parts.cache(),
        maxTenants: profileConfigOf(parts.config(), profile.name).maxTenants,
        acceptRollback: accept,
        rotationRule: () => profileConfigOf(parts.config(), profile.name).rotation,
        onUpkeep: (event) => {
          parts.onUpkeep(profile.name, event);
        },
        wantedCost: () => {
          const { memoryMib, passes } = parts.config().kdf;
          return {
            ...(memoryMib === undefined ? {} : { memoryKiB: memoryMib * 1024 }),
            ...(passes === undefined ? {} : { passes }),
          };
        },
        onRaised: (outcome) => {
          raised ||= 'cost' in outcome;
          parts.onRaised(profile.name, outcome);
        },
      },
      credentials,
    );
    if (profile.locks !== locks) {
      session.close();
      throw lockedMeanwhile(profile.name);
    }
    profile.session = session;
    session.upkeep.begin();
    return { vaultId: session.vault.vaultId, already: false, raised };
  };

  const unlock: Profiles['unlock'] = async (name, credentials, acceptRollback) => {
    const profile = require(name);
    for (const credential of credentials) checkCredential(credential);
    return withCopies(arena, credentials, (copies) => {
      if (profile.waiting >= mostWaiting) {
        throw new HushError('LIMIT_EXCEEDED', `${mostWaiting} unlocks of this profile are under way`, {
          hint: 'wait, then try again',
        });
      }
      profile.waiting++;
      const { locks } = profile;
      const attempt = profile.unlocking.then(() => open(profile, copies, acceptRollback, locks));
      const ended = (): void => {
        profile.waiting--;
      };
      profile.unlocking = attempt.then(ended, ended);
      return attempt;
    });
  };

  const sessionOf = (name: string): Session => {
    const session = find(name)?.session;
    if (session !== undefined) return session;
    throw new HushError('LOCKED', `the profile ${name} is locked`, { hint: `hush unlock -p ${name}` });
  };

  const settle = (profile: Profile, session: Session): Chain => {
    const { chain } = chainOf(profile);
    chain.flush();
    // A head that the vault remembers must have a seal before it, or it looks as if the seals were cut off.
    const isKnown = session.vault.auditHead()?.hash === chain.head().hash;
    if (chain.unsealed() > 0 || !isKnown) chain.seal(session.sealState(), session.auditKey());
    // So that the last records before a lock cannot be cut off without a trace.
    chain.syncNow();
    session.vault.noteAuditHead(chain.syncedHead());
    session.vault.persistAuditHead();
    return chain;
  };

  const lockProfile = (profile: Profile): boolean => {
    const { session } = profile;
    profile.locks++;
    if (session === undefined) return false;
    profile.session = undefined;
    try {
      session.upkeep.end();
      settle(profile, session);
    } catch (error) {
      parts.onUnsealed(profile.name, error);
    } finally {
      session.close();
      collectGarbage();
    }
    return true;
  };

  const requireActiveFlag = (profile: Profile, active: boolean): boolean => {
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
  };

  return {
    state(name) {
      const profile = find(name);
      if (profile === undefined) return 'missing';
      if (!profile.active) return 'inactive';
      return profile.session === undefined ? 'locked' : 'unlocked';
    },
    facts() {
      const names = readdirSync(paths.profiles).filter(isProfileName).sort();
      const problems = checkHome(paths);
      return names.flatMap((name): ProfileFacts[] => {
        const profile = find(name);
        if (profile === undefined) return [];
        const state = profile.active ? (profile.session === undefined ? 'locked' : 'unlocked') : 'inactive';
        return [{ name, state, problem: problemIn(problems, name)?.message, session: profile.session }];
      });
    },
    opensWith(name) {
      const profile = require(name);
      try {
        return membersOf(profile.session?.header() ?? readHeaderFile(profile.paths.header).body);
      } catch (error) {
        // An unlock tells what is wrong with it.
        if (error instanceof HushError) return undefined;
        throw error;
      }
    },
    vault: (name) => sessionOf(name).vault,
    copies: (name) => copiesInHome(paths, require(name).paths, sessionOf(name).vault.vaultId),
    session: sessionOf,
    async change(name, what, work) {
      const session = sessionOf(name);
      const profile = require(name);
      if (profile.changing !== undefined) {
        throw new HushError(
          'CONFLICT',
          `another change of this profile's keys is under way: ${profile.changing.what}`,
          {
            hint: 'wait until it is done, then try again',
          },
        );
      }
      const ending = new AbortController();
      profile.changing = { what, ending };
      try {
        return await work(session, ending.signal);
      } finally {
        profile.changing = undefined;
      }
    },
    stopChanges() {
      const reason = new HushError('UNAVAILABLE', 'the daemon stops; nothing was changed', {
        hint: 'hush start',
      });
      for (const { changing } of known.values()) changing?.ending.abort(reason);
    },
    unlock,
    settle(name) {
      const chain = settle(require(name), sessionOf(name));
      return { auditFile: chain.file, head: chain.head() };
    },
    lock: (name) => lockProfile(require(name)),
    lockAll(may) {
      // Those that were used since the start can be open; the rest is told of, and cannot keep them from being locked.
      const locked = new Map<string, boolean>();
      const problems: unknown[] = [];
      for (const profile of known.values()) {
        if (!may(profile.name)) continue;
        try {
          locked.set(profile.name, !lockProfile(profile));
        } catch (error) {
          problems.push(error);
        }
      }
      if (problems.length > 0) throw problems[0];
      try {
        for (const name of readdirSync(paths.profiles).filter(isProfileName)) {
          if (!known.has(name) && may(name)) locked.set(name, true);
        }
      } catch (error) {
        throw diskError('what was open is locked; the other profiles cannot be listed', error);
      }
      return [...locked]
        .map(([name, already]) => ({ name, already }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    activate: (name) => requireActiveFlag(require(name), true),
    deactivate(name) {
      const profile = require(name);
      lockProfile(profile);
      return requireActiveFlag(profile, false);
    },
    delete(name) {
      const profile = require(name);
      lockProfile(profile);
      doomFolder(paths.profiles, profile.paths.folder);
      known.delete(profile.name);
      const closed = profile.chain?.chain.close() ?? Promise.resolve();
      closed.catch((error: unknown) => {
        parts.onUnsealed(profile.name, error);
      });
      setAsideAudit(profile.paths);
      removeDoomed(paths.profiles);
    },
    chainOf(name) {
      const profile = name === undefined ? undefined : find(name);
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
      for (const { chain } of known.values()) if (chain !== undefined) yield chain;
    },
    tick() {
      for (const { session, changing } of known.values()) session?.upkeep.tick(changing === undefined);
    },
    async close() {
      for (const profile of known.values()) lockProfile(profile);
      for (const { name, chain } of known.values()) {
        await chain?.chain.close().catch((error: unknown) => {
          parts.onUnsealed(name, error);
        });
      }
    },
  };
}
