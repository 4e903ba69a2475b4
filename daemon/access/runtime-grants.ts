import { randomBytes } from 'node:crypto';
import { HushError } from '../../protocol/errors.ts';

/** The rights that can be granted for a time, each on what a pattern matches. */
export const runtimeRights = ['read', 'write', 'delete', 'list', 'sign', 'crypto'] as const;

/** One of them. */
export type RuntimeRight = (typeof runtimeRights)[number];

/** What is granted to one client on one profile. */
export interface Granted {
  readonly profile: string;
  readonly client: string;
  readonly right: RuntimeRight;
  /** Over `<scope>/<name>`, for `crypto` over `<keyring>/<namespace>/<key>` for all tenants. */
  readonly pattern: string;
}

/** A grant for a time, in memory only. */
export interface RuntimeGrant extends Granted {
  /** `g.` and 12 hex digits: no client can have such a name. */
  readonly id: string;
  /** Who granted it. */
  readonly by: string;
  /** When it ends, in milliseconds of the monotonic clock. */
  readonly endsAt: number;
}

/** Which grants are meant; whatever is left out does not matter. */
export interface GrantFilter {
  readonly id?: string | undefined;
  readonly profile?: string | undefined;
  readonly client?: string | undefined;
  readonly by?: string | undefined;
}

/** The grants for a time that are in force. */
export interface RuntimeGrants {
  /** Grants for a time; the same again replaces the one before. Throws LIMIT_EXCEEDED past 1,000. */
  add(granted: Granted, seconds: number, by: string): RuntimeGrant;
  list(filter?: GrantFilter): readonly RuntimeGrant[];
  /** Takes grants back; answers them. */
  remove(filter: GrantFilter): readonly RuntimeGrant[];
  /** A number that changes with whatever is granted, taken back, or has ended. */
  revision(): number;
  /** The grants that have ended by themselves since the last call. */
  takeEnded(): readonly RuntimeGrant[];
}

const mostGrants = 1_000;

/** No grants yet; `now` is a monotonic clock in milliseconds. */
export function createRuntimeGrants(now: () => number): RuntimeGrants {
  const grants = new Map<string, RuntimeGrant>();
  let ended: RuntimeGrant[] = [];
  let revision = 0;
  let nextEnd = Number.POSITIVE_INFINITY;

  const changed = (): void => {
    revision += 1;
    nextEnd = Math.min(...[...grants.values()].map(({ endsAt }) => endsAt));
  };

  /** Every way in begins here, so that nobody sees a grant past its time. */
  const endWhatIsOver = (): void => {
    // Each request asks; without any grant not even the clock is read.
    if (grants.size === 0) return;
    const at = now();
    if (at < nextEnd) return;
    for (const grant of grants.values()) {
      if (at < grant.endsAt) continue;
      grants.delete(grant.id);
      ended.push(grant);
    }
    changed();
  };

  const matching = (filter: GrantFilter): readonly RuntimeGrant[] => {
    endWhatIsOver();
    return [...grants.values()].filter(
      ({ id, profile, client, by }) =>
        (filter.id ?? id) === id &&
        (filter.profile ?? profile) === profile &&
        (filter.client ?? client) === client &&
        (filter.by ?? by) === by,
    );
  };

  return {
    add(granted, seconds, by) {
      const twin = matching(granted).find(
        ({ right, pattern }) => right === granted.right && pattern === granted.pattern,
      );
      if (twin === undefined && grants.size >= mostGrants) {
        throw new HushError('LIMIT_EXCEEDED', `there are ${mostGrants} grants for a time already`, {
          hint: 'hush grant lists them, hush revoke ID takes one back',
        });
      }
      const { profile, client, right, pattern } = granted;
      const id = twin?.id ?? `g.${randomBytes(6).toString('hex')}`;
      const grant = { id, profile, client, right, pattern, by, endsAt: now() + seconds * 1000 };
      grants.set(id, grant);
      changed();
      return grant;
    },
    list: (filter = {}) => matching(filter),
    remove(filter) {
      const removed = matching(filter);
      for (const { id } of removed) grants.delete(id);
      if (removed.length > 0) changed();
      return removed;
    },
    revision() {
      endWhatIsOver();
      return revision;
    },
    takeEnded() {
      endWhatIsOver();
      const taken = ended;
      ended = [];
      return taken;
    },
  };
}
