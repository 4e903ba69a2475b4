import { type Config, type Grant, profileConfigOf } from '../config/config.ts';
import {
  compileCryptoRules,
  compilePathRules,
  eitherCrypto,
  eitherPath,
  type PathRules,
} from '../config/patterns.ts';
import { isClientName } from '../../protocol/names.ts';
import type { Right, SimpleRight } from '../../protocol/rights.ts';
import type { Identity } from './identity.ts';
import type { Granted } from './runtime-grants.ts';

/** What one identity may do on one profile; worked out once a connection and config generation. */
export interface ProfileRights extends Readonly<Record<SimpleRight, boolean>> {
  /** Whether there is any right on the profile: without one it must look as if it did not exist. */
  readonly any: boolean;
  readonly listing: boolean;
  /** Whether there is a name that it may sign with. */
  readonly signing: boolean;
  mayRead(path: string): boolean;
  mayWrite(path: string): boolean;
  mayDelete(path: string): boolean;
  /** Whether it may have something signed with the key: who may read it could do so without asking. */
  maySign(path: string): boolean;
  /** Whether `list` shows the name: only one that may be read, and that the `list` patterns, if given, match. */
  mayList(path: string): boolean;
  /** `tenant` is `''` where there is none; undefined asks whether there is any tenant that it may be done for. */
  mayCrypt(keyring: string, namespace: string, key: string, tenant: string | undefined): boolean;
  mayUseKeyring(keyring: string): boolean;
}

/** What the rights of an identity follow from, besides the config. */
export interface Moment {
  /** Milliseconds since 1970, by a clock that never goes back. */
  readonly now: number;
  /** The grants for a time that are in force, of all clients and profiles. */
  readonly granted: readonly Granted[];
}

/**
 * The rights of an identity on a profile: all for the owner and operators; status, lock and unlock for a limited
 * peer; the grants and nothing else for a client; none for anybody else, whether the profile exists or not. A profile
 * that only enrolled clients may use is closed to all others, but for status, lock and unlock by those who are no client.
 */
export function rightsOf(config: Config, identity: Identity, profile: string, moment: Moment): ProfileRights {
  const { requireEnrolled, grants } = profileConfigOf(config, profile);
  switch (identity.kind) {
    case 'owner':
    case 'operator':
      return requireEnrolled ? attending : everything;
    case 'limited':
      return attending;
    case 'client': {
      if (requireEnrolled && !identity.enrolled) return nothing;
      const grant = Object.hasOwn(grants, identity.name) ? grants[identity.name] : undefined;
      const inForce = grant !== undefined && moment.now < endOf(grant) ? grant : noGrant;
      const more = moment.granted.filter(
        (granted) => granted.client === identity.name && granted.profile === profile,
      );
      return grantedRights(more.length === 0 ? inForce : withMore(inForce, more));
    }
    case 'stranger':
    case 'unidentified':
      return nothing;
  }
}

/**
 * Until when the rights of an identity on a profile stay what they are at `now` if nothing else changes; milliseconds
 * since 1970.
 */
export function rightsLastUntil(config: Config, identity: Identity, profile: string, now: number): number {
  const { grants } = profileConfigOf(config, profile);
  const grant =
    identity.kind === 'client' && Object.hasOwn(grants, identity.name) ? grants[identity.name] : undefined;
  const end = grant === undefined ? Number.POSITIVE_INFINITY : endOf(grant);
  return end > now ? end : Number.POSITIVE_INFINITY;
}

/**
 * Until when one who granted something for a time may grant on a profile; milliseconds since 1970, `-Infinity` for a
 * client that may not. The owner and operators always may.
 */
export function administersUntil(config: Config, by: string, profile: string): number {
  if (!isClientName(by)) return Number.POSITIVE_INFINITY;
  const { grants } = profileConfigOf(config, profile);
  const grant = Object.hasOwn(grants, by) ? grants[by] : undefined;
  return grant?.admin === true ? endOf(grant) : Number.NEGATIVE_INFINITY;
}

function endOf({ until }: Grant): number {
  return until ?? Number.POSITIVE_INFINITY;
}

