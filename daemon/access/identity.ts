import type { ClientRule, Config } from '../config/config.ts';

/** What the kernel says of the process at the other end of a connection (SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  /** Its primary group; supplementary groups are not told. */
  readonly gid: number;
}

/**
 * Who a peer is, once a connection and config generation:
 * - `client`: matches a `[clients]` entry; may do what its grants say
 * - `owner`: the daemon's own uid, and matches no client
 * - `operator`: a uid listed in `[operators]`, uid 0 too, and matches no client
 * - `limited`: the daemon's own uid while `[operators] owner = false`; may ask status, lock and unlock
 * - `stranger`: any other uid, or one that matches two clients equally well; has no right on any profile, and `status`
 *   tells it of none
 * - `unidentified`: the kernel cannot say who it is; may say hello and nothing else
 */
export type IdentityKind = 'owner' | 'operator' | 'client' | 'limited' | 'stranger' | 'unidentified';

/** A peer as rules, rate limits and audit records see it. What the peer says of itself is no part of it. */
export interface Identity extends PeerCredentials {
  readonly kind: IdentityKind;
  /** A client's name from the config; the kind otherwise, with the uid where several may be: `operator:0`. */
  readonly name: string;
  /** The path of its executable, where the kernel shows it. */
  readonly exe?: string;
}

/** What the kernel shows in place of an id that has no meaning in the daemon's user namespace. */
const overflowId = 65534;
const noId = 0xffffffff;

/**
 * Who a peer is. A client entry matches if all its conditions hold, and the one with the most conditions wins; if two
 * match equally well the peer is a stranger, whoever it would be otherwise.
 */
export function identify(
  { pid, uid, gid }: PeerCredentials,
  exe: string | undefined,
  daemonUid: number,
  config: Config,
): Identity {
  const as = (kind: IdentityKind, name: string): Identity => ({
    kind,
    name,
    pid,
    uid,
    gid,
    ...(exe === undefined ? {} : { exe }),
  });
  if (pid <= 0 || uid === overflowId || uid === noId) return as('unidentified', 'unidentified');
  const [best, rival] = bestMatches(config.clients, uid, gid, exe);
  if (rival !== undefined) return as('stranger', `stranger:${uid}`);
  if (best !== undefined) return as('client', best.name);
  if (uid === daemonUid) return config.operators.owner ? as('owner', 'owner') : as('limited', 'limited');
  if (config.operators.uids.includes(uid)) return as('operator', `operator:${uid}`);
  return as('stranger', `stranger:${uid}`);
}

/** The matching entries with the most conditions; more than one means that none is the best. */
function bestMatches(
  clients: readonly ClientRule[],
  uid: number,
  gid: number,
  exe: string | undefined,
): readonly ClientRule[] {
  const matching = clients.filter(
    (client) =>
      (client.uid === undefined || client.uid === uid) &&
      (client.gid === undefined || client.gid === gid) &&
      (client.exe === undefined || client.exe === exe),
  );
  const most = Math.max(0, ...matching.map(conditionsOf));
  return matching.filter((client) => conditionsOf(client) === most);
}

function conditionsOf({ uid, gid, exe }: ClientRule): number {
  return [uid, gid, exe].filter((condition) => condition !== undefined).length;
}
