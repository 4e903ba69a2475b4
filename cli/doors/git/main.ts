import { readInput } from '../../input.ts';
import { createOutput } from '../../output.ts';
import { helperLine, runHelper } from '../helper.ts';
import { attributesIn } from './attributes.ts';
import { erase } from './erase.ts';
import { get } from './get.ts';
import { store } from './store.ts';

/** More than git ever says: its own lines have at most 64 KiB. */
const mostBytes = 256 * 1024;

const actions = { get, store, erase } as const;

/** `git credential-hush`, as gitcredentials(7) has it: what git has not told us of stays undone, without a word. */
runHelper(async () => {
  const line = helperLine(process.argv.slice(2), ['--profile', '--scope', '--secret', '--username']);
  const { action } = line;
  if (action !== 'get' && action !== 'store' && action !== 'erase') return;
  const input = await readInput(mostBytes);
  try {
    await actions[action](attributesIn(input, 'what git says'), line, createOutput(false));
  } finally {
    input.fill(0);
  }
});
