import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openShell } from './hush.ts';
import { openWindow } from './tmux.ts';

const passphrase = 'correct horse battery staple';
const slip = 'correct hrose';
/** The shell waits for a line. */
const prompt = /(?:^|\n)ready>\n*$/;

test('who types at init and unlock, slips and interrupts, finds the screen clean and the terminal as it was', async (t) => {
  const { home, runScript } = openShell(t);
  // Puts `hush` into that folder.
  await runScript('true');
  const window = openWindow(t, ['bash', '--norc', '--noprofile'], {
    HOME: home,
    HUSH_HOME: home,
    PATH: `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`,
    PS1: 'ready> ',
  });
  const run = (line: string): void => {
    window.type(line);
    window.press('Enter');
  };
  const answer = async (question: RegExp, typed: string): Promise<void> => {
    await window.seen(question);
    run(typed);
  };
  /** A shell that shows what is typed at it, and the cursor, at the beginning of a line. */
  const isWell = async (word: string): Promise<void> => {
    await window.seen(prompt);
    run(`echo is-${word}`);
    await window.seen(new RegExp(`^ready> echo is-${word}\\nis-${word}\\nready>$`, 'm'));
    assert.ok(window.hasCursor(), 'the cursor is gone');
    for (const secret of [passphrase, slip]) assert.ok(!window.all().includes(secret), window.all());
  };
  await window.seen(prompt);

  run('hush init');
  await window.seen(/A passphrase for profile default/);
  window.type(slip);
  window.press('C-c');
  await isWell('interrupted');

  run('hush init');
  await answer(/A passphrase for profile default\s+│[^]*A passphrase for profile default/, passphrase);
  await answer(/The same once more/, slip);
  await answer(/They differ/, passphrase);
  await answer(/They differ[^]*The same once more/, passphrase);
  await answer(/Make a recovery key too/, '');
  await window.seen(/then: hush run -- COMMAND\nready>$/m);
  await isWell('made');

  run('clear; hush lock; hush unlock');
  await answer(/Passphrase of profile default/, slip);
  await window.seen(/hush: error: the passphrase does not open this profile\n/);
  await isWell('wrong');
  run('hush unlock');
  await window.seen(/ready> hush unlock\n[^]*Passphrase of profile default/);
  window.type('half');
  window.press('C-c');
  await isWell('cut');
  run('clear; hush unlock');
  await answer(/Passphrase of profile default/, passphrase);
  await window.seen(/^profile default is unlocked$/m);
  await isWell('open');
});
