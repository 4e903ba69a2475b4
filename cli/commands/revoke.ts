import { parseClientName } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { countText } from '../format.ts';
import { profileOf, type ProfileOption } from '../target.ts';

export const define: Define = (command, { output }) => {
  command
    .argument('<name>', "a client, for all its grants on the profile, or a grant's id")
    .addHelpText(
      'after',
      `
Only grants for a time (hush grant) can be taken back so; what the config grants is changed there.

Examples:
  hush revoke shop
  hush revoke g.0123456789ab`,
    )
    .action(async (name: string, options: ProfileOption) => {
      // No client's name holds a dot, and each id does.
      const which = name.includes('.')
        ? { id: name }
        : { profile: profileOf(options, process.env), client: parseClientName(name) };
      const { removed } = await withDaemon((daemon) => daemon.call('grant.remove', which));
      await output.facts({ ...which, removed }, [`${countText(removed, 'grant')} taken back`]);
    });
};
