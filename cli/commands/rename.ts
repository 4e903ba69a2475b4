import { answerTo, waitOption } from '../approval.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import type { ProfileOption } from '../target.ts';
import { twoPlacesOf } from '../two-places.ts';

interface RenameOptions extends ProfileOption {
  readonly wait?: true;
}

const examples = `
All versions, the note and the tags go along. It is refused where the new name has a value.

Examples:
  hush rename global/db global/db-main
  hush rename ws:42/token global/token`;

export const define: Define = (command, { output }) => {
  command
    .argument('<from>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .argument('<to>', 'SCOPE/NAME in the same profile')
    .option(...waitOption)
    .addHelpText('after', examples)
    .action(async (from: string, to: string, options: RenameOptions) => {
      const places = twoPlacesOf(from, to, options, process.env);
      const { version } = await withDaemon((daemon) =>
        answerTo(() => daemon.call('secret.rename', places), options.wait, output),
      );
      await output.facts({ ...places, version }, [`${places.from} is ${places.to} now, version ${version}`]);
    });
};
