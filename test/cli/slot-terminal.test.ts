import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openShell, type Shell, type Typed } from './hush.ts';

const passphrase = 'correct horse battery staple';
const another = 'another long passphrase';
const enter = '\r';

const old: Typed = { wait: 'Passphrase of profile default', send: `${passphrase}${enter}` };
const first: Typed = { wait: 'A new passphrase for profile default', send: `${another}${enter}` };
const again: Typed = { wait: 'The same once more', send: `${another}${enter}` };

async function mustType(shell: Shell, line: string, steps: readonly Typed[], env = {}): Promise<string> {
  const { code, screen, restored } = await shell.type(line, steps, 80, env);
  assert.equal(code, 0, screen);
  assert.ok(restored);
  for (const secret of [passphrase, another]) assert.ok(!screen.includes(secret), screen);
  return screen;
}

/** A home whose profile is open, and its recovery key. */
async function openWithRecovery(shell: Shell): Promise<string> {
  const { stdout } = await shell.run('hush init --passphrase-stdin --recovery', { input: passphrase });
  await shell.run('hush start');
  assert.equal((await shell.run('hush unlock --passphrase-stdin', { input: passphrase })).code, 0);
  return stdout.trim();
}

describe('slots on a terminal', () => {
  test('a passphrase is added, and changed, with what opens the profile asked for first', async (t) => {
    const shell = openShell(t);
    await openWithRecovery(shell);
    assert.match(
      await mustType(shell, 'hush slot add --label bob', [old, first, again]),
      /passphrase 'bob' opens profile default/,
    );
    const changing = { ...first, send: `a third long one${enter}` };
    const once = { ...again, send: `a third long one${enter}` };
    await mustType(shell, 'hush slot change bob', [old, changing, once]);
    await shell.run('hush lock');
    assert.equal((await shell.run('hush unlock --passphrase-stdin', { input: another })).code, 9);
    assert.equal((await shell.run('hush unlock --passphrase-stdin', { input: 'a third long one' })).code, 0);
  });

  test('a lost passphrase is replaced with the recovery key; a slip is named and asked for again', async (t) => {
    const shell = openShell(t);
    const recovery = await openWithRecovery(shell);
    await shell.run('hush lock');
    const slip = recovery.split('-').with(3, 'AAAAA').join('-');
    const screen = await mustType(shell, 'hush unlock --recovery', [
      { wait: 'Recovery key of profile default', send: `${slip}${enter}` },
      { wait: 'group 3 of the recovery key', send: `${recovery.toLowerCase().replaceAll('-', ' ')}${enter}` },
    ]);
    assert.match(screen, /profile default is unlocked/);
    assert.ok(!screen.includes(recovery.slice(4, 9)));
    await mustType(shell, 'hush slot change --by-recovery', [
      { wait: 'Recovery key of profile default', send: `${recovery}${enter}` },
      first,
      again,
    ]);
    await shell.run('hush lock');
    assert.equal((await shell.run('hush unlock --passphrase-stdin', { input: another })).code, 0);
  });

  test('a group is asked for what it lacks beside the key in the environment', async (t) => {
    const shell = openShell(t);
    const recovery = await openWithRecovery(shell);
    const file = join(shell.home, 'server.key');
    const added = await shell.run(
      `hush slot add --passphrase-stdin --new-key-file ${file} --generate --label server`,
      { input: passphrase },
    );
    assert.equal(added.code, 0, added.stderr);
    await mustType(shell, 'hush slot group passphrase server', [
      { wait: 'From now on passphrase', send: 'y' },
      old,
    ]);
    await shell.run('hush lock');
    const env = { HUSH_MASTER_KEY: readFileSync(file, 'utf8').trim() };
    await mustType(shell, 'hush unlock', [{ ...old, wait: 'Passphrase of profile default' }], env);
    await shell.run('hush lock');
    // Without the key only the recovery key is left to be typed.
    await mustType(shell, 'hush unlock', [
      { wait: 'Recovery key of profile default', send: `${recovery}${enter}` },
    ]);

    await mustType(shell, 'hush slot add --label bob --by-recovery', [
      { wait: 'Recovery key of profile default', send: `${recovery}${enter}` },
      first,
      again,
    ]);
    await mustType(shell, 'hush slot group bob recovery --yes', [
      { wait: 'Passphrase of profile default', send: `${another}${enter}` },
    ]);
    await shell.run('hush lock');
    await mustType(shell, 'hush unlock', [
      { wait: "Passphrase 'bob' of profile default", send: `${another}${enter}` },
      { wait: "Recovery key 'recovery' of profile default", send: `${recovery}${enter}` },
    ]);
  });

  test('remove and group ask first; no changes nothing', async (t) => {
    const shell = openShell(t);
    await openWithRecovery(shell);
    const header = join(shell.home, 'profiles/default/header');
    const before = readFileSync(header);
    const kept = await shell.type('hush slot remove recovery', [
      { wait: "Remove recovery key 'recovery' of profile default?", send: 'n' },
    ]);
    assert.equal(kept.code, 1, kept.screen);
    const alone = await shell.type('hush slot group passphrase recovery', [
      { wait: 'From now on', send: enter },
    ]);
    assert.equal(alone.code, 1, alone.screen);
    assert.deepEqual(readFileSync(header), before);
    await mustType(shell, 'hush slot remove recovery', [{ wait: 'Remove recovery key', send: 'y' }]);
  });
});
