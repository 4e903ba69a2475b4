import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openShell } from './hush.ts';

describe('a command line that cannot be carried out', () => {
  test('ends with 2, one error and one hint, and never repeats what may be a value', async (t) => {
    const { run } = openShell(t);
    const refusals = [
      ['hush frobnicate', "there is no command 'frobnicate'", 'hush help'],
      ['hush unlok', "there is no command 'unlok'", 'hush unlock'],
      ['hush get', 'PATH is missing', 'hush help get'],
      ['hush get global/a global/b', 'there are too many arguments', 'hush help get'],
      ['hush get global/a --wrong=hunter2', "there is no option '--wrong'", 'hush help get'],
      ['hush get global/a -xhunter2', "there is no option '-x'", 'hush help get'],
      ['hush get global/a -p', "option '-p, --profile <name>' needs a value", 'hush help get'],
      ['hush keys', 'one of its subcommands is needed', 'hush help keys'],
      ['hush keys turn', 'there is no such subcommand', 'hush help keys'],
      ['hush -p work keys', 'one of its subcommands is needed', 'hush help keys'],
      ['hush door age turn', 'there is no such subcommand', 'hush help door age'],
      ['hush door age', 'one of its subcommands is needed', 'hush help door age'],
      ['hush door age new', 'PATH is missing', 'hush help door age new'],
      ['hush -p work door age --quiet new', 'PATH is missing', 'hush help door age new'],
      ['hush keys rotate --wrong', "there is no option '--wrong'", 'hush help keys rotate'],
      [
        'hush keys rotate --keyring a.b',
        'that is not the name of a keyring',
        'a keyring is 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit',
      ],
      [
        `hush keys shred --tenant ${'x'.repeat(129)}`,
        'that is not the id of a tenant',
        'a tenant is 1 to 128 characters',
      ],
      ['hush keys retire 4294967296', 'that is not the version of a key', 'hush help keys retire'],
      ['hush import --from hunter2', '--from is one of pass, gopass, env', 'hush help import'],
      ['hush slot group alice', 'a group has two to four slots', 'hush help slot group'],
      ['hush set global/a --reveal', '--reveal goes with --generate', 'hush help set'],
      ['hush set global/a --generate 0', 'the length after --generate is 1 to 4096', 'hush help set'],
      [
        'hush set global/a hunter2',
        'a value never stands on the command line, where others can read it',
        'pipe it in, or leave it away and type it at the hidden prompt',
      ],
      [
        'hush set --generate global/a',
        'the length after --generate is not a number: write the path before it',
        'hush help set',
      ],
      [
        'hush get a',
        'that is not the path of a secret',
        'a path is <scope>/<name>: scope global, ws:<id> or pr:<id>; name 1-128 of A-Z a-z 0-9 . _ -',
      ],
      [
        'hush list -p a/b',
        'that is not the name of a profile',
        'a profile is 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit',
      ],
    ];
    for (const [line = '', message = '', hint = ''] of refusals) {
      const stderr = `hush: error: ${message}\nhush: hint: ${hint}\n`;
      assert.deepEqual(await run(line), { code: 2, stdout: '', stderr }, line);
    }
  });

  test('leaves nothing behind where the path of a socket would be too long, and says how to name another', async (t) => {
    const { run, home } = openShell(t);
    const long = join(home, 'x'.repeat(92 - home.length));
    mkdirSync(long, { mode: 0o700 });
    const ended = await run('hush door ssh-agent -- true', { env: { HUSH_HOME: long } });
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /longer than 107 bytes\nhush: hint: hush door ssh-agent --socket PATH\n$/);
    assert.deepEqual(readdirSync(long), []);
  });

  test('ends with its own exit code where standard error takes nothing', async (t) => {
    const { runScript } = openShell(t);
    assert.equal((await runScript('hush frobnicate 2> /dev/full')).code, 2);
  });

  test('is told as JSON on standard error with --json', async (t) => {
    const { run } = openShell(t);
    const { code, stdout, stderr } = await run('hush get --json');
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    const error = { code: 'BAD_REQUEST', message: 'PATH is missing', hint: 'hush help get' };
    assert.deepEqual(JSON.parse(stderr), { error });
  });
});

describe('help', () => {
  test('is shown by help, --help, -h and a bare hush, on standard output', async (t) => {
    const { run } = openShell(t);
    const whole = await run('hush');
    assert.match(whole.stdout, /^Usage: hush COMMAND/m);
    for (const line of ['hush help', 'hush --help', 'hush -h']) assert.deepEqual(await run(line), whole);
    const one = await run('hush help set');
    assert.match(one.stdout, /^Usage: hush set \[options\] <path>/);
    assert.match(one.stdout, /^Examples:/m);
    assert.deepEqual(await run('hush set --help'), one);
    assert.match((await run('hush help keys rotate')).stdout, /^Usage: hush keys rotate \[options\]$/m);
    assert.deepEqual([whole.code, one.code, whole.stderr, one.stderr], [0, 0, '', '']);
  });

  test('the version is that of the package', async (t) => {
    const { run } = openShell(t);
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const [, version = ''] = /"version": "([^"]+)"/.exec(text) ?? [];
    assert.deepEqual(await run('hush --version'), { code: 0, stdout: `hush ${version}\n`, stderr: '' });
  });
});

describe('without a daemon', () => {
  test('each command that needs one ends with 3 and says how to start it', async (t) => {
    const { run } = openShell(t);
    for (const line of [
      'hush status',
      'hush unlock --passphrase-stdin',
      'hush lock',
      'hush set global/a',
      'hush get global/a',
      'hush list',
      'hush delete global/a',
      'hush profile list',
      'hush keys rotate',
    ]) {
      const { code, stdout, stderr } = await run(line, { input: 'x\n' });
      assert.deepEqual({ code, stdout }, { code: 3, stdout: '' }, line);
      assert.match(stderr, /^hush: error: .+\nhush: hint: hush start\n$/, line);
    }
  });

  test('stop says that there was nothing to stop', async (t) => {
    const { run } = openShell(t);
    assert.deepEqual(await run('hush stop'), { code: 0, stdout: 'hushd was not running\n', stderr: '' });
  });
});
