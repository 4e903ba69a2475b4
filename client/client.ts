import { setTimeout as delay } from 'node:timers/promises';
import { HushError, errorOf } from '../protocol/errors.ts';
import { defaultProfile, parseProfileName } from '../protocol/names.ts';
import { operations } from '../protocol/operations.ts';
import type { OperationName, ParamsOf, ResultOf } from '../protocol/operations.ts';
import { whenApproved } from './approval.ts';
import { clientKeySource } from './client-key.ts';
import type { ClientKeyOptions } from './client-key.ts';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { createListeners } from './events.ts';
import { createLink } from './link.ts';
import { trustedListenersOf } from './listener.ts';
import { errorReport } from './reply.ts';
import { checkSocketPath, socketPathOf } from './socket-path.ts';
import type { Environment } from './socket-path.ts';

/** How a client finds the daemon, and what it makes of it. */
export interface ConnectOptions extends ClientKeyOptions {
  /** The path of the daemon's socket; by default what `env` says (HUSH_SOCKET, HUSH_HOME, XDG_RUNTIME_DIR). */
  readonly socket?: string;
  /** The profile that calls mean when they name none; by default HUSH_PROFILE, else `default`. */
  readonly profile?: string;
  /**
   * How long a call may take, in milliseconds, a batch 20 more an item; 2000 by default, except 60 000 for what runs
   * Argon2id (`unlock`, `slot.add`, `slot.change`, `slot.group`, `slot.ungroup`) or works through much of a profile
   * (`keys.rotate`, `keys.rotateVault`, `keys.retire`, `keys.shred`, `backup.begin`, `secret.importLegacy`).
   */
  readonly deadlineMs?: number;
  /** The environment; `process.env` by default. */
  readonly env?: Environment;
  /** A user id, besides one's own and 0, whose daemon is trusted; by default HUSH_DAEMON_UID. */
  readonly daemonUid?: number;
  /** Whether the values in messages are sealed once more; they are in any case where the daemon asks for it. */
  readonly fieldEncryption?: boolean;
  /** The id of the vault that must be found at the other end. */
  readonly vaultId?: string;
}

/** The parameters of a call: those of the table, where the client fills in the profile. */
export type CallParams<Name extends OperationName> =
  ParamsOf<Name> extends { profile: string }
    ? Omit<ParamsOf<Name>, 'profile'> & { readonly profile?: string }
    : ParamsOf<Name>;

/** One item of a batch. */
export type BatchItem = {
  [Name in OperationName]: { readonly op: Name; readonly params: CallParams<Name> };
}[OperationName];

/** What became of one item of a batch. */
export type BatchOutcome<Name extends OperationName> =
  | { readonly ok: ResultOf<Name>; readonly error?: never }
  | { readonly ok?: never; readonly error: HushError };

/** What became of all items, in their order. */
export type BatchOutcomes<Items extends readonly BatchItem[]> = {
  -readonly [Index in keyof Items]: BatchOutcome<Items[Index]['op']>;
};

/** One secret as `list` shows it: never its value. */
export type ListEntry = ResultOf<'secret.list'>['entries'][number];

/** The slots of a profile, and which of them open it alone or together. */
export type SlotList = ResultOf<'slot.list'>;

/** A credential for `unlock`: a passphrase in UTF-8 (NFKC), or exactly 32 bytes of key or recovery key. */
export type Credential = ParamsOf<'unlock'>['credentials'][number];

/**
 * A client of the daemon. Calls share one connection and may overlap; each rejects with a `HushError`, at once when
 * the daemon is down. Values passed in must stay as they are until the call has ended; the caller wipes them, and
 * the values that it is given.
 */
