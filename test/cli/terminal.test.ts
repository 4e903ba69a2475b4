import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openShell, type Screen, type Typed } from './hush.ts';

const passphrase = 'correct horse battery staple';
const enter = '\r';
const interrupt = '\x03';

const first = { wait: 'A passphrase for profile default', send: `${passphrase}${enter}` };
const again = { wait: 'The same once more', send: `${passphrase}${enter}` };
const unlocking: Typed = { wait: 'Passphrase of profile default', send: `${passphrase}${enter}` };

function assertHidden({ screen, restored }: Screen, ...secrets: readonly string[]): void {
  for (const secret of secrets)
    assert.ok(!screen.includes(secret), `the screen shows what was typed: ${screen}`);
  assert.ok(restored, 'the terminal is not as it was');
}

describe('on a terminal', () => {
  test('init and unlock ask for the passphrase, set for the value, and none of it shows', async (t) => {
    const { run, type } = openShell(t);
    const made = await type('hush init', [first, again]);
    assert.equal(made.code, 0, made.screen);
    assert.match(made.screen, /profile default is made, vault [0-9a-f]{32}/);
    assertHidden(made, passphrase);

    await run('hush start');
    const unlocked = await type('hush unlock', [unlocking]);
    assert.equal(unlocked.code, 0, unlocked.screen);
    assert.match(unlocked.screen, /profile default is unlocked/);
    assertHidden(unlocked, passphrase);

    const set = await type('hush set global/a', [
      { wait: 'Value of global/a', send: `hunter2${enter}` },
      { wait: 'The same once more', send: `hunter2${enter}` },
    ]);
    assert.equal(set.code, 0, set.screen);
    assertHidden(set, 'hunter2');
    assert.equal((await run('hush get global/a --reveal')).stdout, 'hunter2');
  });

  test('a passphrase that differs the second time is asked for again, an empty one refused', async (t) => {
    const { run, type } = openShell(t);
    const made = await type('hush init', [
      { wait: 'A passphrase for profile default', send: enter },
      { wait: 'An empty passphrase opens to everybody', send: `${passphrase}${enter}` },
      { wait: 'The same once more', send: `mistyped${enter}` },
      { wait: 'They differ. A passphrase for profile default', send: `${passphrase}${enter}` },
      again,
    ]);
    assert.equal(made.code, 0, made.screen);
    assertHidden(made, passphrase, 'mistyped');
    await run('hush start');
    assert.equal((await run('hush unlock --passphrase-stdin', { input: passphrase })).code, 0);
  });

  test('Ctrl-C at a prompt ends with 130, changes nothing, and leaves the terminal as it was', async (t) => {
    const { run, type } = openShell(t);
    for (const steps of [[{ ...first, send: `half${interrupt}` }], [first, { ...again, send: interrupt }]]) {
      const stopped = await type('hush init', steps);
      assert.equal(stopped.code, 130, stopped.screen);
      assertHidden(stopped, 'half', passphrase);
    }
    assert.match((await run('hush doctor')).stdout, /^warning {2}profiles {2}there is none yet/m);
  });

  test('a terminal that does not know its size is taken for one of 80 columns', async (t) => {
    const { type } = openShell(t);
    const made = await type('hush init', [first, again], 0);
    assert.equal(made.code, 0, made.screen);
    assertHidden(made, passphrase);
  });

  test('a wrong passphrase ends with 9 and says so', async (t) => {
    const { run, type } = openShell(t);
    await run('hush init --passphrase-stdin', { input: passphrase });
    await run('hush start');
    const wrong = await type('hush unlock', [{ ...unlocking, send: `mistyped${enter}` }]);
    assert.equal(wrong.code, 9, wrong.screen);
    assert.match(wrong.screen, /hush: error: the passphrase does not open this profile/);
    assertHidden(wrong, 'mistyped');
  });

  test('delete and keys rotate ask first; no, and Ctrl-C, change nothing', async (t) => {
    const { run, type } = openShell(t);
    await run('hush init --passphrase-stdin', { input: passphrase });
    await run('hush start');
    await run('hush unlock --passphrase-stdin', { input: passphrase });
    await run('hush set global/a', { input: 'value' });
    const question = 'Delete global/a of profile default?';
    const refused = await type('hush delete global/a', [{ wait: question, send: 'n' }]);
    assert.equal(refused.code, 1, refused.screen);
    assert.match(refused.screen, /hush: note: nothing was deleted/);
    const stopped = await type('hush delete global/a', [{ wait: question, send: interrupt }]);
    assert.equal(stopped.code, 130, stopped.screen);
    const kept = await type('hush keys rotate', [
      { wait: 'Make a new key active in profile default?', send: enter },
    ]);
    assert.equal(kept.code, 1, kept.screen);
    assert.equal((await run('hush get global/a --reveal')).stdout, 'value');
    const agreed = await type('hush delete global/a', [{ wait: question, send: 'y' }]);
    assert.equal(agreed.code, 0, agreed.screen);
    assert.equal((await run('hush get global/a')).code, 6);
  });

  test('--passphrase-stdin is refused where typing would show', async (t) => {
    const { run, type } = openShell(t);
    await run('hush init --passphrase-stdin', { input: passphrase });
    await run('hush start');
    const refused = await type('hush unlock --passphrase-stdin', []);
    assert.equal(refused.code, 2, refused.screen);
    assert.match(refused.screen, /hush: error: standard input is a terminal/);
  });
});
