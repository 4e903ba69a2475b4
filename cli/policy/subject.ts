import { identify, strangerOf, type Identity } from '../../daemon/access/identity.ts';
import type { Config } from '../../daemon/config/config.ts';
import { isClientName } from '../../protocol/names.ts';
import { operationNamed, operations } from '../../protocol/operations.ts';
import type { Right, SimpleRight } from '../../protocol/rights.ts';
import { badUsage } from '../usage.ts';

/** Something that somebody may or may not do on a profile. */
export interface Question {
  /** A client's name, `owner`, `limited`, `operator:UID`, `stranger` or `unidentified`. */
  readonly client: string;
  readonly profile: string;
  /** A right, or the name of an operation. */
  readonly op: string;
  /** What it is done to: `<scope>/<name>`, `<keyring>/<namespace>/<key>` or a keyring. */
  readonly path?: string | undefined;
  readonly tenant?: string | undefined;
  /** Whether a handshake has proved the client's key; left out: if the client is enrolled or its entry asks for that. */
  readonly enrolled?: boolean | undefined;
}

/** A group that nobody has: what an entry asks of the group of somebody who is named by the uid is not known to hold. */
const unknownGroup = -1;

/**
 * Whom the daemon would take somebody of that name for, where the daemon runs as `daemonUid`, if that is known. Throws BAD_REQUEST for
 * a name that nobody can have.
 */
export function identityNamed(
  { client, enrolled }: Question,
  config: Config,
  enrolledNames: ReadonlySet<string>,
  daemonUid = Number.NaN,
): Identity {
  const as = (kind: Identity['kind'], uid = 0): Identity => ({
    kind,
    name: client,
    pid: 1,
    uid,
    gid: uid,
    enrolled: false,
  });
  if (client === 'owner') {
    if (Number.isNaN(daemonUid)) return as(config.operators.owner ? 'owner' : 'limited');
    return identify({ pid: 1, uid: daemonUid, gid: unknownGroup }, { config, daemonUid, enrolledNames });
  }
  if (client === 'limited' || client === 'stranger' || client === 'unidentified') return as(client);
  const operator = /^operator:(\d{1,10})$/.exec(client)?.[1];
  if (operator !== undefined) {
    const facts = { pid: 1, uid: Number(operator), gid: unknownGroup };
    return identify(facts, { config, daemonUid, enrolledNames });
  }
  if (!isClientName(client)) {
    throw badUsage('NAME is a client, owner, limited, operator:UID, stranger or unidentified', 'policy');
  }
  const entry = config.clients.find(({ name }) => name === client);
  const needsKey = needsEnrolledKey(client, config, enrolledNames);
  if (enrolled === false && needsKey) return strangerOf({ pid: 1, uid: entry?.uid ?? 0, gid: 0 });
  const proved = enrolled ?? needsKey;
  return { ...as('client'), enrolled: proved };
}

/** Whether only the proof of an enrolled key makes a peer that client. */
export function needsEnrolledKey(
  client: string,
  { clients }: Config,
  enrolledNames: ReadonlySet<string>,
): boolean {
  return (
    enrolledNames.has(client) || clients.some(({ name, enrolled }) => name === client && enrolled === true)
  );
}

const pathRights = {
  read: 'read',
  get: 'read',
  write: 'write',
  set: 'write',
  delete: 'delete',
  sign: 'sign',
} as const;
const simpleRights: readonly SimpleRight[] = ['keys', 'unlock', 'lock', 'audit', 'admin', 'status', 'daemon'];

/**
 * The rights that a question is about, all of which it takes; none where being identified is enough. Throws BAD_REQUEST
 * for an operation that there is not, or that lacks what it is done to.
 */
export function rightsAsked(question: Question): readonly Right[] {
  const { op } = question;
  const simple = simpleRights.find((right) => right === op);
  if (simple !== undefined) return [{ kind: simple }];
  if (isPathRight(op)) return [{ kind: pathRights[op], path: pathOf(question) }];
  if (op === 'list') {
    return [question.path === undefined ? { kind: 'listing' } : { kind: 'list', path: pathOf(question) }];
  }
  if (op === 'crypto') return [{ kind: 'crypto', ...coordinateOf(question), tenant: question.tenant ?? '' }];
  if (op === 'keyring') return [{ kind: 'keyring', keyring: pathOf(question) }];
  return rightsOfOperation(question);
}

function isPathRight(op: string): op is keyof typeof pathRights {
  return Object.hasOwn(pathRights, op);
}

function rightsOfOperation(question: Question): readonly Right[] {
  const name = operationNamed(question.op);
  if (name === undefined) {
    throw badUsage(
      `there is no right and no operation ${question.op.slice(0, 64)}: read, write, delete, list, sign, crypto, keyring, ` +
        `${simpleRights.join(', ')}, or an operation such as secret.get`,
      'policy',
    );
  }
  // It names no profile, and locks those that the caller may lock: refused where that is none.
  if (name === 'lock.all') return [{ kind: 'lock' }];
  const { shape } = operations[name].params;
  const params: Record<string, unknown> = { profile: question.profile };
  if ('namespace' in shape) {
    Object.assign(params, coordinateOf(question));
    if (question.tenant !== undefined) params['tenant'] = question.tenant;
  } else if ('path' in shape) params['path'] = pathOf(question);
  else if ('from' in shape) Object.assign(params, twoPathsOf(question));
  else if (name === 'crypto.digestKey') params['keyring'] = pathOf(question);
  // The parameters that a right can speak of are those above; each `needs` of the table takes what its own schema names.
  const needs = operations[name].needs as unknown as (params: Record<string, unknown>) => readonly Right[];
  return needs(params);
}

function pathOf({ path, op }: Question): string {
  if (path === undefined) throw badUsage(`${op} needs a PATH`, 'policy');
  return path;
}

/** Where from and where to; no path holds a comma. */
function twoPathsOf(question: Question): { from: string; to: string } {
  const [from, to, more] = pathOf(question).split(',');
  if (from === undefined || to === undefined || more !== undefined) {
    throw badUsage(`${question.op} needs a PATH of the form <from>,<to>`, 'policy');
  }
  return { from, to };
}

/** A key may hold slashes, a keyring never does, and a namespace is taken up to the next one. */
function coordinateOf(question: Question): { keyring: string; namespace: string; key: string } {
  const [, keyring, namespace, key] = /^([^/]+)\/([^/]+)\/(.+)$/s.exec(pathOf(question)) ?? [];
  if (keyring === undefined || namespace === undefined || key === undefined) {
    throw badUsage(`${question.op} needs a PATH of the form <keyring>/<namespace>/<key>`, 'policy');
  }
  return { keyring, namespace, key };
}
