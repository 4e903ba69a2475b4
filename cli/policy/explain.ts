import type { Identity } from '../../daemon/access/identity.ts';
import { decide } from '../../daemon/access/rights.ts';
import { type Config, type Grant, profileConfigOf } from '../../daemon/config/config.ts';
import type { KeyPath } from '../../daemon/config/lines.ts';
import { dotted, type ReadConfig } from '../../daemon/config/parse.ts';
import { compileCryptoRules, compilePathRules } from '../../daemon/config/patterns.ts';
import type { Right } from '../../protocol/rights.ts';

/** Something that the config says, and where. */
export interface Rule {
  readonly key: string;
  /** Undefined for a default that no file says. */
  readonly file?: string;
  readonly line?: number;
}

/** A decision of the access rules, and what it comes from. */
export interface Explanation {
  readonly decision: 'allow' | 'deny';
  readonly reason: string;
  readonly rule: Rule;
  /** What would have to change for the opposite, where a change of the config could do that. */
  readonly change?: string;
  /** The pattern for which each such read waits until somebody else has approved it. */
  readonly approval?: Rule;
}

/** What is asked, in the terms of the rules. */
export interface Asked {
  readonly identity: Identity;
  readonly profile: string;
  /** Undefined: what takes no right, only an identity. */
  readonly right: Right | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Why an explanation is what it is. */
interface Ground {
  readonly allows: boolean;
  readonly path: KeyPath;
  readonly reason: string;
  readonly change?: string;
}

/** The decision of the daemon's own rules, with the rule that makes it; grants for a time are not looked at. */
export function explain({ config, placeOf }: ReadConfig, asked: Asked): Explanation {
  const { identity, profile, right, now } = asked;
  const ground = groundOf(config, asked);
  const decision =
    right === undefined
      ? identity.kind === 'unidentified'
        ? 'deny'
        : 'allow'
      : decide(config, identity, profile, right, { now, granted: [] });
  const ruleAt = (path: KeyPath): Rule => {
    const place = placeOf(path);
    return { key: dotted(path), ...(place ?? {}) };
  };
  const approval = decision === 'allow' ? approvalPath(config, asked) : undefined;
  return {
    decision,
    reason: ground.reason,
    rule: ruleAt(ground.path),
    ...(ground.change === undefined ? {} : { change: ground.change }),
    ...(approval === undefined ? {} : { approval: ruleAt(approval) }),
  };
}

/** The rule that decides; that it decides as `decide` does is tested for all of them. */
export function groundOf(config: Config, { identity, profile, right, now }: Asked): Ground {
  const { kind, name } = identity;
  if (kind === 'unidentified') {
    return no(
      ['clients'],
      'the kernel does not say who it is',
      'let it prove an enrolled key: hush client add NAME',
    );
  }
  if (right === undefined) return yes(['clients'], 'this takes no right: whoever is identified may ask');
  const { requireEnrolled, grants } = profileConfigOf(config, profile);
  const isAttending = right.kind === 'status' || right.kind === 'lock' || right.kind === 'unlock';
  if (requireEnrolled && !identity.enrolled && kind !== 'stranger' && (kind === 'client' || !isAttending)) {
    const change = `let an enrolled client ask: hush client add ${kind === 'client' ? name : 'NAME'}`;
    return no(['profiles', profile, 'require_enrolled'], 'only enrolled clients may use the profile', change);
  }
  switch (kind) {
    case 'owner':
    case 'operator':
      return yes(['operators', kind === 'owner' ? 'owner' : 'uids'], `the ${kind} may do everything`);
    case 'limited': {
      const path = ['operators', 'owner'];
      return isAttending
        ? yes(path, "the daemon's own user may ask status, lock and unlock")
        : no(path, "the daemon's own user is not its owner", 'operators.owner would have to be true');
    }
    case 'stranger':
      return no(
        ['clients'],
        'nothing in [clients] and [operators] speaks of it',
        'give it an entry in [clients]',
      );
    case 'client':
      return clientGround(
        Object.hasOwn(grants, name) ? grants[name] : undefined,
        identity,
        profile,
        right,
        now,
      );
  }
}

function clientGround(
  grant: Grant | undefined,
  { name }: Identity,
  profile: string,
  right: Right,
  now: number,
): Ground {
  const path = ['profiles', profile, 'grants', name];
  if (right.kind === 'daemon') {
    return no(['operators'], 'no client may, only the owner and operators', 'list its uid in operators.uids');
  }
  if (grant === undefined) {
    const change = `write [${dotted(path)}] with ${settingFor(right)}`;
    return no(path.slice(0, 3), 'the profile grants it nothing', change);
  }
  if (grant.until !== undefined && now >= grant.until) {
    const end = new Date(grant.until).toISOString();
    return no(
      [...path, 'until'],
      `the grant ended at ${end}`,
      'until would have to be later, or be left out',
    );
  }
  return grantGround(grant, path, right);
}

function grantGround(grant: Grant, path: KeyPath, right: Right): Ground {
  const change = `${dotted(path)} needs ${settingFor(right)}`;
  switch (right.kind) {
    case 'read':
    case 'write':
    case 'delete':
      return patternGround(grant[right.kind].patterns, [...path, right.kind], right.path, change);
    case 'sign':
    case 'key': {
      const sign = patternGround(grant.sign.patterns, [...path, 'sign'], right.path, change);
      const read = patternGround(grant.read.patterns, [...path, 'read'], right.path, change);
      return read.allows && !sign.allows
        ? { ...read, reason: `${read.reason}, and who may read a key may sign` }
        : sign;
    }
    case 'signing':
      return [grant.sign, grant.read].some(({ patterns }) => patterns.length > 0)
        ? yes(
            [...path, grant.sign.patterns.length > 0 ? 'sign' : 'read'],
            'it may list what it may sign with',
          )
        : no([...path, 'sign'], 'it may sign with nothing', change);
    case 'list': {
      const read = patternGround(grant.read.patterns, [...path, 'read'], right.path, change);
      if (!read.allows || grant.list === undefined) return read;
      return patternGround(grant.list.patterns, [...path, 'list'], right.path, change);
    }
    case 'listing': {
      if (grant.read.patterns.length === 0) return no([...path, 'read'], 'it may read nothing', change);
      if (grant.list?.patterns.length === 0) {
        return no(
          [...path, 'list'],
          'an empty list shows nothing',
          'leave list out, or put patterns into it',
        );
      }
      return yes([...path, 'read'], 'it may list what it may read');
    }
    case 'crypto': {
      const { keyring, namespace, key, tenant } = right;
      const { rules } = grant.crypto;
      const at = rules.findIndex((rule) =>
        compileCryptoRules([rule]).matches(keyring, namespace, key, tenant),
      );
      if (at >= 0) return yes([...path, 'crypto', String(at)], `${rules[at]?.match ?? ''} matches`);
      const near = rules.findIndex(({ match }) =>
        compileCryptoRules([{ match }]).matches(keyring, namespace, key, tenant),
      );
      if (near < 0) return no([...path, 'crypto'], 'no pattern of crypto matches', change);
      const place = [...path, 'crypto', String(near)];
      return no(
        place,
        'the pattern matches, and not for that tenant',
        `add '${tenant ?? ''}' to its tenants`,
      );
    }
    case 'keyring':
      return grant.crypto.reachesKeyring(right.keyring)
        ? yes([...path, 'crypto'], 'it may use something on that keyring')
        : no([...path, 'crypto'], 'no pattern of crypto reaches that keyring', change);
    case 'status':
      return hasAny(grant)
        ? yes(path, 'it has some right on the profile')
        : no(path, 'the grant gives nothing', 'give it any right on the profile');
    case 'daemon':
      return no(['operators'], 'no client may');
    default:
      return grant[right.kind]
        ? yes([...path, right.kind], `${right.kind} is true`)
        : no([...path, right.kind], `${right.kind} is not granted`, change);
  }
}

function patternGround(patterns: readonly string[], path: KeyPath, text: string, change: string): Ground {
  const at = patterns.findIndex((pattern) => compilePathRules([pattern]).matches(text));
  return at < 0
    ? no(path, `no pattern of ${path.at(-1) ?? ''} matches`, change)
    : yes([...path, String(at)], `${patterns[at] ?? ''} matches`);
}

function hasAny(grant: Grant): boolean {
  const { keys, unlock, lock, audit, admin, read, write, sign, crypto } = grant;
  return (
    [keys, unlock, lock, audit, admin].includes(true) ||
    [read, write, grant.delete, sign].some(({ patterns }) => patterns.length > 0) ||
    crypto.rules.some(({ tenants }) => tenants?.length !== 0)
  );
}

/** What a grant would have to hold. */
function settingFor(right: Right): string {
  switch (right.kind) {
    case 'read':
    case 'write':
    case 'delete':
      return `${right.kind} = ['${right.path}'], or a pattern that matches it`;
    case 'sign':
    case 'key':
      return `sign = ['${right.path}'], or a pattern that matches it`;
    case 'list':
      return `read = ['${right.path}'], and list to match it or be left out`;
    case 'listing':
      return 'something to read';
    case 'signing':
      return 'something to sign with';
    case 'crypto':
      return `crypto = ['${right.keyring}/${right.namespace}/${right.key}'], or a pattern that matches it`;
    case 'keyring':
      return `crypto = ['${right.keyring}/…/…']`;
    case 'status':
      return 'any right';
    default:
      return `${right.kind} = true`;
  }
}

function approvalPath(config: Config, { profile, right }: Asked): KeyPath | undefined {
  if (right?.kind !== 'read' && right?.kind !== 'sign') return undefined;
  const { patterns } = profileConfigOf(config, profile).approve;
  const at = patterns.findIndex((pattern) => compilePathRules([pattern]).matches(right.path));
  return at < 0 ? undefined : ['profiles', profile, 'approve', String(at)];
}

function yes(path: KeyPath, reason: string): Ground {
  return { allows: true, path, reason };
}

function no(path: KeyPath, reason: string, change?: string): Ground {
  return { allows: false, path, reason, ...(change === undefined ? {} : { change }) };
}
