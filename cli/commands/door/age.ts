import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import type { ProfileOption } from '../../target.ts';

/** `hush door age`: identities of age that are kept in the vault. */
export function defineAge(door: Command, { output }: Session): void {
  const age = door
    .command('age')
    .description('keep identities of age in the vault, for age-plugin-hush')
    .addHelpText('after', examples);
  const show = (what: 'new' | 'identity') => async (path: string, options: ProfileOption) => {
    const { showIdentity } = await import('../../doors/age/show.ts');
    await showIdentity(what, path, options, output);
  };
  age
    .command('new')
    .description('make an identity in the vault, and print its identity file')
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .addHelpText('after', '\nExamples:\n  hush door age new global/age > identity.txt')
    .action(show('new'));
  age
    .command('identity')
    .description('print the identity file of a secret that holds an age key')
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .addHelpText('after', '\nExamples:\n  hush door age identity global/old-key > identity.txt')
    .action(show('identity'));
}

const examples = `
The secret is an AGE-SECRET-KEY-1… as age-keygen makes it; it never leaves the vault. What is printed holds no secret:
the recipient, for whoever encrypts, and the identity that makes age ask age-plugin-hush, and that the daemon.

Examples:
  hush door age new global/age > identity.txt
  age -r "$(sed -n 's/^# recipient: //p' identity.txt)" -o notes.age notes
  age -d -i identity.txt notes.age
  age-keygen | hush set global/old-key && hush door age identity global/old-key > identity.txt`;
