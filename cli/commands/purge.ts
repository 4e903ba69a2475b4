import { HushError } from '../../protocol/errors.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { countText } from '../format.ts';
import { askText, onTerminal } from '../prompts.ts';
import { targetOf, typedFor, type ProfileOption, type Target } from '../target.ts';
import { versionOption } from '../version-option.ts';

interface PurgeOptions extends ProfileOption {
  readonly version?: number;
  readonly yes?: true;
}

const examples = `
On a terminal it asks for the path to be typed; elsewhere --yes is needed. It takes the right to delete the secret and
that of an administrator. Backups from before still hold what is purged.

Examples:
  hush purge global/db --yes
  hush purge global/db --version 3 --yes`;

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--version <n>', 'this earlier version alone', versionOption)
    .option('--yes', 'confirm that it is to be destroyed')
    .addHelpText('after', examples)
    .action(async (path: string, options: PurgeOptions) => {
      const target = targetOf(path, options, process.env);
      const { version } = options;
      const which = version === undefined ? {} : { version };
      await requireConfirmed(target, options);
      const { purged, erased } = await withDaemon((daemon) =>
        daemon.call('secret.purge', { ...target, ...which }),
      );
      const what = version === undefined ? countText(purged, 'version') : `version ${version}`;
      const done = `${what} of ${target.path} ${purged === 1 ? 'is' : 'are'} destroyed`;
      await output.facts({ ...target, ...which, purged, erased }, [done]);
      if (!erased) {
        throw new HushError('UNAVAILABLE', `${done}, and the old bytes are still on the disk`, {
          hint: 'make room on the disk: the next hush purge removes them too',
        });
      }
    });
};

/** Lets pass what was confirmed on the command line, or by a person who has typed the path. Throws BAD_REQUEST. */
async function requireConfirmed(target: Target, { version, yes }: PurgeOptions): Promise<void> {
  if (yes) return;
  const { profile, path } = target;
  const what = version === undefined ? 'every version' : `version ${version}`;
  const sentence = `this destroys ${what} of ${path} in profile ${profile}, for ever`;
  const named = version === undefined ? '' : ` --version ${version}`;
  const hint = `${typedFor('purge', target, process.env)}${named} --yes`;
  if (!onTerminal()) throw new HushError('BAD_REQUEST', sentence, { hint });
  if ((await askText(`${sentence}\nType its path to go on`)) !== path) {
    throw new HushError('BAD_REQUEST', 'that is not its path: nothing was destroyed', { hint });
  }
}
