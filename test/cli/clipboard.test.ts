import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { clipboardOf, copyForAWhile } from '../../cli/clipboard.ts';
import { untilAnswer } from '../support/poll.ts';

/** A program that keeps what it is given in a file, as the clipboard of a session without a screen. */
const program = `#!/bin/sh
case "$*" in
  *-out*|--no-newline) cat "$HOME/held" ;;
  *) cat > "$HOME/new" && mv "$HOME/new" "$HOME/held" && cat "$HOME/held" >> "$HOME/log" && echo . >> "$HOME/log" ;;
esac
`;

interface Held {
  readonly env: NodeJS.ProcessEnv;
  text(): string;
  /** All that it was given, each followed by a dot. */
  log(): string;
  copy(text: string): void;
}

/** A session in which these programs of a clipboard are found. */
function openSession(t: TestContext, ...names: readonly string[]): Held {
  const folder = mkdtempSync(join(tmpdir(), 'hush-clip-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  for (const name of names) {
    writeFileSync(join(folder, name), program);
    chmodSync(join(folder, name), 0o700);
  }
  const held = join(folder, 'held');
  writeFileSync(held, '');
  return {
    env: { HOME: folder, PATH: `${folder}:/usr/bin:/bin`, DISPLAY: ':0', WAYLAND_DISPLAY: 'wayland-0' },
    text: () => readFileSync(held, 'utf8'),
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    copy: (text) => {
      writeFileSync(held, text);
    },
  };
}

/** Runs what waits and takes a value away, without the waiting. */
function clearNow({ env }: Held, value: string): void {
  const clearing = {
    clipboard: clipboardOf(env),
    seconds: 0,
    digest: createHash('sha256').update(value).digest('hex'),
  };
  const file = fileURLToPath(new URL('../../cli/clipboard-clearing.ts', import.meta.url));
  const { status } = spawnSync(process.execPath, [file], { env, input: JSON.stringify(clearing) });
  assert.equal(status, 0);
}

describe('a clipboard', () => {
  test('is that of the session: Wayland before X, and none where nobody is there to speak to', (t) => {
    const { env } = openSession(t, 'wl-copy', 'wl-paste', 'xclip');
    assert.equal(clipboardOf(env).name, 'wl-copy');
    assert.equal(clipboardOf({ ...env, WAYLAND_DISPLAY: '' }).name, 'xclip');
    assert.throws(() => clipboardOf({ PATH: env['PATH'] }), {
      code: 'UNAVAILABLE',
      message: 'there is no clipboard to reach from here',
    });
  });

  test('holds a value for so long, and is emptied', async (t) => {
    const session = openSession(t, 'xclip', 'wl-copy', 'wl-paste');
    const value = new TextEncoder().encode('hunter2');
    await copyForAWhile(clipboardOf({ ...session.env, WAYLAND_DISPLAY: '' }), value, 1, session.env);
    await untilAnswer(
      () => Promise.resolve(session.log()),
      (log) => log === 'hunter2.\n.\n',
    );
    assert.equal(session.text(), '');
  });

  test('is emptied of the value, and not of what was copied since', (t) => {
    const session = openSession(t, 'wl-copy', 'wl-paste');
    session.copy('hunter2');
    clearNow(session, 'hunter2');
    assert.equal(session.text(), '');
    session.copy('something else');
    clearNow(session, 'hunter2');
    assert.equal(session.text(), 'something else');
  });

  test('takes text alone, and a refusal of its program is told', async (t) => {
    const { env } = openSession(t, 'xclip');
    const clipboard = clipboardOf(env);
    for (const bytes of [[0], [0x61, 0x1b, 0x5b], [0xff]]) {
      await assert.rejects(copyForAWhile(clipboard, Uint8Array.from(bytes), 1, env), { code: 'BAD_REQUEST' });
    }
    const failing = { ...clipboard, copy: ['sh', '-c', 'echo no screen >&2; exit 3'] };
    await assert.rejects(copyForAWhile(failing, Uint8Array.of(0x61), 1, env), {
      code: 'UNAVAILABLE',
      message: 'xclip does not take the value: no screen',
    });
  });
});
