import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { untilAnswer } from '../support/poll.ts';

/** A terminal that somebody types at and looks at, kept by tmux. */
export interface Window {
  /** Types keys by the names that tmux gives them, such as `Enter`, `Tab`, `C-c`. */
  press(...keys: readonly string[]): void;
  /** Types a text as it is. */
  type(text: string): void;
  /** What can be seen, without the blanks at the ends of lines; once it matches. */
  seen(pattern: RegExp): Promise<string>;
  /** What can be seen now, and all that has scrolled away above it. */
  all(): string;
  /** Whether the cursor shows. */
  hasCursor(): boolean;
}

/** Opens a window of 100 columns with a program on it; it ends with the test. */
export function openWindow(t: TestContext, argv: readonly string[], env: NodeJS.ProcessEnv): Window {
  const folder = mkdtempSync(join(tmpdir(), 'hush-tmux-'));
  const tmux = (...args: readonly string[]): string => {
    const { status, stdout, stderr, error } = spawnSync('tmux', ['-S', join(folder, 'socket'), ...args], {
      encoding: 'utf8',
      env: { ...env, LC_ALL: 'C.UTF-8' },
    });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`tmux ${args[0] ?? ''}: ${stderr}`);
    return stdout;
  };
  t.after(() => {
    tmux('kill-server');
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  tmux('-f', '/dev/null', 'new-session', '-d', '-x', '100', '-y', '40', ...argv);
  const look = (...more: readonly string[]): string =>
    tmux('capture-pane', '-p', ...more).replaceAll(/ +$/gm, '');
  return {
    press: (...keys) => void tmux('send-keys', ...keys),
    type: (text) => void tmux('send-keys', '-l', text),
    seen: (pattern) =>
      untilAnswer(
        () => Promise.resolve(look()),
        (text) => pattern.test(text),
        50,
      ),
    all: () => look('-S', '-'),
    hasCursor: () => tmux('display-message', '-p', '#{cursor_flag}').trim() === '1',
  };
}
