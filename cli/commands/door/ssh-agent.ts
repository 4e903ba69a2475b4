import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import { parseDuration } from '../../duration.ts';
import { profileOf, type ProfileOption } from '../../target.ts';
import { badUsage } from '../../usage.ts';

interface SshAgentOptions extends ProfileOption {
  readonly socket?: string;
  readonly only?: readonly string[];
  readonly wait?: number;
  readonly public?: string;
  readonly generate?: string;
  readonly type?: string;
  readonly bits?: number;
  readonly comment?: string;
}

const usualWait = '60s';

/** `hush door ssh-agent`: an SSH agent whose keys never leave the daemon. */
export function defineSshAgent(door: Command, { output, finish }: Session): void {
  door
    .command('ssh-agent')
    .description('sign for ssh, git and ssh-keygen with keys that stay in the vault')
    .argument('[command...]', 'a program to run with this agent; it serves until it is stopped without one')
    .option('--socket <path>', 'listen here (else beside the socket of the daemon, as ssh-agent.sock)')
    .option(
      '--only <pattern>',
      'offer these keys: SCOPE/NAME, with `*` (else global/ssh.*); may be given again',
      (text: string, texts: readonly string[] | undefined) => [...(texts ?? []), text],
    )
    .option('--wait <time>', `how long a signature waits for an approval (${usualWait})`, waitOf)
    .option('--public <path>', "print the key's public half, as authorized_keys takes it, and end")
    .option('--generate <path>', 'make a key, keep it there, print its public half, and end')
    .option('--type <type>', 'with --generate: ed25519 (the default) or rsa')
    .option('--bits <bits>', 'with --type rsa: 2048 to 4096 (3072)', bitsOf)
    .option('--comment <text>', 'with --generate: what the key is called (else its path)', commentOf)
    .addHelpText('after', examples)
    .action(async (command: readonly string[], options: SshAgentOptions) => {
      const { public: shown, generate, socket } = options;
      if (generate === undefined && (options.type ?? options.bits ?? options.comment) !== undefined) {
        throw badUsage('--type, --bits and --comment go with --generate', 'door ssh-agent');
      }
      if (generate !== undefined || shown !== undefined) {
        if (command.length > 0 || (generate ?? shown) !== (shown ?? generate)) {
          throw badUsage('--public and --generate go alone', 'door ssh-agent');
        }
        const { makeKey, showKey } = await import('../../doors/ssh-agent/commands.ts');
        await (generate === undefined
          ? showKey(shown ?? '', options, output)
          : makeKey(generate, { ...options, type: typeOf(options) }, output));
        return;
      }
      const { runAgent } = await import('../../doors/ssh-agent/run.ts');
      const { usualPatterns } = await import('../../doors/ssh-agent/keys.ts');
      finish(
        await runAgent({
          profile: profileOf(options, process.env),
          patterns: options.only ?? usualPatterns,
          socket: socket === undefined ? undefined : resolve(socket),
          waitMs: options.wait ?? waitOf(usualWait),
          command,
          output,
        }),
      );
    });
}

function waitOf(text: string): number {
  const seconds = text === '0' ? 0 : parseDuration(text);
  if (seconds !== undefined && seconds <= 3600) return seconds * 1000;
  throw badUsage('--wait is a time of at most an hour, such as 60s', 'door ssh-agent');
}

function bitsOf(text: string): number {
  const bits = Number(text);
  if (/^\d{4}$/.test(text) && bits >= 2048 && bits <= 4096 && bits % 8 === 0) return bits;
  throw badUsage('--bits is 2048 to 4096, a multiple of 8', 'door ssh-agent');
}

function commentOf(text: string): string {
  if (/^\P{Cc}{0,256}$/u.test(text)) return text;
  throw badUsage('--comment is one line of at most 256 characters', 'door ssh-agent');
}

function typeOf({ type = 'ed25519', bits }: SshAgentOptions): 'ed25519' | 'rsa' {
  if (type !== 'ed25519' && type !== 'rsa') throw badUsage('--type is ed25519 or rsa', 'door ssh-agent');
  if (bits !== undefined && type !== 'rsa') throw badUsage('--bits goes with --type rsa', 'door ssh-agent');
  return type;
}

const examples = `
Keys are secrets that hold an OpenSSH private key without a passphrase: Ed25519, or RSA of 2048 to 4096 bits. Who has the
right sign on one may have things signed, and never sees the key. Keys cannot be added or removed through the agent.

Examples:
  hush door ssh-agent --generate global/ssh.github
  hush set global/ssh.work < ~/.ssh/id_ed25519
  hush door ssh-agent -- ssh git@github.com
  hush door ssh-agent --only global/ssh.github -- git push
  hush door ssh-agent &`;
