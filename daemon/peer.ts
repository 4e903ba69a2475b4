import type { PeerIdentity } from '../native/peer-process.ts';
import type { Right } from '../protocol/rights.ts';
import { lacksEnrolment, wantsFieldEncryption } from './access/enrolment.ts';
import { bucketOf, type BucketRule, type TokenUse } from './access/rates.ts';
import { identify, strangerOf, turnsOnSha256, type Identity, type PeerFacts } from './access/identity.ts';
import type { ProgramHashes } from './access/program-hashes.ts';
import { administersUntil, covers, rightsLastUntil, rightsOf, type ProfileRights } from './access/rights.ts';
import type { RuntimeGrants } from './access/runtime-grants.ts';
import { recordPrefix, type RecordPrefix } from './audit/records.ts';
import type { Config } from './config/config.ts';
import type { Buckets } from './gates/buckets.ts';
import type { GatePeer } from './gates/gate.ts';

/** The other end of one connection: who it is, and what that allows, worked out anew for each config. */
export interface Peer extends GatePeer {
  readonly identity: Identity;
  /** What its audit records begin with. */
  readonly auditPrefix: RecordPrefix;
  /** For how many milliseconds it may go on granting on a profile on which it may. */
  administersForMs(profile: string): number;
  /** Whether `list` shows the name to this peer. */
  mayList(profile: string, path: string): boolean;
  /**
   * What its identity waits for, if it is not known at once: requests that come before that are a stranger's. Never
   * rejects.
   */
  whenKnown(): Promise<void> | undefined;
  /** Takes it that the handshake has proved the key of this enrolled client; once a connection. */
  prove(enrolled: string): void;
  /** Whether the config asks this peer to seal the values in its messages by themselves. */
  readonly wantsFields: boolean;
  /** Takes it that the handshake has agreed on that. */
  agreeOnFields(): void;
}

/** The config in force, and a number that grows with each reload. */
export interface ConfigInForce {
  readonly config: Config;
  readonly generation: number;
}

/** What the identities and rights of peers follow from. */
export interface PeerRules {
  readonly daemonUid: number;
  readonly inForce: () => ConfigInForce;
  /** The names of the enrolled clients: another set after each change. */
  readonly enrolledNames: () => ReadonlySet<string>;
  readonly grants: RuntimeGrants;
  readonly hashes: ProgramHashes;
  readonly buckets: Buckets;
  /** Milliseconds since 1970, by a clock that never goes back. */
  readonly wallClock: () => number;
}

/** Profiles whose rights one connection remembers; a caller that asks for more starts over. */
const rememberedProfiles = 64;

/** What the kernel shows for nobody. */
const nobody = { pid: 0, uid: 65534, gid: 65534, process: undefined };

/** What was worked out of the peer, and from what. */
interface Standing {
  readonly generation: number;
  readonly enrolledNames: ReadonlySet<string>;
  readonly config: Config;
  readonly identity: Identity;
  readonly prefix: RecordPrefix;
  /** Whether the identity turns on a hash that is not there yet. */
  readonly isOpen: boolean;
  readonly wantsFields: boolean;
}

/** Rights, and the moment when they may be others. */
interface HeldRights {
  readonly rights: ProfileRights;
  readonly until: number;
}

/** The peer of a connection. Without facts (the kernel names nobody) it is unidentified. */
export function createPeer(kernel: PeerIdentity | undefined, rules: PeerRules): Peer {
  const { pid, uid, gid, process } = kernel ?? nobody;
  const executable = process?.executable;
  let facts: PeerFacts = { pid, uid, gid, exe: executable?.path, unit: process?.unit };
  let isHashed = executable === undefined;
  let hashing: Promise<void> | undefined;
  let standing: Standing | undefined;
  let grantRevision = -1;
  let sealsFields = false;
  const held = new Map<string, HeldRights>();
  const bucketRules = new Map<TokenUse, Map<string, BucketRule>>();

  const refresh = (): Standing => {
    const { config, generation } = rules.inForce();
    const enrolledNames = rules.enrolledNames();
    if (standing?.generation === generation && standing.enrolledNames === enrolledNames) return standing;
    const isOpen = !isHashed && turnsOnSha256(facts, config);
    const identity = isOpen
      ? strangerOf(facts)
      : identify(facts, { config, daemonUid: rules.daemonUid, enrolledNames });
    const program = identity.exe === undefined ? {} : { exe: identity.exe };
    const prefix = recordPrefix({ client: identity.name, uid, gid, pid, ...program });
    held.clear();
    bucketRules.clear();
    const wantsFields = wantsFieldEncryption(config, identity);
    standing = { generation, enrolledNames, config, identity, prefix, isOpen, wantsFields };
    return standing;
  };

  const learn = (more: Partial<PeerFacts>): void => {
    facts = { ...facts, ...more };
    standing = undefined;
  };

  const remember = <T>(cache: Map<string, T>, name: string, made: T): T => {
    if (cache.size >= rememberedProfiles) cache.clear();
    cache.set(name, made);
    return made;
  };

  const rightsOn = (profile: string): ProfileRights => {
    const { config, identity } = refresh();
    const revision = rules.grants.revision();
    if (revision !== grantRevision) {
      grantRevision = revision;
      held.clear();
    }
    const known = held.get(profile);
    if (known !== undefined && (known.until === Infinity || rules.wallClock() < known.until)) {
      return known.rights;
    }
    const now = rules.wallClock();
    const lasts = ({ by }: { readonly by: string }): number => administersUntil(config, by, profile);
    const granted = rules.grants
      .list({ profile, client: identity.name })
      .filter((grant) => now < lasts(grant));
    const rights = rightsOf(config, identity, profile, { now, granted });
    const until = Math.min(rightsLastUntil(config, identity, profile, now), ...granted.map(lasts));
    return remember(held, profile, { rights, until }).rights;
  };

  return {
    get identity() {
      return refresh().identity;
    },
    get auditPrefix() {
      return refresh().prefix;
    },
    get identified() {
      return refresh().identity.kind !== 'unidentified';
    },
    get wantsFields() {
      return refresh().wantsFields;
    },
    get lacksFields() {
      return !sealsFields && refresh().wantsFields;
    },
    agreeOnFields() {
      sealsFields = true;
    },
    lacksEnrolment(profile) {
      const { config, identity } = refresh();
      return lacksEnrolment(config, identity, profile);
    },
    allows(profile: string | undefined, right: Right) {
      return covers(rightsOn(profile ?? ''), right);
    },
    hasAnyRight: (profile) => rightsOn(profile).any,
    mayList: (profile, path) => rightsOn(profile).mayList(path),
    administersForMs: (profile) =>
      administersUntil(rules.inForce().config, refresh().identity.name, profile) - rules.wallClock(),
    takeToken(profile = '', use) {
      const { config, identity } = refresh();
      const ofUse = bucketRules.get(use) ?? new Map<string, BucketRule>();
      bucketRules.set(use, ofUse);
      const rule = ofUse.get(profile) ?? remember(ofUse, profile, bucketOf(config, identity, profile, use));
      return rules.buckets.take(rule.name, rule);
    },
    whenKnown() {
      if (!refresh().isOpen || kernel?.process === undefined) return undefined;
      hashing ??= rules.hashes.of(kernel, kernel.process).then((sha256) => {
        isHashed = true;
        learn({ sha256 });
      });
      return hashing;
    },
    prove(enrolled) {
      if (facts.enrolled !== undefined) throw new Error('a connection has one handshake');
      learn({ enrolled });
    },
  };
}
