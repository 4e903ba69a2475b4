import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';

const libc = new URL('../../native/libc.ts', import.meta.url).href;

/** The exit code of a program that has loaded the C library, with its standard error on a pipe. */
async function exitCodeOf(t: TestContext, program: string): Promise<unknown> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `import '${libc}';${program}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  child.stderr.resume();
  const [code] = (await once(child, 'exit')) as unknown[];
  return code;
}

describe('a process with the C library ends', () => {
  for (const [what, program, code] of [
    ['by itself', '', 0],
    ['with its code', 'process.exit(3);', 3],
    ['by an error', 'setImmediate(() => { throw new Error(); });', 1],
  ] as const) {
    test(`${what}, whether its standard error can be synced or not`, { timeout: 30_000 }, async (t) => {
      assert.equal(await exitCodeOf(t, program), code);
      assert.equal(await exitCodeOf(t, `import { closeSync } from 'node:fs';closeSync(2);${program}`), code);
    });
  }
});
