import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { HushError } from '../../../protocol/errors.ts';

/** What opens the vault, or says who one is, is not for programs that ask the agent. */
const ownVariables = ['HUSH_MASTER_KEY', 'HUSH_CLIENT_KEY_FILE', 'CREDENTIALS_DIRECTORY', 'SSH_AGENT_PID'];

/** The exit codes of env(1) for a program that cannot be run, and one that is not there. */
const cannotRun = 126;
const notThere = 127;

/** Sent on to the child; at a terminal the keyboard's signals reach it by themselves. */
const passedOn = ['SIGTERM', 'SIGHUP'] as const;
const fromKeyboard = ['SIGINT', 'SIGQUIT'] as const;

/**
 * Runs a program that finds the agent at `socket`, and gives the exit code that stands for how it ended: its own, 128 and
 * the number of the signal, 126 or 127. `onError` is told why it could not be run.
 */
export function runWithAgent(
  [file = '', ...args]: readonly string[],
  socket: string,
  onError: (error: HushError) => void,
): Promise<number> {
  const kept = Object.entries(process.env).filter(([name]) => !ownVariables.includes(name));
  const env = { ...Object.fromEntries(kept), SSH_AUTH_SOCK: socket };
  return new Promise((resolve) => {
    const child = spawn(file, args, { env, stdio: 'inherit' });
    const stop = new AbortController();
    const listen = (signal: NodeJS.Signals, act: () => void): void => {
      process.on(signal, act);
      stop.signal.addEventListener('abort', () => process.off(signal, act));
    };
    for (const signal of passedOn) listen(signal, () => void child.kill(signal));
    for (const signal of fromKeyboard) listen(signal, () => undefined);
    const end = (code: number): void => {
      stop.abort();
      resolve(code);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      onError(
        new HushError('UNAVAILABLE', `cannot run ${file}: ${error.code ?? error.message}`, { cause: error }),
      );
      end(error.code === 'ENOENT' ? notThere : cannotRun);
    });
    child.once('exit', (code, signal) => {
      end(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
