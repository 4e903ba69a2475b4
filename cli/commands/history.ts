import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { expiryText } from '../expiry.ts';
import { columns, sizeText } from '../format.ts';
import { targetOf, typedFor, type ProfileOption } from '../target.ts';

type Version = ResultOf<'secret.history'>['versions'][number];

const examples = `
The newest first. How many old ones are kept, 5 by default, is [profiles.NAME] versions of config.toml.

Examples:
  hush history global/db
  hush get global/db --version 3 --reveal
  hush restore global/db --version 3`;

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .addHelpText('after', examples)
    .action(async (path: string, options: ProfileOption) => {
      const target = targetOf(path, options, process.env);
      const { versions, deletedAt } = await withDaemon((daemon) => daemon.call('secret.history', target));
      const now = new Date();
      await output.facts(
        { ...target, versions, ...(deletedAt === undefined ? {} : { deletedAt }) },
        columns(versions.map((one) => cellsOf(one, now))).map((line) => line.trimEnd()),
      );
      if (deletedAt !== undefined) {
        await output.note(
          `it was deleted ${deletedAt}; to have it back: ${typedFor('restore', target, process.env)}`,
        );
      }
    });
};

function cellsOf({ version, state, createdAt, by, expiresAt, bytes }: Version, now: Date): string[] {
  return [
    `v${version}`,
    state,
    createdAt,
    sizeText(bytes),
    by === undefined ? '' : `by ${by}`,
    expiresAt === undefined ? '' : expiryText(expiresAt, now),
  ];
}
