import type { Define } from '../commands.ts';
import { defineCreate } from './backup/create.ts';
import { defineRestore } from './backup/restore.ts';
import { defineVerify } from './backup/verify.ts';

export const define: Define = (command, session) => {
  command.addHelpText('after', examples);
  defineCreate(command, session);
  defineVerify(command, session);
  defineRestore(command, session);
};

const examples = `
Examples:
  hush backup create default.hushd
  hush backup verify default.hushd
  hush backup restore default.hushd`;
