import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { TestContext } from 'node:test';
import { spawnDaemon, type TestHome } from '../support/daemon.ts';

/** How the start of a daemon ended: it listens, or it has ended with this code and these words on standard error. */
export type Start =
  | { readonly serves: true; readonly child: ChildProcess }
  | { readonly serves: false; readonly code: number | null; readonly said: string };

type Options = Parameters<typeof spawnDaemon>[1];

/** Starts a daemon that may well refuse; it is killed after the test if it still runs. */
export async function tryStart(t: TestContext, home: TestHome, options: Options = {}): Promise<Start> {
  const child = spawnDaemon(home, options);
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  let told = '';
  const serves = new Promise<true>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      told += text;
      if (told.includes('"event":"listening"')) resolve(true);
    });
  });
  const ended = new Promise<number | null>((resolve) => {
    // `close` comes after the last word on standard error.
    child.once('close', resolve);
  });
  const first = await Promise.race([serves, ended]);
  return first === true ? { serves: true, child } : { serves: false, code: first, said };
}

/** A start that must be refused with this exit code: the error and the hint that it gave. */
export async function refusedStart(
  t: TestContext,
  home: TestHome,
  expected: number,
  options: Options = {},
): Promise<{ readonly error: string; readonly hint: string; readonly said: string }> {
  const start = await tryStart(t, home, options);
  assert.ok(!start.serves, 'the daemon listens');
  const { code, said } = start;
  assert.equal(code, expected, said);
  const [, error, hint] = /^hushd: error: (.*)\nhushd: hint: (.*)$/m.exec(said) ?? [];
  assert.ok(error !== undefined && hint !== undefined, said);
  return { error, hint, said };
}
