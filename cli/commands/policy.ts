import type { Define } from '../commands.ts';
import { defineCheck } from './policy/check.ts';
import { defineExplain } from './policy/explain.ts';
import { defineTest } from './policy/test.ts';

export const define: Define = (command, session) => {
  defineCheck(command, session);
  defineExplain(command, session);
  defineTest(command, session);
};
