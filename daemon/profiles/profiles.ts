import { closeSync, constants, existsSync, readdirSync, rmSync } from 'node:fs';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { openChain, type Chain } from '../audit/chain.ts';
import { profileConfigOf, type CacheConfig, type Config } from '../config/config.ts';
import type { ProfileState } from '../gates/gate.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { checkHome, type HomeProblem } from '../home/inspection.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { openSafeFile, unsafeError } from '../home/safety.ts';
import type { JournalChain } from '../journal.ts';
import type { Argon2Queue } from '../keys/passphrase.ts';
import { checkCredential, type Credential } from '../keys/slot.ts';
import { collectGarbage } from '../memory/collect.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import type { Vault } from '../vault/vault.ts';
import { setAsideAudit } from './create.ts';
import { doomFolder, removeDoomed } from './destroy.ts';
import { openSession, type Session } from './session.ts';

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
  /** The vault of an unlocked profile. Throws LOCKED. */
  vault(name: string): Vault;
  /**
   * Opens a profile. The credentials are copied at once and the copies wiped at the end. Rejects as `openSession`
   * does, with NO_SUCH_PROFILE and PROFILE_INACTIVE before anything is tried.
   */
  unlock(
    name: string,
    credentials: readonly Credential[],
    acceptRollback: string | undefined,
  ): Promise<{ vaultId: string; already: boolean }>;
  /** Locks; false if it was locked. Throws NO_SUCH_PROFILE. */
  lock(name: string): boolean;
  /** Takes deactivation back; false if the profile was active. */
  activate(name: string): boolean;
  /** Locks, and keeps locked until `activate`; false if it was so already. */
  deactivate(name: string): boolean;
  /** Destroys a profile's keys and vault. Its audit is set aside. */
  delete(name: string): void;
  /** The chain of a profile that exists and whose audit can be opened, else the daemon's own. */
  chainOf(name: string | undefined): JournalChain;
  chains(): Iterable<JournalChain>;
  /** Locks everything and closes the chains. */
  close(): Promise<void>;
}

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

  const open = async (profile: Profile, credentials: readonly Credential[], accept: string | undefined) => {
    // It may have been deleted while this unlock waited for the one before.
    if (known.get(profile.name) !== profile) throw noSuchProfile(profile.name);
    if (profile.session !== undefined) return { vaultId: profile.session.vault.vaultId, already: true };
    if (!profile.active) {
      throw new HushError('PROFILE_INACTIVE', `the profile ${profile.name} is deactivated`, {
        hint: `hush profile activate ${profile.name}`,
      });
    }
    const problem = problemIn(checkHome(paths), profile.name);
    if (problem !== undefined) throw problem;
    const chain = chainInPlace(profile);
    const { locks } = profile;
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
      },
      credentials,
    );
    if (profile.locks !== locks) {
      session.close();
      throw new HushError('CONFLICT', `the profile ${profile.name} was locked meanwhile`, {
        hint: 'hush unlock',
      });
    }
    profile.session = session;
    return { vaultId: session.vault.vaultId, already: false };
  };

  const unlock: Profiles['unlock'] = async (name, credentials, acceptRollback) => {
    const copies: (Credential & { readonly copy: SecureBytes })[] = [];
    try {
      const profile = require(name);
      for (const credential of credentials) checkCredential(credential);
      for (const { kind, secret } of credentials) {
        const copy = arena.allocate(secret.byteLength);
        copies.push({ kind, copy, secret: copy.bytes });
        copy.bytes.set(secret);
      }
      if (profile.waiting >= mostWaiting) {
        throw new HushError('LIMIT_EXCEEDED', `${mostWaiting} unlocks of this profile are under way`, {
          hint: 'wait, then try again',
        });
      }
      profile.waiting++;
      const before = profile.unlocking;
      const attempt = before.then(() => open(profile, copies, acceptRollback));
      const ended = (): void => {
        profile.waiting--;
      };
      profile.unlocking = attempt.then(ended, ended);
      return await attempt;
    } finally {
      for (const { copy } of copies) copy.wipe();
    }
  };

  const lockProfile = (profile: Profile): boolean => {
    const { session } = profile;
    profile.locks++;
    if (session === undefined) return false;
    profile.session = undefined;
    try {
      const { chain } = chainOf(profile);
      chain.flush();
      // A head that the vault remembers must have a seal before it, or it looks as if the seals were cut off.
      const isKnown = session.vault.auditHead()?.hash === chain.head().hash;
      if (chain.unsealed() > 0 || !isKnown) chain.seal(session.sealState(), session.auditKey());
      // So that the last records before a lock cannot be cut off without a trace.
      chain.syncNow();
      session.vault.noteAuditHead(chain.syncedHead());
      session.vault.persistAuditHead();
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
    vault(name) {
      const session = find(name)?.session;
      if (session === undefined) {
        throw new HushError('LOCKED', `the profile ${name} is locked`, { hint: `hush unlock -p ${name}` });
      }
      return session.vault;
    },
    unlock,
    lock: (name) => lockProfile(require(name)),
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
