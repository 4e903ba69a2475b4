import type { Define } from '../commands.ts';
import { forgetNames } from '../completion/names-file.ts';
import { withRunningDaemon } from '../daemon.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface LockOptions extends ProfileOption {
  readonly all?: true;
}

export const define: Define = (command, { output }) => {
  command
    .option('--all', 'every profile that you may lock, at once')
    .addHelpText('after', examples)
    .action(async (options: LockOptions) => {
      if (options.all) {
        if (options.profile !== undefined) throw badUsage('--all locks every profile: leave -p away', 'lock');
        const { profiles } = await withRunningDaemon((client) => client.call('lock.all', {}));
        for (const { name } of profiles) forgetNames(name, process.env);
        const facts = profiles.map(({ name, already }) => ({ name, state: 'locked', already }));
        const lines = profiles.map(({ name, already }) => lockedText(name, already));
        return output.facts(
          { profiles: facts },
          lines.length === 0 ? ['there is no profile to lock'] : lines,
        );
      }
      const profile = profileOf(options, process.env);
      const { already } = await withRunningDaemon((client) => client.call('lock', { profile }));
      forgetNames(profile, process.env);
      await output.facts({ profile, state: 'locked', already }, [lockedText(profile, already)]);
    });
};

const examples = `
An unlock that is under way ends with CONFLICT, and so does a change of keys with LOCKED.

Examples:
  hush lock -p work
  hush lock --all`;

const lockedText = (profile: string, already: boolean): string =>
  already ? `profile ${profile} was locked already` : `profile ${profile} is locked`;
