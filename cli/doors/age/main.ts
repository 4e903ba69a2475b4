import { HushError } from '../../../protocol/errors.ts';
import { createOutput, reportError } from '../../output.ts';
import { packageVersion } from '../../package.ts';
import { openConversation, type Conversation } from './conversation.ts';

const usage = `usage: age-plugin-hush --generate PATH    make an identity in the vault, and print its identity file
       age-plugin-hush --identity PATH    print the identity file of a secret that holds an age key
       age-plugin-hush --version

PATH is SCOPE/NAME, or hush://PROFILE/SCOPE/NAME. age itself starts this program for what such a file names:
  age-plugin-hush --generate global/age > identity.txt
  age -r age1… -o secret.age secret
  age -d -i identity.txt secret.age
`;

const output = createOutput(false);

/** Talks with age; whatever goes wrong is told to it, for it waits until it hears something. */
async function converse(machine: (talk: Conversation) => Promise<void>): Promise<void> {
  const talk = openConversation(output);
  try {
    await machine(talk);
    await talk.done();
  } catch (error) {
    const known =
      error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error });
    // Where age has gone there is nobody to tell it to.
    await talk.fail(['internal'], known).catch(() => undefined);
    throw error;
  } finally {
    talk.close();
  }
}

async function run([word = '', path, ...rest]: readonly string[]): Promise<void> {
  if (word === '--age-plugin=identity-v1') return converse((await import('./identity-v1.ts')).unwrapFileKeys);
  if (word === '--age-plugin=recipient-v1') return converse((await import('./recipient-v1.ts')).wrapFileKeys);
  if (word === '--version') return output.bytes(Buffer.from(`age-plugin-hush ${packageVersion()}\n`));
  if (word === '--help' || word === '-h') return output.bytes(Buffer.from(usage));
  const what = word === '--generate' ? 'new' : word === '--identity' ? 'identity' : undefined;
  if (what === undefined || path === undefined || rest.length > 0) {
    throw new HushError('BAD_REQUEST', 'those are no arguments of age-plugin-hush', {
      hint: 'age-plugin-hush --help',
    });
  }
  const { showIdentity } = await import('./show.ts');
  return showIdentity(what, path, {}, output);
}

async function main(): Promise<void> {
  // A reader that goes away is met where the write is awaited.
  process.stdout.on('error', () => undefined);
  try {
    await run(process.argv.slice(2));
  } catch (error) {
    process.exitCode = await reportError(error, false);
  }
}

void main();