export interface HushClient {
  readonly profile: string;
  /** Any operation of the table; `deadlineMs` overrides the client's. */
  call<Name extends OperationName>(
    op: Name,
    params: CallParams<Name>,
    options?: { readonly deadlineMs?: number },
  ): Promise<ResultOf<Name>>;
  /**
   * A secret. Where another identity has to approve the read it rejects with APPROVAL_PENDING at once, or waits until
   * it is decided (`true`), or so many milliseconds at most.
   */
  get(
    path: string,
    options?: { readonly waitForApproval?: boolean | number },
  ): Promise<ResultOf<'secret.get'>>;
  set(path: string, value: ParamsOf<'secret.set'>['value']): Promise<ResultOf<'secret.set'>>;
  delete(path: string): Promise<void>;
  /** The secrets that the client may read, in pages behind the scenes. */
  list(options?: { readonly prefix?: string; readonly pageSize?: number }): AsyncIterableIterator<ListEntry>;
  unlock(
    credentials: readonly Credential[],
    options?: { readonly acceptRollback?: string },
  ): Promise<ResultOf<'unlock'>>;
  lock(): Promise<ResultOf<'lock'>>;
  /** Locks every profile that the caller may lock, and ends what is about to unlock one; tells of each. */
  lockAll(): Promise<ResultOf<'lock.all'>['profiles']>;
  status(): Promise<ResultOf<'status'>>;
  /** Several operations in one frame; each has its own outcome. */
  batch<const Items extends readonly BatchItem[]>(items: Items): Promise<BatchOutcomes<Items>>;
  /** `disconnect` when the connection drops, `reconnect` when it is back; answers how to stop listening. */
  on(event: 'disconnect' | 'reconnect', listener: () => void): () => void;
  /** Ends calls in flight with UNREACHABLE, and all later ones. */
  close(): void;
}

/** Makes sure that the right vault is behind a new connection. */
export type Verify = (connection: Connection, profile: string, expiresAt: number) => Promise<void>;

const usualDeadlineMs = 2000;
const longDeadlineMs = 60_000;
/** What each item of a batch adds: a change may be a commit of its own, synced to the disk. */
const batchItemMs = 20;
const longOperations: readonly OperationName[] = [
  'unlock',
  'keys.rotate',
  'keys.rotateVault',
  'keys.retire',
  'keys.shred',
  'backup.begin',
  'secret.importLegacy',
  'slot.add',
  'slot.change',
  'slot.group',
  'slot.ungroup',
];

/** The operations that cannot do without a profile. */
const profiled: ReadonlySet<string> = new Set(
  Object.entries(operations)
    .filter(
      ([, { params }]) => 'profile' in params.shape && !params.shape.profile.safeParse(undefined).success,
    )
    .map(([name]) => name),
);

/**
 * Connects to the daemon. Rejects with UNREACHABLE when it is down, UNTRUSTED_LISTENER when someone else listens,
 * UNSUPPORTED_VERSION, DEADLINE, INTEGRITY when `vaultId` is given and another vault answers, INVALID_NAME for the
 * profile, BAD_REQUEST for the socket's path.
 */
export async function connect(options: ConnectOptions = {}): Promise<HushClient> {
  return connectAndVerify(options, async (connection, profile, expiresAt) => {
    if (options.vaultId === undefined) return;
    const { profiles } = await connection.call('status', { profile }, expiresAt);
    const vaultId = profiles.find(({ name }) => name === profile)?.vaultId;
    if (vaultId === undefined)
      throw new HushError('UNAVAILABLE', 'the daemon does not tell the id of the vault');
    if (vaultId !== options.vaultId) throw anotherVault();
  });
}

/** The error for a vault that is not the pinned or the first one. */
export function anotherVault(): HushError {
  return new HushError('INTEGRITY', 'another vault answers', {
    hint: 'compare the vault id of hush status with the one that this client was set up with',
  });
}

