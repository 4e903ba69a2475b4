import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { targetOf, type ProfileOption } from '../target.ts';
import { currentOption, versionOption } from '../version-option.ts';

interface RestoreOptions extends ProfileOption {
  readonly ifVersion?: number;
  readonly version?: number;
}

const examples = `
Without --version a deleted secret gets back the value that it had, and another one the value before its current. The
value becomes a new version, so that nothing is lost by it. (A whole profile from a backup: hush backup restore.)

Examples:
  hush restore global/db
  hush restore global/db --version 3`;

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--version <n>', 'the version whose value is meant: hush history PATH', versionOption)
    .option('--if-version <n>', 'only if this version is the current one; 0: if there is none', currentOption)
    .addHelpText('after', examples)
    .action(async (path: string, options: RestoreOptions) => {
      const target = targetOf(path, options, process.env);
      const { version: from, ifVersion } = options;
      const request = {
        ...target,
        ...(from === undefined ? {} : { version: from }),
        ...(ifVersion === undefined ? {} : { ifVersion }),
      };
      const facts = await withDaemon((daemon) => daemon.call('secret.restore', request));
      const what = from === undefined ? 'an earlier value' : `the value of version ${from}`;
      const done = facts.created ? 'is back' : `has ${what} again`;
      await output.facts({ ...target, ...facts, ...(from === undefined ? {} : { from }) }, [
        `${target.path} ${done}, version ${facts.version}`,
      ]);
    });
};
