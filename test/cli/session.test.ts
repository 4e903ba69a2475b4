import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openShell, type Ended, type Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const passphrase = 'correct horse battery staple';
const done = (stdout: string): Ended => ({ code: 0, stdout, stderr: '' });

async function mustRun({ run }: Shell, line: string, input = ''): Promise<Ended> {
  const ended = await run(line, { input });
  assert.equal(ended.code, 0, `${line}: ${ended.stderr}`);
  return ended;
}

describe('the five-minute tour', () => {
  test('a passphrase on standard input opens what it closed, over a restart too', async (t) => {
    const shell = openShell(t);
    const { run } = shell;

    const made = await run('hush init --passphrase-stdin', { input: `${passphrase}\n` });
    assert.match(made.stdout, /^profile default is made, vault [0-9a-f]{32}\n$/);
    assert.deepEqual([made.code, made.stderr], [0, 'hush: note: next: hush start && hush unlock\n']);

    const started = await run('hush start');
    assert.match(started.stdout, /^hushd runs, pid \d+\n$/);
    assert.deepEqual([started.code, started.stderr], [0, '']);
    const again = await run('hush start');
    assert.deepEqual(again, done(started.stdout.replace('runs', 'runs already')));

    assert.deepEqual(await run('hush get global/db'), {
      code: 4,
      stdout: '',
      stderr: 'hush: error: the profile default is locked\nhush: hint: hush unlock -p default\n',
    });
    const unlock = { input: `${passphrase}\r\n` };
    assert.deepEqual(
      await run('hush unlock --passphrase-stdin', unlock),
      done('profile default is unlocked\n'),
    );
    assert.deepEqual(await run('hush unlock'), done('profile default was unlocked already\n'));

    assert.deepEqual(
      await run('hush set global/db', { input: 'a\nb\n' }),
      done('global/db is kept, version 1\n'),
    );
    assert.deepEqual(await run('hush get global/db --reveal'), done('a\nb\n'));
    assert.deepEqual(
      await run('hush set global/db', { input: 'c' }),
      done('global/db has a new value, version 2\n'),
    );
    assert.deepEqual(await run('hush list'), done('global/db\n'));

    assert.deepEqual(await run('hush lock'), done('profile default is locked\n'));
    assert.deepEqual(await run('hush lock'), done('profile default was locked already\n'));
    assert.deepEqual(await run('hush stop'), done('hushd has stopped\n'));
    assert.deepEqual(await run('hush stop'), done('hushd was not running\n'));

    await mustRun(shell, 'hush start');
    await mustRun(shell, 'hush unlock --passphrase-stdin', passphrase);
    assert.deepEqual(await run('hush get hush://default/global/db --reveal'), done('c'));

    // A folder that is moved away under the daemon: nothing is acknowledged into it, and nothing is made in its place.
    const folder = join(shell.home, 'profiles', 'default');
    renameSync(folder, `${shell.home}/elsewhere`);
    const lost = await run('hush set global/db', { input: 'd' });
    assert.equal(lost.code, 1, lost.stderr);
    assert.match(
      lost.stderr,
      /profiles\/default\/vault\.db was moved or removed .*\nhush: hint: move the folder/,
    );
    assert.deepEqual(await run('hush get global/db --reveal'), done('c'));
    assert.match(
      (await run('hush status')).stdout,
      /profile default: unlocked, .* was moved or removed under/,
    );
    const anew = await run('hush init --passphrase-stdin', { input: passphrase });
    assert.equal(anew.code, 10, anew.stderr);
    assert.match(anew.stderr, /a daemon has a profile default open/);
    renameSync(`${shell.home}/elsewhere`, folder);
    assert.deepEqual(await run('hush delete global/db'), {
      ...done('global/db is deleted\n'),
      stderr: 'hush: note: to have it back: hush restore global/db\n',
    });
    const gone = await run('hush get global/db');
    assert.deepEqual([gone.code, gone.stdout], [6, '']);
    assert.match(gone.stderr, /\nhush: hint: hush list\n$/);
  });

  test('HUSH_MASTER_KEY makes the profile, and opens it when the daemon starts', async (t) => {
    const { run } = openShell(t);
    const env = { HUSH_MASTER_KEY: randomBytes(32).toString('base64') };
    assert.match((await run('hush init', { env })).stdout, /^profile default is made/);
    const started = await run('hush start', { env });
    assert.match(started.stdout, /^hushd runs, pid \d+, profile default unlocked\n$/);
    assert.equal((await run('hush set global/a', { input: 'value' })).code, 0);
    await run('hush lock');
    assert.deepEqual(await run('hush unlock', { env }), done('profile default is unlocked\n'));
    assert.deepEqual(await run('hush get global/a --reveal'), done('value'));
  });

  test('a generated key file makes the profile, and opens it', async (t) => {
    const { run, home } = openShell(t);
    const file = join(home, 'work.key');
    const made = await run(`hush init -p work --generate --key-file ${file}`);
    assert.match(made.stdout, /^profile work is made, vault [0-9a-f]{32}\nits key is in .*\/work\.key\n$/);
    assert.equal(lstatSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'utf8'), /^[0-9a-f]{64}\n$/);
    const started = await run(`hush start -p work --key-file ${file}`);
    assert.match(started.stdout, /^hushd runs, pid \d+, profile work unlocked\n$/);
    await run('hush lock -p work');
    assert.deepEqual(await run(`hush unlock -p work --key-file ${file}`), done('profile work is unlocked\n'));
  });

  test('a generated key without a file is shown once, alone on standard output', async (t) => {
    const { run } = openShell(t);
    const made = await run('hush init --generate');
    assert.match(made.stdout, /^[0-9a-f]{64}\n$/);
    assert.match(
      made.stderr,
      /^hush: note: profile default is made, vault [0-9a-f]{32}\nhush: note: this is its key/,
    );
    await run('hush start');
    const env = { HUSH_MASTER_KEY: made.stdout.trim() };
    assert.deepEqual(await run('hush unlock', { env }), done('profile default is unlocked\n'));
  });
});

