import type { Define } from '../commands.ts';
import { defineCheck } from './policy/check.ts';
import { defineExplain } from './policy/explain.ts';
import { defineTest } from './policy/test.ts';

export const define: Define = (command, session) => {
  command.addHelpText('after', examples);
  defineCheck(command, session);
  defineExplain(command, session);
  defineTest(command, session);
};

const examples = `
Examples:
  hush policy check
  hush policy explain shop read global/db-main
  hush policy test expected.toml`;
