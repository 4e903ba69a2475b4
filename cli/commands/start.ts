import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathsOf } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { fileOption } from '../credentials.ts';
import { withDaemonIfRunning } from '../daemon.ts';
import { launchDaemon, unlockFailure } from '../launch.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

/** How often, and how long between, a start that lost a race looks whether the winner listens: 10 s in all. */
const otherStartTries = 100;
const otherStartPauseMs = 100;

interface StartOptions extends ProfileOption {
  readonly keyFile?: string;
  readonly ttl?: string;
}

export const define: Define = (command, { output }) => {
  command
    .option(
      '--key-file <file>',
      'open the profile at once with the 32-byte key in this file',
      fileOption('--key-file', 'start'),
    )
    .option(
      '--ttl <seconds>',
      'how long the daemon keeps an opened value (else the config, else 300)',
      secondsOf,
    )
    .addHelpText('after', examples)
    .action(async (options: StartOptions) => {
      const env = environmentFor(options);
      const running = await statusIfRunning();
      if (running !== undefined) return output.facts(...alreadyRunning(running));
      const args = options.keyFile === undefined ? [] : ['--key-file', resolve(options.keyFile)];
      const event = await launchDaemon({ paths: pathsOf(env), args, env }).catch(otherStart);
      if ('version' in event) return output.facts(...alreadyRunning(event));
      const { pid, unlock } = event;
      const told =
        unlock !== undefined && unlock.code === undefined ? `, profile ${unlock.profile} unlocked` : '';
      await output.facts({ pid, already: false, ...(unlock && { unlock }) }, [
        `hushd runs, pid ${pid}${told}`,
      ]);
      const failure = unlockFailure(event);
      if (failure !== undefined) throw failure;
    });
};

type Status = ResultOf<'status'>;

const statusIfRunning = (): Promise<Status | undefined> =>
  withDaemonIfRunning((daemon) => daemon.call('status', {}));

const alreadyRunning = ({ pid, version }: Status): [object, string[]] => [
  { pid, version, already: true },
  [`hushd runs already, pid ${pid}`],
];

/** Another start came first: the daemon of that one holds the home, and will answer once it listens. */
async function otherStart(error: unknown): Promise<Status> {
  if (!(error instanceof HushError && error.code === 'EXISTS')) throw error;
  for (let tries = 0; tries < otherStartTries; tries++) {
    const running = await statusIfRunning();
    if (running !== undefined) return running;
    await pause(otherStartPauseMs);
  }
  throw error;
}

const examples = `
It waits until the daemon listens, and tells what the daemon said if it did not come so far.
With a key file, the systemd credential hushd-master-key, or HUSH_MASTER_KEY, the daemon opens
the profile at once.

Examples:
  hush start
  hush start --key-file /etc/hushd/work.key -p work`;

function secondsOf(text: string): string {
  if (/^\d{1,9}$/.test(text)) return text;
  throw badUsage('--ttl is a number of seconds', 'start');
}

function environmentFor(options: StartOptions): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...(options.profile === undefined ? {} : { HUSH_PROFILE: profileOf(options, process.env) }),
    ...(options.ttl === undefined ? {} : { HUSH_SECRET_TTL: options.ttl }),
  };
}
