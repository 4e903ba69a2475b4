import { openCaller, type Caller, type ConnectOptions } from '../client/caller.ts';
import { connectPolled } from '../client/polled-socket.ts';
import { shortVocabulary } from '../client/short-vocabulary.ts';
import type { Connector } from '../client/stream.ts';
import { HushError } from '../protocol/errors.ts';
import { defaultProfile } from '../protocol/names.ts';
import type { ResultOf } from '../protocol/operations.ts';

/** The daemon, as commands speak to it: they name the profile in each call. */
export type Daemon = Pick<Caller, 'call'>;

/** The daemon, where somebody must know what it takes at most. */
export type LimitedDaemon = Pick<Caller, 'call' | 'limits'>;

type Connected = LimitedDaemon & Pick<Caller, 'close'>;

/** A person waits longer than a program would; the long operations of the client may take a minute in any case. */
const deadlineMs = 15_000;

/** What is done with a connection to the daemon. */
type Use<Result> = (daemon: LimitedDaemon) => Promise<Result>;

/**
 * Runs `use` with a connection to the daemon that the environment names, and ends it. Where none runs it is started if
 * the config asks for that. Throws what `connect` and the start throw.
 */
export async function withDaemon<Result>(use: Use<Result>): Promise<Result> {
  return withClient(await connectOrStart(() => connect(optionsFor())), use);
}

/** Runs `use` as `withDaemon` does, in a process that does nothing else meanwhile: it is up sooner. */
export async function withDaemonAlone<Result>(use: Use<Result>): Promise<Result> {
  return withClient(await connectOrStart(() => connectBy(connectPolled, optionsFor())), use);
}

/** Runs `use` as `withDaemon` does, by default with the daemon that the environment names; none is ever started. */
export async function withRunningDaemon<Result>(use: Use<Result>, socket?: string): Promise<Result> {
  return withClient(await connect(optionsFor(socket)), use);
}

const optionsFor = (socket?: string): ConnectOptions => ({
  deadlineMs,
  profile: defaultProfile,
  ...(socket === undefined ? {} : { socket }),
});

async function connect(options: ConnectOptions): Promise<Connected> {
  const { connectTo } = await import('../client/socket.ts');
  return connectBy(connectTo, options);
}

/** Connects knowing only what short commands ask for; the rest is loaded when a command asks for it. */
async function connectBy(connector: Connector, options: ConnectOptions): Promise<Connected> {
  const { known, learn } = shortVocabulary();
  const { call, limits, close } = await openCaller(options, known, connector);
  return {
    async call(op, params, callOptions) {
      await learn(op, params);
      return call(op, params, callOptions);
    },
    limits,
    close,
  };
}

async function connectOrStart(connecting: () => Promise<Connected>): Promise<Connected> {
  try {
    return await connecting();
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'UNREACHABLE')) throw error;
    const { autostart } = await import('./autostart.ts');
    if (!(await autostart(process.env))) throw error;
    return connecting();
  }
}

async function withClient<Result>(client: Connected, use: Use<Result>): Promise<Result> {
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Runs `use` as `withRunningDaemon` does, or gives undefined where no daemon answers. */
export async function withDaemonIfRunning<Result>(
  use: Use<Result>,
  socket?: string,
): Promise<Result | undefined> {
  try {
    return await withRunningDaemon(use, socket);
  } catch (error) {
    if (error instanceof HushError && error.code === 'UNREACHABLE') return undefined;
    throw error;
  }
}

/** The error for a profile that the daemon does not tell of: there is none, or it is none of the caller's business. */
export function noSuchProfile(profile: string): HushError {
  return new HushError('NO_SUCH_PROFILE', `there is no profile ${profile} that you may see`, {
    hint: `hush init -p ${profile}`,
  });
}

/** What the daemon tells of one profile; undefined where it tells nothing. */
export async function stateOf(
  daemon: Daemon,
  profile: string,
): Promise<ResultOf<'status'>['profiles'][number] | undefined> {
  const { profiles } = await daemon.call('status', { profile });
  return profiles.find(({ name }) => name === profile);
}
