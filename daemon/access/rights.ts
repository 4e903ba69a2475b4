import { type Config, type Grant, profileConfigOf } from '../config/config.ts';
import type { Right, SimpleRight } from '../../protocol/rights.ts';
import type { Identity } from './identity.ts';

/** What one identity may do on one profile; worked out once a connection and config generation. */
export interface ProfileRights extends Readonly<Record<SimpleRight, boolean>> {
  /** Whether there is any right on the profile: without one it must look as if it did not exist. */
  readonly any: boolean;
  readonly listing: boolean;
  mayRead(path: string): boolean;
  mayWrite(path: string): boolean;
  mayDelete(path: string): boolean;
  /** Whether `list` shows the name: only one that may be read, and that the `list` patterns, if given, match. */
  mayList(path: string): boolean;
  /** `tenant` is `''` where there is none; undefined asks whether there is any tenant that it may be done for. */
  mayCrypt(keyring: string, namespace: string, key: string, tenant: string | undefined): boolean;
  mayUseKeyring(keyring: string): boolean;
}

/**
 * The rights of an identity on a profile: all for the owner and operators; status, lock and unlock for a limited
 * peer; the grants and nothing else for a client; none for anybody else, whether the profile exists or not.
 */
export function rightsOf(config: Config, identity: Identity, profile: string): ProfileRights {
  switch (identity.kind) {
    case 'owner':
    case 'operator':
      return everything;
    case 'limited':
      return { ...nothing, any: true, status: true, lock: true, unlock: true };
    case 'client': {
      const { grants } = profileConfigOf(config, profile);
      const grant = Object.hasOwn(grants, identity.name) ? grants[identity.name] : undefined;
      return grant === undefined ? nothing : grantedRights(grant);
    }
    case 'stranger':
    case 'unidentified':
      return nothing;
  }
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
    case 'crypto':
      return rights.mayCrypt(right.keyring, right.namespace, right.key, right.tenant);
    case 'keyring':
      return rights.mayUseKeyring(right.keyring);
    default:
      return rights[right.kind];
  }
}

/** The decision of gate 5 for one request: a pure function of the config. */
export function decide(config: Config, identity: Identity, profile: string, right: Right): 'allow' | 'deny' {
  return covers(rightsOf(config, identity, profile), right) ? 'allow' : 'deny';
}

/** Whether an identity has any right on a profile; without one, `status` does not show it. */
export function hasAnyRight(config: Config, identity: Identity, profile: string): boolean {
  return rightsOf(config, identity, profile).any;
}

const yes = (): boolean => true;
const no = (): boolean => false;

const everything: ProfileRights = {
  any: true,
  listing: true,
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
  mayList: yes,
  mayCrypt: yes,
  mayUseKeyring: yes,
};

const nothing: ProfileRights = {
  any: false,
  listing: false,
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
  mayList: no,
  mayCrypt: no,
  mayUseKeyring: no,
};

function grantedRights(grant: Grant): ProfileRights {
  const { keys, unlock, lock, audit, admin, list } = grant;
  const listing = grant.read.patterns.length > 0 && list?.patterns.length !== 0;
  const any =
    [keys, unlock, lock, audit, admin].includes(true) ||
    [grant.read, grant.write, grant.delete].some(({ patterns }) => patterns.length > 0) ||
    grant.crypto.rules.some(({ tenants }) => tenants?.length !== 0);
  return {
    any,
    listing,
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
    mayList: (path) => grant.read.matches(path) && (list === undefined || list.matches(path)),
    mayCrypt: grant.crypto.matches,
    mayUseKeyring: grant.crypto.reachesKeyring,
  };
}
