import { HushError } from '../../protocol/errors.ts';
import type { Identity } from '../access/identity.ts';
import { profileConfigOf, type Config } from '../config/config.ts';
import type { PathRules } from '../config/patterns.ts';

/** What can take an approval: an approval for the one is none for the other. */
export type ApprovedRight = 'read' | 'sign';

/** One read, or one signature with a key, that somebody asked for and somebody else must allow. */
export interface ApprovalRequest {
  readonly id: string;
  readonly profile: string;
  readonly path: string;
  readonly right: ApprovedRight;
  readonly asker: Identity;
  /** ISO 8601 in UTC. */
  readonly askedAt: string;
  readonly state: 'waiting' | 'approved' | 'denied' | 'used';
  /** The name of the identity that decided. */
  readonly by: string | undefined;
  /** When it ends, by the clock of all times here: a wait that nobody ended, or a decision that nobody used. */
  readonly expiresAt: number;
}

/** The reads and signatures that wait for an approval, and those that were decided; none outlives a lock, a restart or its time. */
export interface Approvals {
  /**
   * Whether an identity may read a secret, or sign with it, now: undefined if nobody has to approve it, or if somebody
   * else did, which this uses up. Otherwise APPROVAL_PENDING with the id of the request, APPROVAL_DENIED, or LIMIT_EXCEEDED.
   */
  check(profile: string, path: string, asker: Identity, right?: ApprovedRight): HushError | undefined;
  /** The requests that have not ended, the oldest first. */
  list(): readonly ApprovalRequest[];
  /** How long a request has until it ends, in whole milliseconds. */
  remainingMs(request: ApprovalRequest): number;
  /**
   * Decides a request of that profile. Throws NOT_FOUND when there is none of that id, ACCESS_DENIED to whoever asked or
   * may be the same person, CONFLICT, saying how, when it was decided before.
   */
  decide(profile: string, id: string, approve: boolean, by: Decider): ApprovalRequest;
  /** Ends all requests of a profile, decided or not. */
  cancel(profile: string): void;
  /** Ends all requests of an identity that is none any more, and those that it has approved. */
  cancelOf(name: string): void;
}

/** Who decides, and if its key says who it is, when that was enrolled: ISO 8601 in UTC. */
export interface Decider {
  readonly identity: Identity;
  readonly enrolledAt?: string | undefined;
}

/** What happens to requests without a request of its own that would put it on record. */
export interface ApprovalEvent {
  readonly kind: 'asked' | 'used';
  readonly request: ApprovalRequest;
}

interface ApprovalsParts {
  readonly config: () => Config;
  /** A clock in ms that never goes backwards. */
  readonly clock: () => number;
  /** A new id: 16 hex digits. */
  readonly newId: () => string;
  readonly onEvent: (event: ApprovalEvent) => void;
}

/** Requests at the same time, of one identity and of all. */
export const mostRequests = { own: 16, all: 256 } as const;

/** How long a client should wait before it asks again, in ms. */
const pollMs = 1000;

