import type { ClientRule, Config } from '../config/config.ts';

/** What the kernel says of the process at the other end of a connection (SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  /** Its primary group; supplementary groups are not told. */
  readonly gid: number;
}

/** All that is known of a peer; nothing in it is taken from what the peer says of itself. */
export interface PeerFacts extends PeerCredentials {
  /** The path of its executable, where the kernel shows it. */
  readonly exe?: string | undefined;
  /** The SHA-256 of its executable in lower-case hex; undefined too where nothing has asked for it. */
  readonly sha256?: string | undefined;
  /** The systemd unit that it runs in. */
  readonly unit?: string | undefined;
  /** The enrolled client whose key the handshake has proved. */
  readonly enrolled?: string | undefined;
}

/** What the identity of a peer follows from, besides the peer. */
export interface IdentityRules {
  readonly config: Config;
  readonly daemonUid: number;
  /** The names of all enrolled clients. */
  readonly enrolledNames: ReadonlySet<string>;
}

/**
 * Who a peer is, once a connection and config generation:
 * - `client`: an enrolled client, or whoever matches a `[clients]` entry; may do what its grants say
 * - `owner`: the daemon's own uid, and matches no client
 * - `operator`: a uid listed in `[operators]`, uid 0 too, and matches no client
 * - `limited`: the daemon's own uid while `[operators] owner = false`; may ask status, lock and unlock
 * - `stranger`: any other uid, one that matches two clients equally well, or an enrolled client of whom not all holds
 *   that its entry asks for; has no right on any profile, and `status` tells it of none
 * - `unidentified`: the kernel cannot say who it is; may say hello and shake hands, and nothing else
 */
export type IdentityKind = 'owner' | 'operator' | 'client' | 'limited' | 'stranger' | 'unidentified';

/** A peer as rules, rate limits and audit records see it. What the peer says of itself is no part of it. */
export interface Identity extends PeerCredentials {
  readonly kind: IdentityKind;
  /** A client's name from the config or its enrolment; the kind otherwise, with the uid where several may be: `operator:0`. */
  readonly name: string;
  /** Whether the handshake has proved the name. */
  readonly enrolled: boolean;
  /** The path of its executable, where the kernel shows it. */
  readonly exe?: string;
}

/** What the kernel shows in place of an id that has no meaning in the daemon's user namespace. */
const overflowId = 65534;
const noId = 0xffffffff;

/**
 * Who a peer is. A proved key goes before everything: that peer is the enrolled client or a stranger. Otherwise a
 * client entry matches if all its conditions hold, and the one with the most conditions wins; if two match equally
 * well the peer is a stranger, whoever it would be otherwise.
 */
export function identify(facts: PeerFacts, rules: IdentityRules): Identity {
  const { config, daemonUid } = rules;
  const { uid, enrolled } = facts;
  const as = (kind: IdentityKind, name: string): Identity => identityOf(facts, kind, name);
  if (enrolled !== undefined) {
    const entry = config.clients.find(({ name }) => name === enrolled);
    return entry === undefined || holds(entry, facts) ? as('client', enrolled) : strangerOf(facts);
  }
  if (!isUsable(facts)) return as('unidentified', 'unidentified');
  const [best, rival] = bestMatches(facts, rules);
  if (rival !== undefined) return strangerOf(facts);
  if (best !== undefined) return as('client', best.name);
  if (uid === daemonUid) return config.operators.owner ? as('owner', 'owner') : as('limited', 'limited');
  if (config.operators.uids.includes(uid)) return as('operator', `operator:${uid}`);
  return strangerOf(facts);
}

/** What a peer is while it is not known who it is: nobody. */
export function strangerOf(facts: PeerFacts): Identity {
  return identityOf(facts, 'stranger', `stranger:${facts.uid}`);
}

function identityOf(facts: PeerFacts, kind: IdentityKind, name: string): Identity {
  const { pid, uid, gid, exe, enrolled } = facts;
  const proved = kind === 'client' && enrolled !== undefined;
  return { kind, name, pid, uid, gid, enrolled: proved, ...(exe === undefined ? {} : { exe }) };
}

/**
 * Whether the identity of a peer may turn on the SHA-256 of its executable, by now or once a handshake has proved its
 * key: an entry asks for it, and everything else that the entry asks of the process holds.
 */
export function turnsOnSha256(facts: PeerFacts, config: Config): boolean {
  if (!isUsable(facts)) return false;
  return config.clients.some(({ sha256, ...others }) => sha256 !== undefined && holds(others, facts));
}

function isUsable({ pid, uid }: PeerCredentials): boolean {
  return pid > 0 && uid !== overflowId && uid !== noId;
}

/**
 * The matching entries with the most conditions; more than one means that none is the best. An entry of an enrolled
 * client is matched by its key alone, whether or not the entry says so.
 */
function bestMatches(facts: PeerFacts, { config, enrolledNames }: IdentityRules): readonly ClientRule[] {
  const matching = config.clients.filter(
    (client) => client.enrolled !== true && !enrolledNames.has(client.name) && holds(client, facts),
  );
  const most = Math.max(0, ...matching.map(conditionsOf));
  return matching.filter((client) => conditionsOf(client) === most);
}

/** Whether all that an entry asks of the peer's process holds. */
function holds({ uid, gid, exe, sha256, unit }: ClientRule, facts: PeerFacts): boolean {
  return (
    (uid === undefined || uid === facts.uid) &&
    (gid === undefined || gid === facts.gid) &&
    (exe === undefined || exe === facts.exe) &&
    (sha256 === undefined || sha256 === facts.sha256) &&
    (unit === undefined || unit === facts.unit)
  );
}

function conditionsOf({ uid, gid, exe, sha256, unit }: ClientRule): number {
  return [uid, gid, exe, sha256, unit].filter((condition) => condition !== undefined).length;
}
