import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { mayGoAhead } from '../prompts.ts';
import { targetOf, typedFor, type ProfileOption } from '../target.ts';
import { currentOption } from '../version-option.ts';

interface DeleteOptions extends ProfileOption {
  readonly ifVersion?: number;
  readonly yes?: true;
}

const examples = `
On a terminal it asks first. All versions stay until they are purged: hush restore, hush list --deleted, hush purge.

Examples:
  hush delete global/db
  hush delete global/db --yes
  hush delete global/db --if-version 3`;

export const define: Define = (command, { output, finish }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--if-version <n>', 'only if this version is the current one', currentOption)
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples)
    .action(async (path: string, options: DeleteOptions) => {
      const target = targetOf(path, options, process.env);
      if (!(await mayGoAhead(`Delete ${target.path} of profile ${target.profile}?`, options.yes))) {
        finish(1);
        return output.note('nothing was deleted');
      }
      const { ifVersion } = options;
      const request = { ...target, ...(ifVersion === undefined ? {} : { ifVersion }) };
      await withDaemon((daemon) => daemon.call('secret.delete', request));
      await output.facts({ ...target, deleted: true }, [`${target.path} is deleted`]);
      await output.note(`to have it back: ${typedFor('restore', target, process.env)}`);
    });
};
