import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openShell, type Screen, type Typed } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const passphrase = 'correct horse battery staple';
const enter = '\r';
const interrupt = '\x03';

const first = { wait: 'A passphrase for profile default', send: `${passphrase}${enter}` };
const again = { wait: 'The same once more', send: `${passphrase}${enter}` };
const noPaper: Typed = { wait: 'Make a recovery key too', send: enter };
const unlocking: Typed = { wait: 'Passphrase of profile default', send: `${passphrase}${enter}` };

function assertHidden({ screen, restored }: Screen, ...secrets: readonly string[]): void {
  for (const secret of secrets)
    assert.ok(!screen.includes(secret), `the screen shows what was typed: ${screen}`);
  assert.ok(restored, 'the terminal is not as it was');
}

describe('on a terminal', () => {
  test('init and unlock ask for the passphrase, set for the value, and none of it shows', async (t) => {
    const { run, type } = openShell(t);
    const made = await type('hush init', [first, again, noPaper]);
    assert.equal(made.code, 0, made.screen);
    assert.match(made.screen, /profile default is made, vault [0-9a-f]{32}/);
    for (const line of [
      'hushd runs, pid \\d+',
      'profile default is unlocked',
      'next: hush set global/NAME',
      'then: hush run -- COMMAND',
    ])
      assert.match(made.screen, new RegExp(`hush: note: ${line}`));
    assertHidden(made, passphrase);

    await run('hush lock');
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
      noPaper,
    ]);
    assert.equal(made.code, 0, made.screen);
    assertHidden(made, passphrase, 'mistyped');
    await run('hush lock');
    assert.equal((await run('hush unlock --passphrase-stdin', { input: passphrase })).code, 0);
  });

  test('Ctrl-C at a prompt ends with 130, changes nothing, and leaves the terminal as it was', async (t) => {
    const { run, type } = openShell(t);
    const cut = (step: Typed): Typed => ({ ...step, send: interrupt });
    const half = { ...first, send: `half${interrupt}` };
    for (const steps of [[half], [first, cut(again)], [first, again, cut(noPaper)]]) {
      const stopped = await type('hush init', steps);
      assert.equal(stopped.code, 130, stopped.screen);
      assertHidden(stopped, 'half', passphrase);
    }
    assert.match((await run('hush doctor')).stdout, /^warning {2}profiles {2}there is none yet/m);
  });

  test('a terminal that does not know its size is taken for one of 80 columns', async (t) => {
    const { type } = openShell(t);
    const made = await type('hush init --no-start', [first, again, noPaper], 0);
    assert.equal(made.code, 0, made.screen);
    assert.match(made.screen, /hush: note: next: hush start && hush unlock/);
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

  test('init makes a recovery key for who wants one, and opens a second profile in the daemon that runs', async (t) => {
    const { run, type } = openShell(t);
    const made = await type('hush init', [first, again, { ...noPaper, send: 'y' }]);
    assert.equal(made.code, 0, made.screen);
    assert.match(made.screen, /HR1-[0-9A-Z-]+/);
    const asked = { ...first, wait: 'A passphrase for profile work' };
    const second = await type('hush init -p work', [asked, again, noPaper]);
    assert.equal(second.code, 0, second.screen);
    assert.doesNotMatch(second.screen, /hushd runs/);
    assert.match(second.screen, /next: hush set global\/NAME -p work/);
    assert.match((await run('hush status')).stdout, /profile work: unlocked/);
  });

  test('--no-input asks nothing: it names what gives the answer', async (t) => {
    const { type } = await openUnlocked(t);
    const refusals = [
      ['hush init -p work --no-input', 10, 'give one of: a passphrase'],
      ['hush set global/a --no-input', 2, 'hush help set'],
      ['hush delete global/a --no-input', 2, '--yes goes ahead without asking'],
      ['hush slot add --recovery --by-recovery --no-input', 2, '--recovery-stdin takes it'],
    ] as const;
    for (const [line, code, hint] of refusals) {
      const refused = await type(line, []);
      assert.equal(refused.code, code, refused.screen);
      assert.ok(refused.screen.includes(`hush: hint: ${hint}`), refused.screen);
    }
  });

  test('--quiet keeps notes away; errors have colours on a terminal unless NO_COLOR says no', async (t) => {
    const { type } = await openUnlocked(t);
    const [loud, quiet] = [await type('hush list', []), await type('hush list --quiet', [])];
    assert.deepEqual([loud.screen, quiet.screen], ['hush: note: there is no secret to list\r\n', '']);
    const plain = await type('hush get global/a', []);
    const coloured = await type('hush get global/a', [], 80, { NO_COLOR: '' });
    const dumb = await type('hush get global/a', [], 80, { NO_COLOR: '', TERM: 'dumb' });
    assert.ok(plain.screen.startsWith('hush: error: '), plain.screen);
    assert.equal(dumb.screen, plain.screen);
    assert.ok(coloured.screen.startsWith('\x1b[31mhush: error:\x1b[39m '), coloured.screen);
    assert.equal(coloured.screen.replaceAll(/\x1b\[\d+m/g, ''), plain.screen);
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
