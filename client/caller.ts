import { setTimeout as delay } from 'node:timers/promises';
import { HushError } from '../protocol/errors.ts';
import { defaultProfile, parseProfileName } from '../protocol/names.ts';
import type { OperationName, ParamsOf, ResultOf } from '../protocol/operations.ts';
import type { Limits } from '../protocol/shapes.ts';
import { clientKeySource } from './client-key.ts';
import type { ClientKeyOptions } from './client-key.ts';
import { now } from './clock.ts';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { createListeners } from './events.ts';
import type { Vocabulary } from './known.ts';
import { createLink } from './link.ts';
import { trustedListenersOf } from './listener.ts';
import type { Connector } from './stream.ts';
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
   * (`keys.rotate`, `keys.rotateVault`, `keys.retire`, `keys.shred`, `backup.begin`, `secret.importLegacy`), or makes
   * a key (`ssh.generate`).
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

/** What calls the daemon: one connection at a time, opened again when it is next needed. */
export interface Caller<Callable extends OperationName = OperationName> {
  readonly profile: string;
  /** Any operation that it knows; `deadlineMs` overrides the caller's. */
  call<Name extends Callable>(
    op: Name,
    params: CallParams<Name>,
    options?: { readonly deadlineMs?: number },
  ): Promise<ResultOf<Name>>;
  /** What the daemon has told that it takes at most. */
  limits(): Promise<Limits>;
  /** The parameters as the wire wants them: with the profile, where the operation needs one and none is named. */
  withProfile<Name extends Callable>(op: Name, params: CallParams<Name>): ParamsOf<Name>;
  /** `disconnect` when the connection drops, `reconnect` when it is back; answers how to stop listening. */
  on(event: 'disconnect' | 'reconnect', listener: () => void): () => void;
  /** Ends calls in flight with UNREACHABLE, and all later ones. */
  close(): void;
}

/** Makes sure that the right vault is behind a new connection. */
export type Verify = (connection: Connection, profile: string, expiresAt: number) => Promise<void>;

/** How long a call may take where nobody says, in milliseconds. */
export const usualDeadlineMs = 2000;
const longDeadlineMs = 60_000;
const longOperations: readonly OperationName[] = [
  'unlock',
  'keys.rotate',
  'keys.rotateVault',
  'keys.retire',
  'keys.shred',
  'backup.begin',
  'secret.importLegacy',
  'ssh.generate',
  'slot.add',
  'slot.change',
  'slot.group',
  'slot.ungroup',
];

/**
 * A caller that is connected by this connector, and knows these operations. Rejects as `connect` says, and with what `verify` rejects
 * with.
 */
export async function openCaller(
  options: ConnectOptions,
  known: Vocabulary,
  connector: Connector,
  verify: Verify = () => Promise.resolve(),
): Promise<Caller> {
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
      openConnection({ socket, trusted, known, connector, clientKey, fieldEncryption, expiresAt, onClose }),
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

  const withProfile = <Name extends OperationName>(op: Name, given: CallParams<Name>): ParamsOf<Name> => {
    const params = known(op).profiled ? { profile, ...given } : given;
    // CallParams is ParamsOf without a required profile, and this is where that is put back.
    return params as unknown as ParamsOf<Name>;
  };

  const deadlineOf = (op: OperationName): number =>
    longOperations.includes(op) ? longDeadlineMs : (options.deadlineMs ?? usualDeadlineMs);

  const call = async <Name extends OperationName>(
    op: Name,
    given: CallParams<Name>,
    { deadlineMs = deadlineOf(op) }: { readonly deadlineMs?: number } = {},
  ): Promise<ResultOf<Name>> => {
    const expiresAt = now() + deadlineMs;
    const params = withProfile(op, given);
    const connection = await link.ready(expiresAt);
    try {
      return await connection.call(op, params, expiresAt);
    } catch (error) {
      const wait = known(op).repeatable ? waitBeforeRepeating(error, connection, expiresAt) : undefined;
      if (wait === undefined) throw error;
      if (wait > 0) await delay(wait);
    }
    return (await link.ready(expiresAt)).call(op, params, expiresAt);
  };

  const ready = async (): Promise<Connection> => link.ready(now() + (options.deadlineMs ?? usualDeadlineMs));
  const limits = async (): Promise<Limits> => (await ready()).limits;

  try {
    await ready();
  } catch (error) {
    close();
    throw error;
  }
  return { profile, call, limits, withProfile, on: listeners.on, close };
}

/** How long to wait before a failed call may be sent once more, in milliseconds; undefined if it may not. */
function waitBeforeRepeating(error: unknown, connection: Connection, expiresAt: number): number | undefined {
  if (error === connection.ended()) return 0;
  if (!(error instanceof HushError) || error.code !== 'RATE_LIMITED') return undefined;
  const wait = error.retryAfterMs ?? 0;
  return now() + wait < expiresAt ? wait : undefined;
}
