import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { mayGoAhead } from '../prompts.ts';
import { targetOf, type ProfileOption } from '../target.ts';

interface DeleteOptions extends ProfileOption {
  readonly yes?: true;
}

export const define: Define = (command, { output, finish }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nOn a terminal it asks first.\n\nExamples:\n  hush delete global/db')
    .action(async (path: string, options: DeleteOptions) => {
      const target = targetOf(path, options, process.env);
      if (!(await mayGoAhead(`Delete ${target.path} of profile ${target.profile}?`, options.yes))) {
        finish(1);
        return output.note('nothing was deleted');
      }
      await withDaemon((daemon) => daemon.call('secret.delete', target));
      await output.facts({ ...target, deleted: true }, [`${target.path} is deleted`]);
    });
};
