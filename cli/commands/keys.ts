import type { Define } from '../commands.ts';
import { defineAdopt } from './keys/adopt.ts';
import { defineReopen } from './keys/reopen.ts';
import { defineRetire } from './keys/retire.ts';
import { defineRewrap } from './keys/rewrap.ts';
import { defineRotate } from './keys/rotate.ts';
import { defineShred } from './keys/shred.ts';
import { defineStatus } from './keys/status.ts';

export const define: Define = (command, session) => {
  command.addHelpText('after', examples);
  defineStatus(command, session);
  defineRotate(command, session);
  defineRetire(command, session);
  defineRewrap(command, session);
  defineAdopt(command, session);
  defineShred(command, session);
  defineReopen(command, session);
};

const examples = `
Examples:
  hush keys status
  hush keys rotate`;
