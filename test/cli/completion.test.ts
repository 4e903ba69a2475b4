import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { complete } from '../../cli/completion/complete.ts';
import { commandTree, leavesOf } from '../../cli/completion/tree.ts';
import { completionScript, shells, type Shell } from '../../cli/completion/scripts.ts';
import { recordsIn } from '../security/facts.ts';
import { homeAt, startUnlocked } from '../support/daemon.ts';
import { openShell, type Shell as Hush } from './hush.ts';
import { openWindow } from './tmux.ts';
import { openUnlocked } from './unlocked.ts';

const folder = new URL('../../contrib/completions/', import.meta.url);
const names = { bash: 'hush.bash', zsh: '_hush', fish: 'hush.fish' } as const;
const pathOf = (shell: Shell): string => new URL(names[shell], folder).pathname;

/** A home with three secrets, and what a shell needs to find it and `hush`. */
async function openNamed(t: TestContext): Promise<{ readonly hush: Hush; readonly env: NodeJS.ProcessEnv }> {
  const hush = await openUnlocked(t);
  await homeAt(hush.home).init('work');
  for (const path of ['global/db', 'global/db-password', 'ws:42/session']) {
    assert.equal((await hush.run(`hush set ${path}`, { input: 'hunter2' })).code, 0);
  }
  await hush.runScript('true');
  const path = `${join(hush.home, 'bin')}:${process.env['PATH'] ?? ''}`;
  return { hush, env: { HOME: hush.home, HUSH_HOME: hush.home, PATH: path, TERM: 'xterm' } };
}