describe('keys', () => {
  test('B8: without any stable key, init and unlock refuse and name the three ways to give one', async (t) => {
    const shell = openShell(t);
    const { run, home } = shell;
    const refused = await run('hush init');
    assert.deepEqual([refused.code, refused.stdout], [10, '']);
    assert.match(refused.stderr, /^hush: error: there is no stable key, and hushd never makes one up\n/);
    for (const way of ['--passphrase-stdin', 'HUSH_MASTER_KEY', '--key-file'])
      assert.ok(refused.stderr.includes(way));
    assert.equal(existsSync(join(home, 'profiles', 'default')), false);
    await mustRun(shell, 'hush init --passphrase-stdin', passphrase);
    await mustRun(shell, 'hush start');
    assert.deepEqual(await run('hush unlock'), refused);
  });

  test('B9: a key that is not the profile’s is the wrong key, and nothing is written or made anew', async (t) => {
    const shell = openShell(t);
    const { run, home } = shell;
    const key = randomBytes(32).toString('hex');
    await run('hush init', { env: { HUSH_MASTER_KEY: key } });
    const header = readFileSync(join(home, 'profiles', 'default', 'header'));

    const started = await run('hush start', { env: { HUSH_MASTER_KEY: randomBytes(32).toString('hex') } });
    assert.equal(started.code, 9);
    assert.match(started.stdout, /^hushd runs, pid \d+\n$/);
    assert.match(
      started.stderr,
      /^hush: error: the daemon runs, and profile default stays locked: .+\nhush: hint: .+\n$/,
    );
    const wrong = await run('hush unlock', { env: { HUSH_MASTER_KEY: randomBytes(32).toString('hex') } });
    assert.deepEqual([wrong.code, wrong.stdout], [9, '']);
    const passphraseInstead = await run('hush unlock --passphrase-stdin', { input: passphrase });
    assert.equal(passphraseInstead.code, 9);

    assert.deepEqual(readFileSync(join(home, 'profiles', 'default', 'header')), header);
    assert.deepEqual(
      await run('hush unlock', { env: { HUSH_MASTER_KEY: key } }),
      done('profile default is unlocked\n'),
    );
  });

  test('a wrong passphrase ends with 9, one that is empty or not UTF-8 with 2', async (t) => {
    const shell = openShell(t);
    const { run } = shell;
    await mustRun(shell, 'hush init --passphrase-stdin', passphrase);
    await mustRun(shell, 'hush start');
    const codes: number[] = [];
    for (const input of ['wrong', '', '\n', Uint8Array.of(0xff, 0x0a)]) {
      codes.push((await run('hush unlock --passphrase-stdin', { input })).code);
    }
    assert.deepEqual(codes, [9, 2, 2, 2]);
  });

  test('a malformed key is refused before anything is made or started', async (t) => {
    const { run, home } = openShell(t);
    for (const key of ['', 'ab', 'g'.repeat(64), randomBytes(31).toString('base64')]) {
      for (const line of ['hush init', 'hush start']) {
        const { code, stdout, stderr } = await run(line, { env: { HUSH_MASTER_KEY: key } });
        assert.deepEqual([code, stdout], [2, ''], `${line} with ${key}`);
        assert.match(stderr, /HUSH_MASTER_KEY is not a key/);
      }
    }
    assert.equal(existsSync(join(home, 'profiles', 'default')), false);
  });

  test('init never runs over a profile, a generated key never over a file', async (t) => {
    const shell = openShell(t);
    const { run, home } = shell;
    const file = join(home, 'taken.key');
    writeFileSync(file, 'precious', { mode: 0o600 });
    const overFile = await run(`hush init --generate --key-file ${file}`);
    assert.deepEqual([overFile.code, overFile.stdout], [10, '']);
    assert.equal(readFileSync(file, 'utf8'), 'precious');
    assert.equal(existsSync(join(home, 'profiles', 'default')), false);

    await mustRun(shell, 'hush init --passphrase-stdin', passphrase);
    const header = readFileSync(join(home, 'profiles', 'default', 'header'));
    for (const line of [
      'hush init --passphrase-stdin',
      'hush init --generate',
      `hush init --generate --key-file ${home}/new`,
    ]) {
      const { code, stdout, stderr } = await run(line, { input: 'another' });
      assert.deepEqual([code, stdout], [10, ''], line);
      assert.match(stderr, /^hush: error: the profile default exists already/);
    }
    assert.equal(existsSync(join(home, 'new')), false);
    assert.deepEqual(readFileSync(join(home, 'profiles', 'default', 'header')), header);
  });

  test('keys rotate makes a new key active, and what the old one sealed still opens', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    await mustRun(shell, 'hush set global/a', 'old');
    const rotated = await run('hush keys rotate');
    assert.match(
      rotated.stdout,
      /^key hush:[0-9a-f]{32}:default:v2 is active \(1 line of keyring default\)\n$/,
    );
    await mustRun(shell, 'hush set global/b', 'new');
    assert.deepEqual(await run('hush get global/a --reveal'), done('old'));
    assert.deepEqual(await run('hush get global/b --reveal'), done('new'));
  });
});

