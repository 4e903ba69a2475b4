import { connect, type HushClient } from '../client/client.ts';
import { HushError } from '../protocol/errors.ts';
import { defaultProfile } from '../protocol/names.ts';
import type { ResultOf } from '../protocol/operations.ts';

/** The daemon, as commands speak to it: they name the profile in each call. */
export type Daemon = Pick<HushClient, 'call'>;

/** A person waits longer than a program would; the long operations of the client may take a minute in any case. */
const deadlineMs = 15_000;

/**
 * Runs `use` with a connection to the daemon, by default the one that the environment names, and ends it. Throws what
 * `connect` throws.
 */
export async function withDaemon<Result>(
  use: (daemon: Daemon) => Promise<Result>,
  socket?: string,
): Promise<Result> {
  const where = socket === undefined ? {} : { socket };
  const client = await connect({ deadlineMs, profile: defaultProfile, ...where });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Runs `use` as `withDaemon` does, or gives undefined where no daemon answers. */
export async function withDaemonIfRunning<Result>(
  use: (daemon: Daemon) => Promise<Result>,
  socket?: string,
): Promise<Result | undefined> {
  try {
    return await withDaemon(use, socket);
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
