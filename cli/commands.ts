import type { Command } from 'commander';
import type { Output } from './output.ts';

/** What one run of `hush` gives its command. */
export interface Session {
  readonly output: Output;
  /** Sets the exit code of a command that ends without an error but not simply well. */
  finish(exitCode: number): void;
}

/** What a file of `commands/` exports: its options, arguments and action, put onto a fresh command. */
export type Define = (command: Command, session: Session) => void;

interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly define: Define }>;
  /** Whether its plain command lines are read without loading the parser, which takes longer than the command itself. */
  readonly isQuick?: true;
  /** Whether it sees to it itself that it goes on when its reader has gone. */
  readonly outlivesReaders?: true;
}

/** Every command of `hush`, in the order of its help; a command's file is loaded only when it is asked for. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  init: { summary: 'make a profile: a vault and the keys to it', load: () => import('./commands/init.ts') },
  start: { summary: 'start the daemon in the background', load: () => import('./commands/start.ts') },
  stop: { summary: 'stop the daemon', load: () => import('./commands/stop.ts') },
  status: { summary: 'show the daemon and its profiles', load: () => import('./commands/status.ts') },
  unlock: { summary: 'open a profile', load: () => import('./commands/unlock.ts') },
  lock: {
    summary: 'close a profile and wipe its keys from memory',
    load: () => import('./commands/lock.ts'),
  },
  set: { summary: 'keep a value', load: () => import('./commands/set.ts') },
  get: {
    summary: 'show a secret, its value with --reveal',
    load: () => import('./commands/get.ts'),
    isQuick: true,
  },
  list: { summary: 'list the paths of secrets', load: () => import('./commands/list.ts') },
  history: { summary: 'list the versions of a secret', load: () => import('./commands/history.ts') },
  delete: { summary: 'delete a secret, until it is restored', load: () => import('./commands/delete.ts') },
  restore: {
    summary: 'bring a deleted secret or an earlier value back',
    load: () => import('./commands/restore.ts'),
  },
  purge: {
    summary: 'destroy a secret and all its versions',
    load: () => import('./commands/purge.ts'),
  },
  rename: { summary: 'give a secret another name', load: () => import('./commands/rename.ts') },
  copy: { summary: 'copy a value to another name', load: () => import('./commands/copy.ts') },
  approve: {
    summary: 'list reads that wait for an approval, allow or refuse one',
    load: () => import('./commands/approve.ts'),
  },
  client: {
    summary: 'enrol clients that prove themselves by a key, list and remove them',
    load: () => import('./commands/client.ts'),
  },
  policy: {
    summary: 'check the config, explain and test what it decides',
    load: () => import('./commands/policy.ts'),
  },
  grant: {
    summary: 'grant a client something for a time, list such grants',
    load: () => import('./commands/grant.ts'),
  },
  revoke: { summary: 'take grants for a time back', load: () => import('./commands/revoke.ts') },
  profile: {
    summary: 'list, activate, deactivate or delete profiles',
    load: () => import('./commands/profile.ts'),
  },
  slot: {
    summary: 'say what opens a profile: passphrases, keys, recovery keys, groups',
    load: () => import('./commands/slot.ts'),
  },
  keys: {
    summary: 'rotate or destroy the keys that seal, move handles to new ones',
    load: () => import('./commands/keys.ts'),
  },
  run: {
    summary: 'run a command with secrets as its environment variables',
    load: () => import('./commands/run.ts'),
    outlivesReaders: true,
    isQuick: true,
  },
  env: {
    summary: 'write secrets as variables for a shell, an env file or JSON',
    load: () => import('./commands/env.ts'),
  },
  inject: {
    summary: 'put secrets in the places of references in a file',
    load: () => import('./commands/inject.ts'),
  },
  import: { summary: 'bring in secrets from another system', load: () => import('./commands/import.ts') },
  scan: {
    summary: 'find secrets in plain text, and references that lead nowhere',
    load: () => import('./commands/scan.ts'),
  },
  configure: {
    summary: 'move a value out of a config file, and put a reference in its place',
    load: () => import('./commands/configure.ts'),
  },
  keygen: { summary: 'print a fresh 32-byte key', load: () => import('./commands/keygen.ts') },
  backup: {
    summary: 'back a profile up, check and restore backups',
    load: () => import('./commands/backup.ts'),
  },
  audit: {
    summary: 'show, search, export and verify the record of who did what',
    load: () => import('./commands/audit.ts'),
  },
  door: {
    summary: 'serve other programs in their own protocol: age, aws, ssh-agent, systemd',
    load: () => import('./commands/door.ts'),
  },
  doctor: {
    summary: 'check the installation, and say how to mend it',
    load: () => import('./commands/doctor.ts'),
  },
  completion: {
    summary: 'print a script that completes hush in a shell',
    load: () => import('./commands/completion.ts'),
  },
};

/** The entry of a command, or undefined if there is none of that name. */
export function commandNamed(name: string): CommandEntry | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}