describe('values', () => {
  test('go in and come out byte for byte', async (t) => {
    const shell = await openUnlocked(t);
    const { run, runForBytes } = shell;
    const values = [
      Buffer.alloc(0),
      Buffer.from('\n'),
      Buffer.from([0, 255, 10, 13]),
      randomBytes(64 * 1024),
    ];
    for (const value of values) {
      assert.equal((await run('hush set global/a', { input: value })).code, 0);
      const { code, stdout } = await runForBytes('hush get global/a --reveal');
      assert.equal(code, 0);
      assert.ok(stdout.equals(value));
    }
    const larger = await run('hush set global/a', { input: randomBytes(64 * 1024 + 1) });
    assert.deepEqual([larger.code, larger.stdout], [2, '']);
    const kept = await runForBytes('hush get global/a --reveal');
    assert.ok(kept.stdout.equals(values.at(-1) ?? Buffer.alloc(0)));
  });

  test('are not shown without --reveal, neither by get nor by set --generate', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    await mustRun(shell, 'hush set global/a', 'hunter2');
    const shown = await run('hush get global/a');
    assert.match(shown.stdout, /^global\/a: 7 bytes, version 1, updated \d{4}-\d\d-\d\dT[\d:.]+Z\n$/);
    assert.equal(shown.stderr, 'hush: note: the value is not shown without --reveal\n');
    assert.ok(!(await run('hush get global/a --json')).stdout.includes('hunter2'));

    const generated = await run('hush set global/b --generate');
    const revealed = await run('hush get global/b --reveal');
    assert.match(revealed.stdout, /^[A-Za-z0-9]{32}$/);
    assert.ok(!(generated.stdout + generated.stderr).includes(revealed.stdout));
    const told = await run('hush set global/b --generate 48 --reveal');
    assert.match(told.stdout, /^[A-Za-z0-9]{48}$/);
    assert.equal(told.stderr, 'hush: note: global/b has a new value, version 2\n');
    assert.deepEqual(await run('hush get global/b --reveal'), done(told.stdout));
  });

  test('are value in JSON where they are UTF-8, and valueBase64 where they are not', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    await run('hush set global/text', { input: 'Grüße\n' });
    await run('hush set global/bytes', { input: Uint8Array.of(0xff, 0x00) });
    const text: unknown = JSON.parse((await run('hush get global/text --reveal --json')).stdout);
    const bytes: unknown = JSON.parse((await run('hush get global/bytes --reveal --json')).stdout);
    assert.partialDeepStrictEqual(text, {
      profile: 'default',
      path: 'global/text',
      value: 'Grüße\n',
      size: 8,
      version: 1,
    });
    assert.partialDeepStrictEqual(bytes, { path: 'global/bytes', valueBase64: '/wA=', size: 2 });
    assert.ok(!JSON.stringify(bytes).includes('"value"'));
  });

  test('list shows paths by prefix, and never a value', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    assert.deepEqual(await run('hush list'), {
      code: 0,
      stdout: '',
      stderr: 'hush: note: there is no secret to list\n',
    });
    for (const path of ['global/a', 'ws:1/a', 'ws:1/b', 'pr:me/c'])
      await run(`hush set ${path}`, { input: 'hunter2' });
    const paths = (await run('hush list')).stdout.split('\n').filter((line) => line !== '');
    assert.deepEqual(paths.sort(), ['global/a', 'pr:me/c', 'ws:1/a', 'ws:1/b']);
    assert.deepEqual((await run('hush list --prefix ws:1/')).stdout.split('\n').sort(), [
      '',
      'ws:1/a',
      'ws:1/b',
    ]);
    assert.match((await run('hush list --prefix pr: --long')).stdout, /^pr:me\/c {2}7 bytes {2}v1 {2}\d{4}-/);
    const listed = await run('hush list --json');
    assert.ok(!listed.stdout.includes('hunter2'));
    assert.partialDeepStrictEqual(JSON.parse((await run('hush list --json --prefix pr:')).stdout), {
      profile: 'default',
      entries: [{ path: 'pr:me/c', size: 7, version: 1 }],
    });
  });
});

