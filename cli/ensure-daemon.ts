import { setTimeout as pause } from 'node:timers/promises';
import { pathsOf } from '../daemon/home/paths.ts';
import { HushError } from '../protocol/errors.ts';
import type { ResultOf } from '../protocol/operations.ts';
import { withDaemonIfRunning } from './daemon.ts';
import { launchDaemon, type Listening } from './launch.ts';

/** How often, and how long between, a start that lost a race looks whether the winner listens: 10 s in all. */
const otherStartTries = 100;
const otherStartPauseMs = 100;

type Status = ResultOf<'status'>;

/** A daemon that runs: what it says of itself at its start, or the status of one that was there. */
export type Running = Listening | Status;

/** Whether it was there before. */
export const wasRunning = (running: Running): running is Status => 'version' in running;

/** The daemon of the environment, which is started where none runs. Throws what `launchDaemon` throws. */
export async function ensureDaemon(env: NodeJS.ProcessEnv, args: readonly string[] = []): Promise<Running> {
  const paths = pathsOf(env);
  const running = await statusIfRunning(paths.socket);
  return (
    running ??
    (await launchDaemon({ paths, args, env }).catch((error: unknown) => otherStart(error, paths.socket)))
  );
}

const statusIfRunning = (socket: string): Promise<Status | undefined> =>
  withDaemonIfRunning((daemon) => daemon.call('status', {}), socket);

/** Another start came first: the daemon of that one holds the home, and will answer once it listens. */
async function otherStart(error: unknown, socket: string): Promise<Status> {
  if (!(error instanceof HushError && error.code === 'EXISTS')) throw error;
  for (let tries = 0; tries < otherStartTries; tries++) {
    const running = await statusIfRunning(socket);
    if (running !== undefined) return running;
    await pause(otherStartPauseMs);
  }
  throw error;
}