/** The approvals of a daemon that has just started: none. */
export function createApprovals({ config, clock, newId, onEvent }: ApprovalsParts): Approvals {
  const requests = new Map<string, ApprovalRequest>();
  const ruleOf = createRules(config);

  const sweep = (): void => {
    const now = clock();
    for (const { id, expiresAt } of requests.values()) if (expiresAt <= now) requests.delete(id);
  };

  const put = (request: ApprovalRequest): ApprovalRequest => {
    requests.set(request.id, request);
    return request;
  };

  const expiry = (profile: string): number =>
    clock() + profileConfigOf(config(), profile).approvalSeconds * 1000;

  /** Makes room by forgetting what was used; only who comes to decide it once more would have heard of it. */
  const requireRoom = (asker: string): HushError | undefined => {
    const all = [...requests.values()];
    const own = all.filter((request) => request.asker.name === asker && request.state !== 'used').length;
    if (own >= mostRequests.own) return tooMany('you have', own);
    if (all.length < mostRequests.all) return undefined;
    const used = all.find(({ state }) => state === 'used');
    if (used === undefined) return tooMany('there are', all.length);
    requests.delete(used.id);
    return undefined;
  };

  const ask = (profile: string, path: string, asker: Identity, right: ApprovedRight): HushError => {
    const full = requireRoom(asker.name);
    if (full !== undefined) return full;
    const request = put({
      id: newId(),
      profile,
      path,
      right,
      asker,
      askedAt: new Date().toISOString(),
      state: 'waiting',
      by: undefined,
      expiresAt: expiry(profile),
    });
    onEvent({ kind: 'asked', request });
    return pending(request);
  };

  return {
    check(profile, path, asker, right = 'read') {
      if (ruleOf(profile)?.matches(path) !== true) return undefined;
      sweep();
      const known = [...requests.values()].find(
        (request) =>
          request.state !== 'used' &&
          request.path === path &&
          request.right === right &&
          request.profile === profile &&
          request.asker.name === asker.name &&
          request.asker.uid === asker.uid &&
          request.asker.enrolled === asker.enrolled,
      );
      switch (known?.state) {
        case undefined:
        case 'used':
          return ask(profile, path, asker, right);
        case 'waiting':
          return pending(known);
        case 'denied':
          return new HushError('APPROVAL_DENIED', `${known.by} refused this ${whatOf(known)}`);
        case 'approved':
          onEvent({ kind: 'used', request: put({ ...known, state: 'used' }) });
          return undefined;
      }
    },
    list() {
      sweep();
      return [...requests.values()];
    },
    remainingMs: ({ expiresAt }) => Math.max(0, Math.ceil(expiresAt - clock())),
    decide(profile, id, approve, by) {
      sweep();
      const request = requests.get(id);
      if (request?.profile !== profile) {
        throw new HushError('NOT_FOUND', `no request ${id} waits: it has ended, or there was none`, {
          hint: 'hush approve',
        });
      }
      const { name } = by.identity;
      const reason = sameSide(request, by);
      if (reason !== undefined) {
        throw new HushError('ACCESS_DENIED', `you are ${name}, ${reason}: somebody else must decide it`, {
          hint: 'hush approve, as another user',
        });
      }
      if (request.state !== 'waiting') {
        const decision = request.state === 'denied' ? 'denied' : 'approved';
        throw new HushError('CONFLICT', `${request.by} has ${decision} this already`, {
          hint: 'hush approve',
        });
      }
      return put({
        ...request,
        state: approve ? 'approved' : 'denied',
        by: name,
        expiresAt: expiry(profile),
      });
    },
    cancel(profile) {
      for (const request of requests.values()) if (request.profile === profile) requests.delete(request.id);
    },
    cancelOf(name) {
      for (const { id, asker, state, by } of requests.values())
        if (asker.name === name || (state === 'approved' && by === name)) requests.delete(id);
    },
  };
}

/**
 * Why whoever decides may be the one who asked; undefined where nothing says so. A key says more than the uid of the
 * process that holds it, which may be a relay's; and the owner, who may change the config, is nobody's second program.
 */
function sameSide(
  { asker, askedAt }: ApprovalRequest,
  { identity, enrolledAt }: Decider,
): string | undefined {
  if (asker.name === identity.name) return 'who asked for this';
  // Times of one form, which sort as text.
  if (enrolledAt !== undefined && enrolledAt >= askedAt) return 'enrolled after this was asked for';
  if (asker.enrolled || identity.enrolled || identity.kind === 'owner') return undefined;
  return asker.uid === identity.uid ? `of the uid ${asker.uid}, which asked for this` : undefined;
}

/** The patterns of the profiles that have any, worked out once a config: it is asked for at every read. */
function createRules(config: () => Config): (profile: string) => PathRules | undefined {
  let source: Config | undefined;
  let rules: ReadonlyMap<string, PathRules> = new Map();
  return (profile) => {
    const current = config();
    if (current !== source) {
      const withPatterns = Object.entries(current.profiles).filter(
        ([, { approve }]) => approve.patterns.length > 0,
      );
      rules = new Map(withPatterns.map(([name, { approve }]) => [name, approve]));
      source = current;
    }
    return rules.size === 0 ? undefined : rules.get(profile);
  };
}

const whatOf = ({ right, path }: Pick<ApprovalRequest, 'right' | 'path'>): string =>
  right === 'read' ? `read of ${path}` : `signature with ${path}`;

const pending = (request: ApprovalRequest): HushError =>
  new HushError(
    'APPROVAL_PENDING',
    `somebody else must approve this ${whatOf(request)} first: request ${request.id}`,
    pendingDetails(request),
  );

const pendingDetails = ({ id }: ApprovalRequest) => ({
  hint: `hush approve ${id}, as another operator`,
  retryAfterMs: pollMs,
  approval: id,
});

const tooMany = (who: string, count: number): HushError =>
  new HushError('LIMIT_EXCEEDED', `${who} ${count} requests for an approval that have not ended`, {
    limit: 'approvals',
    hint: 'wait until they are decided: hush approve',
  });
