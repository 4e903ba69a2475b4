import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeClientKey } from '../../noise/client-key.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { copyBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseClientName } from '../../protocol/names.ts';
import { createNewFile, type NewFile } from '../backup/new-file.ts';
import type { Define } from '../commands.ts';
import { withDaemon, type Daemon } from '../daemon.ts';
import { columns, countText } from '../format.ts';
import type { Output } from '../output.ts';
import { mayGoAhead } from '../prompts.ts';

interface AddOptions {
  readonly keyFile?: string;
}

interface YesOption {
  readonly yes?: true;
}

export const define: Define = (command, { output, finish }) => {
  command.addHelpText('after', examples);

  command
    .command('add')
    .description('enrol a client: it then proves by a key of its own who it is')
    .argument('<name>', 'the name that grants in the config speak of')
    .option('--key-file <file>', 'write its key into a new file, instead of showing it once')
    .addHelpText('after', addExamples)
    .action((name: string, { keyFile }: AddOptions) => add(parseClientName(name), keyFile, output));

  command
    .command('list')
    .description('who is enrolled, since when, and connected how often')
    .addHelpText('after', '\nExamples:\n  hush client list')
    .action(async () => {
      const { clients } = await withDaemon((daemon) => daemon.call('client.list', {}));
      const lines = clients.map(({ name, createdAt, by, connections, publicKey }) => [
        name,
        `since ${createdAt} by ${by}`,
        countText(connections, 'connection'),
        publicKey,
      ]);
      await output.facts({ clients }, lines.length === 0 ? ['no client is enrolled'] : columns(lines));
    });

  command
    .command('remove')
    .description('enrol a client no longer, and end its connections')
    .argument('<name>', 'the client')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nExamples:\n  hush client remove shop')
    .action(async (word: string, { yes }: YesOption) => {
      const name = parseClientName(word);
      if (!(await mayGoAhead(`Remove the client ${name}, and end its connections?`, yes))) {
        finish(1);
        return output.note('nothing was removed');
      }
      const { closed, warnings } = await withDaemon((daemon) => daemon.call('client.remove', { name }));
      await output.facts({ name, removed: true, closed, warnings }, [
        `the client ${name} is enrolled no longer; ${countText(closed, 'connection')} ended`,
      ]);
      await noteAll(output, warnings);
    });
};

const examples = `
An enrolled client is known by its key wherever it connects from: out of a container, through ssh or socat. What it may
do stands in the config, in [profiles.PROFILE.grants.NAME].

Examples:
  hush client add shop --key-file shop.key
  hush client list
  hush client remove shop`;

const addExamples = `
The file holds the client's private key, and the daemon's public key by which the client knows the daemon. The daemon
keeps only the client's public key: what is lost cannot be shown again.

Examples:
  hush client add shop --key-file shop.key
  (umask 077; hush client add shop > shop.key)
  hush get global/db-password --reveal --client-key shop.key`;

async function add(name: string, keyFile: string | undefined, output: Output): Promise<void> {
  const path = keyFile === undefined ? undefined : resolve(keyFile);
  if (path !== undefined && existsSync(path)) {
    throw new HushError('EXISTS', `${path} exists already`, { hint: 'name another file' });
  }
  // Before the daemon is asked: a key that cannot be kept must not be enrolled.
  const file = path === undefined ? undefined : createNewFile(path, { force: false });
  const privateKey = newPrivateKey();
  let text: Uint8Array | undefined;
  try {
    const publicKey = publicKeyOf(privateKey);
    const warnings = await withDaemon(async (daemon) => {
      const added = await daemon.call('client.add', { name, publicKey });
      const made = writeClientKey({ name, privateKey, publicKey, daemonKey: copyBytes(added.daemonKey) });
      text = made;
      const handOver = async (): Promise<void> => {
        if (file === undefined) await show(name, publicKey, made, added.warnings, output);
        else keep(file, made);
      };
      await orTakeBack(daemon, name, handOver);
      return added.warnings;
    });
    if (path !== undefined) {
      await output.facts({ name, publicKey: hexOf(publicKey), keyFile: path, warnings }, [
        `the client ${name} is enrolled; its key is in ${path}`,
      ]);
    }
    if (path !== undefined || !output.json) await noteAll(output, warnings);
  } finally {
    file?.discard();
    privateKey.fill(0);
    text?.fill(0);
  }
}

/** Shows the key file, once. */
async function show(
  name: string,
  publicKey: Uint8Array,
  text: Uint8Array,
  warnings: readonly string[],
  output: Output,
): Promise<void> {
  if (output.json) {
    // JSON is a string, which nothing can wipe; the process does not live long.
    const key = new TextDecoder().decode(text);
    await output.facts({ name, publicKey: hexOf(publicKey), key, warnings }, []);
    return;
  }
  await output.note(`the client ${name} is enrolled; this is its key file, shown only now`);
  await output.bytes(text);
}

async function noteAll(output: Output, warnings: readonly string[]): Promise<void> {
  for (const warning of warnings) await output.note(warning);
}

/** Gives the file its name. */
function keep(file: NewFile, text: Uint8Array): void {
  file.write(text);
  file.sync();
  file.keep();
}

/** Hands the key over. Where that fails nobody has it, so the client is removed again. */
async function orTakeBack(daemon: Daemon, name: string, handOver: () => Promise<void>): Promise<void> {
  try {
    await handOver();
  } catch (error) {
    await daemon.call('client.remove', { name });
    throw error;
  }
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