/** `connect` with a proof of one's own that the right vault answers. */
export async function connectAndVerify(options: ConnectOptions, verify: Verify): Promise<HushClient> {
  const env = options.env ?? process.env;
  const socket = options.socket === undefined ? socketPathOf(env) : checkSocketPath(options.socket);
  const trusted = trustedListenersOf(env, options.daemonUid);
  const clientKey = clientKeySource(options, env);
  const { fieldEncryption } = options;
  // An empty HUSH_PROFILE counts as not set.
  const profile: string = parseProfileName(options.profile ?? (env['HUSH_PROFILE'] || defaultProfile));
  const listeners = createListeners<'disconnect' | 'reconnect'>();

  const link = createLink({
    open: (expiresAt, onClose) =>
      openConnection({ socket, trusted, clientKey, fieldEncryption, expiresAt, onClose }),
    verify: (connection, expiresAt) => verify(connection, profile, expiresAt),
    onDisconnect: () => {
      listeners.tell('disconnect');
    },
    onReconnect: () => {
      listeners.tell('reconnect');
    },
  });

  const close = (): void => {
    link.close();
    clientKey?.wipe();
  };

  const deadlineOf = (op: OperationName): number =>
    longOperations.includes(op) ? longDeadlineMs : (options.deadlineMs ?? usualDeadlineMs);

  const call = async <Name extends OperationName>(
    op: Name,
    given: CallParams<Name>,
    { deadlineMs = deadlineOf(op) }: { readonly deadlineMs?: number } = {},
  ): Promise<ResultOf<Name>> => {
    const expiresAt = performance.now() + deadlineMs;
    const params = withProfile(op, given, profile);
    const connection = await link.ready(expiresAt);
    try {
      return await connection.call(op, params, expiresAt);
    } catch (error) {
      const wait = operations[op].repeatable ? waitBeforeRepeating(error, connection, expiresAt) : undefined;
      if (wait === undefined) throw error;
      if (wait > 0) await delay(wait);
    }
    return (await link.ready(expiresAt)).call(op, params, expiresAt);
  };

  try {
    await link.ready(performance.now() + (options.deadlineMs ?? usualDeadlineMs));
  } catch (error) {
    close();
    throw error;
  }

  return {
    profile,
    call,
    get: (path, { waitForApproval = false } = {}) => {
      const ask = (): Promise<ResultOf<'secret.get'>> => call('secret.get', { path });
      if (waitForApproval === false) return ask();
      return whenApproved(ask, { waitMs: waitForApproval === true ? Infinity : waitForApproval });
    },
    set: (path, value) => call('secret.set', { path, value }),
    delete: async (path) => {
      await call('secret.delete', { path });
    },
    async *list({ prefix, pageSize } = {}) {
      let after: string | undefined;
      do {
        const page = await call('secret.list', { prefix, limit: pageSize, after });
        yield* page.entries;
        after = page.next;
      } while (after !== undefined);
    },
    unlock: (credentials, { acceptRollback } = {}) =>
      call('unlock', { credentials: [...credentials], acceptRollback }),
    lock: () => call('lock', {}),
    lockAll: async () => (await call('lock.all', {})).profiles,
    status: () => call('status', {}),
    async batch<const Items extends readonly BatchItem[]>(items: Items): Promise<BatchOutcomes<Items>> {
      const sent = items.map(({ op, params }) => ({ op, params: withProfile(op, params, profile) }));
      const deadlineMs = (options.deadlineMs ?? usualDeadlineMs) + items.length * batchItemMs;
      const { results } = await call('batch', { items: sent }, { deadlineMs });
      if (results.length !== items.length) {
        throw new HushError('UNAVAILABLE', 'the daemon did not answer each item of the batch');
      }
      const outcomes = items.map(({ op }, index) => outcomeOf(op, results[index]));
      // One outcome an item, in order, each read by the result schema of that item's operation.
      return outcomes as BatchOutcomes<Items>;
    },
    on: listeners.on,
    close,
  };
}

/** The parameters as the wire wants them: with the profile, where the operation needs one and none is named. */
function withProfile<Name extends OperationName>(
  op: Name,
  given: CallParams<Name>,
  profile: string,
): ParamsOf<Name> {
  const params = profiled.has(op) ? { profile, ...given } : given;
  // CallParams is ParamsOf without a required profile, and this is where that is put back.
  return params as unknown as ParamsOf<Name>;
}

/** How long to wait before a failed call may be sent once more, in milliseconds; undefined if it may not. */
function waitBeforeRepeating(error: unknown, connection: Connection, expiresAt: number): number | undefined {
  if (error === connection.ended()) return 0;
  if (!(error instanceof HushError) || error.code !== 'RATE_LIMITED') return undefined;
  const wait = error.retryAfterMs ?? 0;
  return performance.now() + wait < expiresAt ? wait : undefined;
}

function outcomeOf(
  op: OperationName,
  result: ResultOf<'batch'>['results'][number] | undefined,
): BatchOutcome<OperationName> {
  if (result === undefined) throw new HushError('UNAVAILABLE', `the daemon did not answer ${op}`);
  if ('ok' in result) {
    const ok = operations[op].result.safeParse(result.ok);
    if (ok.success) return { ok: ok.data };
    return { error: new HushError('UNAVAILABLE', `the daemon's answer to ${op} has not the shape of one`) };
  }
  return { error: errorOf(errorReport.parse(result.error)) };
}
