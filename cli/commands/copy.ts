import { answerTo, waitOption } from '../approval.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import type { ProfileOption } from '../target.ts';
import { twoPlacesOf } from '../two-places.ts';
import { currentOption } from '../version-option.ts';

interface CopyOptions extends ProfileOption {
  readonly ifVersion?: number;
  readonly wait?: true;
}

const examples = `
The current value goes along with its expiry, note and tags; where the new name has a value, it gets a new version.

Examples:
  hush copy global/db ws:42/db
  hush copy global/db ws:42/db --if-version 0`;

export const define: Define = (command, { output }) => {
  command
    .argument('<from>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .argument('<to>', 'SCOPE/NAME in the same profile')
    .option('--if-version <n>', 'only if this version of <to> is current; 0: if there is none', currentOption)
    .option(...waitOption)
    .addHelpText('after', examples)
    .action(async (from: string, to: string, options: CopyOptions) => {
      const places = twoPlacesOf(from, to, options, process.env);
      const { ifVersion, wait } = options;
      const request = { ...places, ...(ifVersion === undefined ? {} : { ifVersion }) };
      const facts = await withDaemon((daemon) =>
        answerTo(() => daemon.call('secret.copy', request), wait, output),
      );
      const done = facts.created ? 'is kept' : 'has a new value';
      await output.facts({ ...places, ...facts }, [
        `${places.to} ${done}, version ${facts.version}, of ${places.from}`,
      ]);
    });
};
