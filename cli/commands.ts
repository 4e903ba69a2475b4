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
  get: { summary: 'show a secret, its value with --reveal', load: () => import('./commands/get.ts') },
  list: { summary: 'list the paths of secrets', load: () => import('./commands/list.ts') },
  delete: { summary: 'delete a secret', load: () => import('./commands/delete.ts') },
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
  import: { summary: 'bring in secrets from another system', load: () => import('./commands/import.ts') },
  keygen: { summary: 'print a fresh 32-byte key', load: () => import('./commands/keygen.ts') },
  backup: {
    summary: 'back a profile up, check and restore backups',
    load: () => import('./commands/backup.ts'),
  },
  audit: {
    summary: 'show, search, export and verify the record of who did what',
    load: () => import('./commands/audit.ts'),
  },
  doctor: {
    summary: 'check the installation, and say how to mend it',
    load: () => import('./commands/doctor.ts'),
  },
};

/** The entry of a command, or undefined if there is none of that name. */
export function commandNamed(name: string): CommandEntry | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}