describe('profiles', () => {
  test('are deactivated, activated and destroyed by name; the last only with --yes', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    assert.deepEqual(await run('hush profile deactivate default'), done('profile default is deactivated\n'));
    const refused = await run('hush unlock --passphrase-stdin', { input: passphrase });
    assert.deepEqual(refused, {
      code: 4,
      stdout: '',
      stderr: 'hush: error: profile default is deactivated\nhush: hint: hush profile activate default\n',
    });
    assert.equal((await run('hush profile list')).stdout, 'default  inactive\n');
    assert.deepEqual(
      await run('hush profile activate default'),
      done('profile default is active; open it: hush unlock -p default\n'),
    );
    assert.deepEqual(await run('hush profile delete default'), {
      code: 2,
      stdout: '',
      stderr:
        'hush: error: this destroys profile default and every secret in it, for ever\n' +
        'hush: hint: hush profile delete default --yes\n',
    });
    assert.deepEqual(await run('hush profile delete default --yes'), done('profile default is destroyed\n'));
    const missing = await run('hush unlock --passphrase-stdin', { input: passphrase });
    assert.deepEqual([missing.code, missing.stdout], [6, '']);
  });

  test('share nothing, and are chosen by -p before or after the command, or by HUSH_PROFILE', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    await mustRun(shell, 'hush init -p work --passphrase-stdin', 'another passphrase');
    await mustRun(shell, 'hush -p work unlock --passphrase-stdin', 'another passphrase');
    await run('hush set global/a', { input: 'mine' });
    await run('hush set global/a -p work', { input: 'theirs' });
    assert.deepEqual(await run('hush get global/a --reveal'), done('mine'));
    assert.deepEqual(
      await run('hush get global/a --reveal', { env: { HUSH_PROFILE: 'work' } }),
      done('theirs'),
    );
    assert.deepEqual(await run('hush -p work get global/a --reveal'), done('theirs'));
  });
});

