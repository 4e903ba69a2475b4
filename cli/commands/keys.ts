import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { countText } from '../format.ts';
import { mayGoAhead } from '../prompts.ts';
import { profileOf, type ProfileOption } from '../target.ts';

interface RotateOptions extends ProfileOption {
  readonly keyring?: string;
  readonly yes?: true;
}

export const define: Define = (command, { output, finish }) => {
  command
    .command('rotate')
    .description('make a new key active: from now on it seals, and the old ones only open')
    .option('--keyring <name>', "the keyring (the daemon's default one)")
    .option('-y, --yes', 'do not ask')
    .action(async (options: RotateOptions) => {
      const profile = profileOf(options, process.env);
      const { keyring } = options;
      if (!(await mayGoAhead(`Make a new key active in profile ${profile}?`, options.yes))) {
        finish(1);
        return output.note('the keys stay as they are');
      }
      const facts = await withDaemon((daemon) =>
        daemon.call('keys.rotate', { profile, ...(keyring === undefined ? {} : { keyring }) }),
      );
      const told = `key ${facts.kmsKeyId} is active (${countText(facts.lines, 'line')} of keyring ${facts.keyring})`;
      await output.facts({ profile, ...facts }, [told]);
    });
};
