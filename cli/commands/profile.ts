import { parseProfileName } from '../../protocol/names.ts';
import { HushError } from '../../protocol/errors.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { columns } from '../format.ts';
import { profileFacts } from './status.ts';

interface DeleteOptions {
  readonly yes?: true;
}

export const define: Define = (command, { output }) => {
  command.addHelpText('after', '\nExamples:\n  hush profile list\n  hush profile deactivate work');

  command
    .command('list')
    .description('the profiles of this daemon, and their states')
    .addHelpText('after', '\nExamples:\n  hush profile list')
    .action(async () => {
      const { profiles } = await withDaemon((daemon) => daemon.call('status', {}));
      await output.facts(
        { profiles },
        columns(profiles.map(({ name, ...rest }) => [name, profileFacts(rest)])),
      );
    });

  command
    .command('activate')
    .description('let a deactivated profile be unlocked again')
    .addHelpText('after', '\nExamples:\n  hush profile activate work')
    .argument('<name>', 'the profile')
    .action(async (name: string) => {
      const profile = parseProfileName(name);
      const { already } = await withDaemon((daemon) => daemon.call('profile.activate', { profile }));
      const text = already ? 'was active already' : `is active; open it: hush unlock -p ${profile}`;
      await output.facts({ profile, active: true, already }, [`profile ${profile} ${text}`]);
    });

  command
    .command('deactivate')
    .description('lock a profile, and keep it locked until it is activated')
    .addHelpText('after', '\nExamples:\n  hush profile deactivate work')
    .argument('<name>', 'the profile')
    .action(async (name: string) => {
      const profile = parseProfileName(name);
      const { already } = await withDaemon((daemon) => daemon.call('profile.deactivate', { profile }));
      const text = already ? 'was deactivated already' : 'is deactivated';
      await output.facts({ profile, active: false, already }, [`profile ${profile} ${text}`]);
    });

  command
    .command('delete')
    .description('destroy a profile and every secret in it, for ever')
    .addHelpText('after', '\nExamples:\n  hush profile delete work --yes')
    .argument('<name>', 'the profile')
    .option('--yes', 'confirm that all of it is to be destroyed')
    .action(async (name: string, { yes }: DeleteOptions) => {
      const profile = parseProfileName(name);
      if (!yes) {
        throw new HushError(
          'BAD_REQUEST',
          `this destroys profile ${profile} and every secret in it, for ever`,
          {
            hint: `hush profile delete ${profile} --yes`,
          },
        );
      }
      await withDaemon((daemon) => daemon.call('profile.delete', { profile }));
      await output.facts({ profile, deleted: true }, [`profile ${profile} is destroyed`]);
    });
};
