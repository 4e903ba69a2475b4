import { resolve } from 'node:path';
import type { Define } from '../commands.ts';
import { fileOption } from '../credentials.ts';
import { ensureDaemon, wasRunning } from '../ensure-daemon.ts';
import { unlockFailure } from '../launch.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

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
      const args = options.keyFile === undefined ? [] : ['--key-file', resolve(options.keyFile)];
      const event = await ensureDaemon(environmentFor(options), args);
      if (wasRunning(event)) {
        const { pid, version } = event;
        return output.facts({ pid, version, already: true }, [`hushd runs already, pid ${pid}`]);
      }
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