function runShell(argv: readonly string[], env: NodeJS.ProcessEnv, input = ''): string {
  const [file = '', ...args] = argv;
  const { status, stdout, stderr } = spawnSync(file, args, { env, input, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return stdout;
}

describe('the scripts of contrib/completions', () => {
  for (const shell of shells) {
    test(`are what \`hush completion ${shell}\` prints: node tools/completions.ts writes them`, async () => {
      const isSame = readFileSync(pathOf(shell), 'utf8') === (await completionScript(shell));
      assert.ok(isSame, 'node tools/completions.ts, for a command has changed');
    });
  }

  test('know every command and option, and nothing that a shell would run', async () => {
    const tree = await commandTree();
    for (const shell of shells) {
      const script = await completionScript(shell);
      for (const { name, options } of leavesOf(tree)) {
        assert.ok(script.includes(name));
        for (const {
          names: [first = ''],
        } of options)
          assert.ok(script.includes(first.replace(/^-+/, '')));
      }
    }
  });
});

test('completion', async (t) => {
  const shared = await openNamed(t);

  await t.test('in bash completes commands, options, values, profiles and names of secrets', () => {
    const script = `source '${pathOf('bash')}'
ask() { # each word as bash has cut it
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
  _hush
  printf '%s|' "\${COMPREPLY[@]}"
  echo
}
ask hush ge
ask hush keys ro
ask hush get --rev
ask hush get global/db-
ask hush get ws : 4
ask hush get ws :
ask hush list -p wo
ask hush list --profile = wo
ask hush -p work get ''
ask hush get hush : //default/g
ask hush completion ''
ask hush get global/db ''
`;
    const lines = runShell(['bash', '--norc', '--noprofile', '-s'], shared.env, script).split('\n');
    assert.deepEqual(lines.slice(0, 12), [
      'get|',
      'rotate|',
      '--reveal|',
      'global/db-password|',
      '42/session|',
      '42/session|',
      'work|',
      'work|',
      '|',
      '//default/global/db|//default/global/db-password|',
      'bash|zsh|fish|',
      '|',
    ]);
  });

  await t.test('in a bash that somebody types at completes a name with a colon', async (inner) => {
    const window = openWindow(inner, ['bash', '--norc', '--noprofile'], { ...shared.env, PS1: 'ready> ' });
    await window.seen(/ready>/);
    window.type(`source '${pathOf('bash')}'`);
    window.press('Enter');
    await window.seen(/\nready>\n*$/);
    window.type('hush get ws:4');
    window.press('Tab');
    await window.seen(/hush get ws:42\/session$/m);
    window.press('C-c');
  });

  await t.test(
    'in a zsh that somebody types at completes commands with what they do, options and names',
    async (inner) => {
      const window = openWindow(inner, ['zsh', '-f'], { ...shared.env, PS1: 'ready> ' });
      await window.seen(/ready>/);
      window.type(`fpath=('${folder.pathname}' $fpath); autoload -U compinit; compinit -D -u; clear`);
      window.press('Enter');
      await window.seen(/^ready>$/m);
      window.type('hush ge');
      window.press('Tab');
      await window.seen(/hush get$/m);
      window.type(' ws');
      window.press('Tab');
      await window.seen(/hush get ws:42\/session$/m);
      window.type(' --rev');
      window.press('Tab');
      await window.seen(/session --reveal$/m);
      window.press('C-u');
      window.type('hush -p wo');
      window.press('Tab');
      await window.seen(/hush -p work$/m);
      window.press('C-u');
      window.type('hush keys r');
      window.press('Tab');
      await window.seen(/rotate +-- .*\n.*/);
    },
  );

  await t.test('in fish completes commands with what they do, options, profiles and names', () => {
    const complete = (line: string): string[] => {
      const script = `source '${pathOf('fish')}'; complete -C '${line}'`;
      return runShell(['fish', '--no-config', '-c', script], shared.env)
        .split('\n')
        .filter((one) => one !== '');
    };
    assert.deepEqual(complete('hush ge'), ['get\tshow a secret, its value with --reveal']);
    assert.deepEqual(complete('hush get global/db-'), ['global/db-password']);
    assert.deepEqual(complete('hush get ws:4'), ['ws:42/session']);
    assert.deepEqual(complete('hush list -p wo'), ['work\tthe profile (else HUSH_PROFILE, else default)']);
    assert.match(complete('hush get global/db --rev').join(), /^--reveal\tprint the value/);
    assert.deepEqual(complete('hush completion z'), ['zsh']);
    assert.deepEqual(complete('hush get global/db glo'), []);
  });

  await t.test(
    'keeps the names in a file of mode 0600 without a value, and forgets them at a lock',
    async () => {
      const { hush } = shared;
      const ask = async (line = ''): Promise<string> =>
        (await hush.run(`hush __complete secret global/ ${line}`)).stdout;
      assert.equal(await ask(), 'global/db\nglobal/db-password\n');
      const cache = join(hush.home, 'cache');
      const [file = ''] = readdirSync(cache).map((name) => join(cache, name));
      assert.equal(lstatSync(file).mode & 0o777, 0o600);
      assert.equal(lstatSync(cache).mode & 0o777, 0o700);
      const text = readFileSync(file, 'utf8');
      assert.equal(text, 'hush-names 1\nglobal/db\nglobal/db-password\nws:42/session\n');

      // A name that is none does not reach the shell, and one that others could have written is not believed.
      writeFileSync(file, `${text}global/$(touch pwned)\nglobal/x y\n\x1b[31mglobal/red\n`);
      assert.equal(await ask(), 'global/db\nglobal/db-password\n');
      writeFileSync(file, 'hush-names 1\nglobal/fake\n');
      assert.equal(await ask(), 'global/fake\n');
      chmodSync(file, 0o666);
      assert.equal(await ask(), 'global/db\nglobal/db-password\n');
      writeFileSync(file, 'hush-names 1\nglobal/old\n');
      utimesSync(file, 1, 1);
      assert.equal(await ask(), 'global/db\nglobal/db-password\n');

      assert.equal((await hush.run('hush lock')).code, 0);
      assert.deepEqual(readdirSync(cache), []);
      assert.deepEqual(await hush.run('hush __complete secret global/'), { code: 0, stdout: '', stderr: '' });
      assert.deepEqual(await hush.run('hush __complete secret global/ list -p nope'), {
        code: 0,
        stdout: '',
        stderr: '',
      });
    },
  );
});

test('of more names than are kept, those that begin as typed are found, page by page if it takes long', async (t) => {
  // A page is of 256 at most.
  const { client, home } = await startUnlocked(t);
  const value = new Uint8Array(1);
  const all = Array.from({ length: 700 }, (_, index) => `global/${index % 7 === 0 ? 'db' : 'app'}-${index}`);
  const sets = all.map((path) => ({ op: 'secret.set' as const, params: { path, value } }));
  assert.ok((await client.batch(sets)).every(({ ok }) => ok !== undefined));
  const starting = (start: string): string[] => all.filter((path) => path.startsWith(start)).sort();
  const ask = (word: string, bounds = { mostNames: 300, askingMs: Infinity }): Promise<readonly string[]> =>
    complete(['secret', word], home.env, bounds);
  const questions = (): number =>
    recordsIn(join(home.folder, 'audit', 'profiles', 'default')).filter(
      ({ event }) => event === 'secret.paths',
    ).length;
  const cache = join(home.folder, 'cache');
  const kept = (): string => readFileSync(join(cache, readdirSync(cache)[0] ?? ''), 'utf8');

  assert.deepEqual(await ask('global/db-'), starting('global/db-'));
  assert.equal(questions(), 3, 'each page is asked for once');
  assert.equal(kept(), ['hush-names 1 global/db-', ...starting('global/db-'), ''].join('\n'));
  assert.deepEqual(await ask('global/db-1'), starting('global/db-1'));
  assert.equal(questions(), 3, 'what is typed on is among those that are kept');

  const one = { mostNames: 300, askingMs: 0 };
  const found = [
    await ask('global/app-', one),
    await ask('global/app-', one),
    await ask('global/app-5', one),
  ];
  assert.equal(questions(), 6, 'it goes on where it has stopped');
  assert.ok(found[0] !== undefined && found[0].length > 0 && found[0].length < 257);
  assert.deepEqual(found[2], starting('global/app-5'));

  const some = await ask('global/');
  assert.ok(some.length >= 300 && some.length < 700);
  assert.deepEqual(await ask('global/'), some);
  assert.deepEqual(await ask('global/app-6'), starting('global/app-6'));
  assert.deepEqual(await ask('global/app-6\nglobal/'), []);
});

test('has nothing to say without a daemon, and no names where the config forbids it', async (t) => {
  const shell = openShell(t);
  assert.deepEqual(await shell.run('hush __complete secret global/'), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(await shell.run('hush __complete nonsense'), { code: 0, stdout: '', stderr: '' });
  const refused = await shell.run('hush completion tcsh');
  assert.deepEqual(
    [refused.code, refused.stderr],
    [2, 'hush: error: shell is one of bash, zsh, fish\nhush: hint: hush help completion\n'],
  );
  assert.deepEqual((await shell.run('hush completion bash')).stdout, await completionScript('bash'));
});