describe('status and doctor', () => {
  test('status --json has pid, version, profiles and hardening at its top', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    const status: unknown = JSON.parse((await run('hush status --json')).stdout);
    assert.partialDeepStrictEqual(status, {
      version: '0.1.0',
      profiles: [{ name: 'default', state: 'unlocked' }],
    });
    for (const field of ['pid', 'hardening'])
      assert.ok(JSON.stringify(status).includes(`"${field}":`), field);
    const { stdout } = await run('hush status');
    assert.match(stdout, /^hushd 0\.1\.0, pid \d+, up .+, Node [\d.]+\nprofile default: unlocked, 0 secrets/);
  });

  test('doctor finds what is loose, says how to mend it, and ends with how bad it is', async (t) => {
    const shell = openShell(t);
    const { run, home } = shell;
    const bare = await run('hush doctor');
    assert.equal(bare.code, 1);
    assert.match(bare.stdout, /^warning {2}profiles {2}there is none yet: hush init$/m);
    assert.match(bare.stdout, /^warning {2}daemon {4}it does not run: hush start$/m);

    await openUnlocked(t, shell);
    const running = JSON.parse((await run('hush doctor --json')).stdout) as unknown;
    assert.partialDeepStrictEqual(running, { findings: [{ check: 'version', state: 'ok' }] });

    writeFileSync(join(home, 'config.toml'), 'nonsense = [\n', { mode: 0o644 });
    const { code, stdout } = await run('hush doctor');
    assert.equal(code, 2);
    assert.match(stdout, /^problem .*config\.toml: line \d/m);
  });

  test('B3: doctor names the file of a profile that is damaged, missing or empty', async (t) => {
    const shell = openShell(t);
    const { run, home } = shell;
    await mustRun(shell, 'hush init --passphrase-stdin', passphrase);
    const header = join(home, 'profiles', 'default', 'header');
    const vault = join(home, 'profiles', 'default', 'vault.db');
    writeFileSync(header, `x${readFileSync(header, 'utf8')}`);
    writeFileSync(vault, '');
    const { code, stdout } = await run('hush doctor');
    assert.equal(code, 2);
    assert.ok(
      stdout.includes(`${header}: the profile's header is damaged: hush backup restore FILE --replace\n`),
      stdout,
    );
    assert.ok(stdout.includes(`${vault} is missing or empty: hush backup restore FILE --replace\n`), stdout);
    rmSync(header);
    assert.ok((await run('hush doctor')).stdout.includes(`${header}: the profile's header is missing`));
  });

  test('A14: a home that others can reach is refused with the command that mends it', async (t) => {
    const shell = openShell(t);
    const { run, home } = shell;
    await mustRun(shell, 'hush init --passphrase-stdin', passphrase);
    chmodSync(home, 0o755);
    for (const line of ['hush start', 'hush init -p other --passphrase-stdin']) {
      const { code, stderr } = await run(line, { input: passphrase });
      assert.equal(code, 10, line);
      assert.ok(stderr.includes(`chmod 700 ${home}`), stderr);
    }
    assert.equal((await run('hush doctor')).code, 2);
    chmodSync(home, 0o700);
    await mustRun(shell, 'hush start');
  });
});