/** A grant, and what was granted besides for a time. `list` narrows: what it shows already stays shown. */
function withMore(grant: Grant, more: readonly Granted[]): Grant {
  const patterns = (right: Granted['right']): readonly string[] =>
    more.filter((granted) => granted.right === right).map(({ pattern }) => pattern);
  const paths = (right: 'read' | 'write' | 'delete' | 'list' | 'sign'): PathRules =>
    compilePathRules(patterns(right));
  return {
    ...grant,
    read: eitherPath(grant.read, paths('read')),
    write: eitherPath(grant.write, paths('write')),
    delete: eitherPath(grant.delete, paths('delete')),
    list: grant.list === undefined ? undefined : eitherPath(grant.list, paths('list')),
    sign: eitherPath(grant.sign, paths('sign')),
    crypto: eitherCrypto(grant.crypto, compileCryptoRules(patterns('crypto').map((match) => ({ match })))),
  };
}

/** Whether rights cover what an operation needs. */
export function covers(rights: ProfileRights, right: Right): boolean {
  switch (right.kind) {
    case 'read':
      return rights.mayRead(right.path);
    case 'write':
      return rights.mayWrite(right.path);
    case 'delete':
      return rights.mayDelete(right.path);
    case 'list':
      return rights.mayList(right.path);
    case 'sign':
    case 'key':
      return rights.maySign(right.path);
    case 'crypto':
      return rights.mayCrypt(right.keyring, right.namespace, right.key, right.tenant);
    case 'keyring':
      return rights.mayUseKeyring(right.keyring);
    default:
      return rights[right.kind];
  }
}

/** The decision of gate 5 for one request: a pure function of its arguments. */
export function decide(
  config: Config,
  identity: Identity,
  profile: string,
  right: Right,
  moment: Moment,
): 'allow' | 'deny' {
  return covers(rightsOf(config, identity, profile, moment), right) ? 'allow' : 'deny';
}

const yes = (): boolean => true;
const no = (): boolean => false;

const everything: ProfileRights = {
  any: true,
  listing: true,
  signing: true,
  keys: true,
  unlock: true,
  lock: true,
  audit: true,
  admin: true,
  status: true,
  daemon: true,
  mayRead: yes,
  mayWrite: yes,
  mayDelete: yes,
  maySign: yes,
  mayList: yes,
  mayCrypt: yes,
  mayUseKeyring: yes,
};

const nothing: ProfileRights = {
  any: false,
  listing: false,
  signing: false,
  keys: false,
  unlock: false,
  lock: false,
  audit: false,
  admin: false,
  status: false,
  daemon: false,
  mayRead: no,
  mayWrite: no,
  mayDelete: no,
  maySign: no,
  mayList: no,
  mayCrypt: no,
  mayUseKeyring: no,
};

/** What those may who are no client and not the owner or an operator in full: see to it that it is open, or closed. */
const attending: ProfileRights = { ...nothing, any: true, status: true, lock: true, unlock: true };

const noPaths = compilePathRules([]);

/** What a client without a grant, or past the end of its grant, has. */
const noGrant: Grant = {
  read: noPaths,
  write: noPaths,
  delete: noPaths,
  list: undefined,
  sign: noPaths,
  crypto: compileCryptoRules([]),
  keys: false,
  unlock: false,
  lock: false,
  audit: false,
  admin: false,
  until: undefined,
  rate: undefined,
  burst: undefined,
};

function grantedRights(grant: Grant): ProfileRights {
  const { keys, unlock, lock, audit, admin, list } = grant;
  const listing = grant.read.patterns.length > 0 && list?.patterns.length !== 0;
  const any =
    [keys, unlock, lock, audit, admin].includes(true) ||
    [grant.read, grant.write, grant.delete, grant.sign].some(({ patterns }) => patterns.length > 0) ||
    grant.crypto.rules.some(({ tenants }) => tenants?.length !== 0);
  return {
    any,
    listing,
    signing: [grant.read, grant.sign].some(({ patterns }) => patterns.length > 0),
    keys,
    unlock,
    lock,
    audit,
    admin,
    status: any,
    daemon: false,
    mayRead: grant.read.matches,
    mayWrite: grant.write.matches,
    mayDelete: grant.delete.matches,
    maySign: (path) => grant.sign.matches(path) || grant.read.matches(path),
    mayList: (path) => grant.read.matches(path) && (list === undefined || list.matches(path)),
    mayCrypt: grant.crypto.matches,
    mayUseKeyring: grant.crypto.reachesKeyring,
  };
}
