import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { profileOf, type ProfileOption } from '../target.ts';

export const define: Define = (command, { output }) => {
  command.action(async (options: ProfileOption) => {
    const profile = profileOf(options, process.env);
    const { already } = await withDaemon((client) => client.call('lock', { profile }));
    const text = already ? `profile ${profile} was locked already` : `profile ${profile} is locked`;
    await output.facts({ profile, state: 'locked', already }, [text]);
  });
};
