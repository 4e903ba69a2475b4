import { HushError } from '../../../protocol/errors.ts';
import { printable } from '../../../protocol/printable.ts';
import { readInput } from '../../input.ts';
import { createOutput } from '../../output.ts';
import { packageVersion } from '../../package.ts';
import { helperLine, runHelper } from '../helper.ts';
import { erase, get, list, store } from './credentials.ts';

/** More than docker ever says. */
const mostBytes = 256 * 1024;

const actions = { get, store, erase } as const;
const output = createOutput(false);

/** docker reads from standard output what went wrong, and knows some texts; the exit code is 1. */
async function tell(error: unknown): Promise<number> {
  const { message, hint } = error instanceof HushError ? error : new HushError('UNAVAILABLE');
  const text = hint === '' ? message : `${message} (${hint})`;
  await output.bytes(Buffer.from(`${printable(text)}\n`)).catch(() => undefined);
  return 1;
}

runHelper(async () => {
  const line = helperLine(process.argv.slice(2), ['--profile', '--scope']);
  const { action } = line;
  if (action === 'version') return output.bytes(Buffer.from(`docker-credential-hush ${packageVersion()}\n`));
  if (action === 'list') return list(line, output);
  if (action !== 'get' && action !== 'store' && action !== 'erase') {
    throw new HushError('BAD_REQUEST', 'docker asks for get, store, erase, list or version', { hint: '' });
  }
  const input = await readInput(mostBytes);
  try {
    await actions[action](input, line, output);
  } finally {
    input.fill(0);
  }
}, tell);
