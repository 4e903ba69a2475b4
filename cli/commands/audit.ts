import type { Define } from '../commands.ts';
import { defineCheckpoint } from './audit/checkpoint.ts';
import { defineExport } from './audit/export.ts';
import { defineSearch } from './audit/search.ts';
import { defineStats } from './audit/stats.ts';
import { defineTail } from './audit/tail.ts';
import { defineVerify } from './audit/verify.ts';

export const define: Define = (command, session) => {
  command.addHelpText('after', examples);
  defineTail(command, session);
  defineSearch(command, session);
  defineStats(command, session);
  defineExport(command, session);
  defineVerify(command, session);
  defineCheckpoint(command, session);
};

const examples = `
Examples:
  hush audit tail -f
  hush audit search --key 'global/prod.*' --since 7d
  hush audit verify`;
