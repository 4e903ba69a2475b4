import { HushError, errorOf } from '../protocol/errors.ts';
import type { OperationName, ParamsOf, ResultOf } from '../protocol/operations.ts';
import { whenApproved } from './approval.ts';
import { openCaller, usualDeadlineMs } from './caller.ts';
import type { CallParams, ConnectOptions, Verify } from './caller.ts';
import { everyOperation } from './every-operation.ts';
import { toldError } from './reply.ts';
import { connectTo } from './socket.ts';

export type { CallParams, ConnectOptions, Verify };

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

/** How to wait for somebody else's approval. */
export interface ApprovalOptions {
  /**
   * Where another identity has to approve the read: left out or false, to reject with APPROVAL_PENDING at once; else to
   * wait until it is decided (`true`), or so many milliseconds at most.
   */
  readonly waitForApproval?: boolean | number;
}

/** Which value of a secret is asked for. */
export interface GetOptions extends ApprovalOptions {
  readonly version?: number;
  /** Whether a value is given that has expired. */
  readonly allowExpired?: boolean;
}

/** The version that must be current for a secret to be changed, else CONFLICT; 0: none. */
export interface ExpectedVersion {
  readonly ifVersion?: number;
}

/** What goes with a value that is stored; see `secret.set` in docs/protocol.md. */
export type SetOptions = {
  readonly [Name in 'ifVersion' | 'expiresAt' | 'note' | 'tags']?: NonNullable<ParamsOf<'secret.set'>[Name]>;
};

/** Which secrets are listed; see `secret.list` in docs/protocol.md. */
export interface ListOptions {
  readonly prefix?: string;
  readonly tag?: string;
  readonly expired?: boolean;
  readonly deleted?: boolean;
  readonly pageSize?: number;
}

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
  /** A secret: the current value, or that of an earlier version. */
  get(path: string, options?: GetOptions): Promise<ResultOf<'secret.get'>>;
  set(
    path: string,
    value: ParamsOf<'secret.set'>['value'],
    options?: SetOptions,
  ): Promise<ResultOf<'secret.set'>>;
  /** The versions of a secret that are kept, the newest first. */
  history(path: string): Promise<ResultOf<'secret.history'>>;
  /** Makes an earlier version, or what was deleted, the current one again, as a new version. */
  restore(path: string, version?: number, options?: ExpectedVersion): Promise<ResultOf<'secret.restore'>>;
  /** Takes a secret away; `restore` brings it back until it is purged. */
  delete(path: string, options?: ExpectedVersion): Promise<void>;
  /** Destroys all versions of a secret for good, or one earlier version. */
  purge(path: string, version?: number): Promise<ResultOf<'secret.purge'>>;
  /** Moves a secret with all its versions; where `from` has to be approved, as `get`. */
  rename(from: string, to: string, options?: ApprovalOptions): Promise<ResultOf<'secret.rename'>>;
  /** Stores the current value under another path too; where `from` has to be approved, as `get`. */
  copy(
    from: string,
    to: string,
    options?: ApprovalOptions & ExpectedVersion,
  ): Promise<ResultOf<'secret.copy'>>;
  /** The secrets that the client may read, in pages behind the scenes. */
  list(options?: ListOptions): AsyncIterableIterator<ListEntry>;
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

/** What each item of a batch adds: a change may be a commit of its own, synced to the disk, in milliseconds. */
const batchItemMs = 20;

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
  const { profile, call, withProfile, on, close } = await openCaller(
    options,
    everyOperation,
    connectTo,
    verify,
  );

  return {
    profile,
    call,
    get: (path, { waitForApproval, ...options } = {}) =>
      approved(() => call('secret.get', { path, ...options }), waitForApproval),
    set: (path, value, options) => call('secret.set', { path, value, ...options }),
    history: (path) => call('secret.history', { path }),
    restore: (path, version, options) => call('secret.restore', { path, version, ...options }),
    delete: async (path, options) => {
      await call('secret.delete', { path, ...options });
    },
    purge: (path, version) => call('secret.purge', { path, version }),
    rename: (from, to, { waitForApproval } = {}) =>
      approved(() => call('secret.rename', { from, to }), waitForApproval),
    copy: (from, to, { waitForApproval, ...options } = {}) =>
      approved(() => call('secret.copy', { from, to, ...options }), waitForApproval),
    async *list({ pageSize, ...options } = {}) {
      let after: string | undefined;
      do {
        const page = await call('secret.list', { ...options, limit: pageSize, after });
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
      const sent = items.map(({ op, params }) => ({ op, params: withProfile(op, params) }));
      const deadlineMs = (options.deadlineMs ?? usualDeadlineMs) + items.length * batchItemMs;
      const { results } = await call('batch', { items: sent }, { deadlineMs });
      if (results.length !== items.length) {
        throw new HushError('UNAVAILABLE', 'the daemon did not answer each item of the batch');
      }
      const outcomes = items.map(({ op }, index) => outcomeOf(op, results[index]));
      // One outcome an item, in order, each read by the result schema of that item's operation.
      return outcomes as BatchOutcomes<Items>;
    },
    on,
    close,
  };
}

/** What a call answers that may have to be approved first: at once, or once it is. */
function approved<Result>(
  ask: () => Promise<Result>,
  wait: ApprovalOptions['waitForApproval'] = false,
): Promise<Result> {
  return wait === false ? ask() : whenApproved(ask, { waitMs: wait === true ? Infinity : wait });
}

function outcomeOf(
  op: OperationName,
  result: ResultOf<'batch'>['results'][number] | undefined,
): BatchOutcome<OperationName> {
  if (result === undefined) throw new HushError('UNAVAILABLE', `the daemon did not answer ${op}`);
  if ('ok' in result) {
    const ok = everyOperation(op).read(result.ok);
    // Read as a result of that operation.
    if (ok !== undefined) return { ok: ok as ResultOf<typeof op> };
    return { error: new HushError('UNAVAILABLE', `the daemon's answer to ${op} has not the shape of one`) };
  }
  const told = toldError(result.error);
  return { error: told === undefined ? new HushError('UNAVAILABLE') : errorOf(told) };
}
