import type { Right } from '../protocol/rights.ts';
import { bucketOf, type BucketRule } from './access/rates.ts';
import { identify, type Identity } from './access/identity.ts';
import { covers, rightsOf, type ProfileRights } from './access/rights.ts';
import { recordPrefix, type RecordPrefix } from './audit/records.ts';
import type { Config } from './config/config.ts';
import type { Buckets } from './gates/buckets.ts';
import type { GatePeer } from './gates/gate.ts';

/** The other end of one connection: who it is, and what that allows, worked out anew for each config. */
export interface Peer extends GatePeer {
  readonly identity: Identity;
  /** What its audit records begin with. */
  readonly auditPrefix: RecordPrefix;
  /** Whether `list` shows the name to this peer. */
  mayList(profile: string, path: string): boolean;
}

/** What the kernel told of the peer when it connected. */
export interface KernelFacts {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly exe: string | undefined;
}

/** The config in force, and a number that grows with each reload. */
export interface ConfigInForce {
  readonly config: Config;
  readonly generation: number;
}

/** Profiles whose rights one connection remembers; a caller that asks for more starts over. */
const rememberedProfiles = 64;

/** The peer of a connection. Without facts (the kernel names nobody) it is unidentified. */
export function createPeer(
  facts: KernelFacts | undefined,
  daemonUid: number,
  inForce: () => ConfigInForce,
  buckets: Buckets,
): Peer {
  let generation = -1;
  let config: Config;
  let identity: Identity;
  let prefix: RecordPrefix;
  const rights = new Map<string, ProfileRights>();
  const rules = new Map<string, BucketRule>();

  const refresh = (): Identity => {
    const current = inForce();
    if (current.generation !== generation) {
      ({ generation, config } = current);
      const { pid, uid, gid, exe } = facts ?? { pid: 0, uid: 65534, gid: 65534, exe: undefined };
      identity = identify({ pid, uid, gid }, exe, daemonUid, config);
      const program = identity.exe === undefined ? {} : { exe: identity.exe };
      prefix = recordPrefix({ client: identity.name, uid, gid, pid, ...program });
      rights.clear();
      rules.clear();
    }
    return identity;
  };

  const remembered = <T>(cache: Map<string, T>, name: string, make: () => T): T => {
    const known = cache.get(name);
    if (known !== undefined) return known;
    if (cache.size >= rememberedProfiles) cache.clear();
    const made = make();
    cache.set(name, made);
    return made;
  };

  const rightsOn = (profile: string): ProfileRights => {
    const who = refresh();
    return remembered(rights, profile, () => rightsOf(config, who, profile));
  };

  return {
    get identity() {
      return refresh();
    },
    get auditPrefix() {
      refresh();
      return prefix;
    },
    get identified() {
      return refresh().kind !== 'unidentified';
    },
    allows(profile: string | undefined, right: Right) {
      return covers(rightsOn(profile ?? ''), right);
    },
    hasAnyRight: (profile) => rightsOn(profile).any,
    mayList: (profile, path) => rightsOn(profile).mayList(path),
    takeToken(profile) {
      const who = refresh();
      const rule = remembered(rules, profile ?? '', () => bucketOf(config, who, profile ?? ''));
      return buckets.take(rule.name, rule);
    },
  };
}
