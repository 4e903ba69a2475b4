import type { Define } from '../commands.ts';
import { defineAge } from './door/age.ts';
import { defineAws } from './door/aws.ts';
import { defineSshAgent } from './door/ssh-agent.ts';
import { defineSystemd } from './door/systemd.ts';

/**
 * One door a line. `door/NAME.ts` holds its options and help, and loads what it does from `cli/doors/NAME/` in its action.
 */
export const define: Define = (command, session) => {
  command.addHelpText('after', examples);
  defineAge(command, session);
  defineAws(command, session);
  defineSshAgent(command, session);
  defineSystemd(command, session);
};

const examples = `
The help of each: hush door aws --help
git and docker find theirs on the PATH, as git-credential-hush and docker-credential-hush: see docs/doors.md.

Examples:
  hush door aws global/aws
  hush door ssh-agent
  hush door systemd`;
