import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface SystemdOptions extends ProfileOption {
  readonly socket?: string;
  readonly map?: readonly string[];
}

/** `hush door systemd`: the server behind `LoadCredential=`. */
export function defineSystemd(door: Command, { output }: Session): void {
  door
    .command('systemd')
    .description('serve LoadCredential= of systemd units, until it is stopped')
    .option('--socket <path>', 'listen here (else beside the socket of the daemon, as systemd.sock)')
    .option(
      '--map <unit=scope>',
      'keep the credentials of a unit in another scope than pr:UNIT; may be given again',
      (text: string, texts: readonly string[] | undefined) => [...(texts ?? []), text],
    )
    .addHelpText('after', examples)
    .action(async (options: SystemdOptions) => {
      const { runDoor } = await import('../../doors/systemd/run.ts');
      await runDoor({
        profile: profileOf(options, process.env),
        maps: options.map ?? [],
        socket: options.socket === undefined ? undefined : resolve(options.socket),
        output,
      });
    });
}

const examples = `
LoadCredential=NAME:PATH in a unit fetches the secret pr:UNIT/NAME, whose name is the unit's. What the door may read, it
gives to the unit that it belongs to: grants on pr:UNIT/* say which units are served. With a socket unit it listens
on what systemd hands over.

Examples:
  printf '%s' "$PASSWORD" | hush set pr:web.service/db-password
  hush door systemd --socket /run/hushd/systemd.sock
  hush door systemd --map 'web@1.service=pr:web-1'

In web.service:
  [Service]
  LoadCredential=db-password:/run/hushd/systemd.sock`;
