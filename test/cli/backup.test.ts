import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { openShell, type Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const passphrase = 'correct horse battery staple';

async function mustRun({ run }: Shell, line: string, input = ''): Promise<string> {
  const ended = await run(line, { input });
  assert.equal(ended.code, 0, `${line}: ${ended.stderr}`);
  return ended.stdout;
}

/** A home with an unlocked profile that has one secret. */
async function openWithSecret(t: TestContext): Promise<Shell> {
  const shell = await openUnlocked(t);
  await mustRun(shell, 'hush set global/a', 'value');
  return shell;
}

const jsonOf = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('hush backup', () => {
  test('create, verify and restore go from a profile to its copy', async (t) => {
    const shell = await openWithSecret(t);
    const file = join(shell.home, 'default.hushd');
    const created = jsonOf(await mustRun(shell, `hush backup create ${file} --json`));
    assert.deepEqual(Object.keys(created), [
      'profile',
      'file',
      'id',
      'size',
      'createdAt',
      'vaultId',
      'commit',
      'checksum',
    ]);
    assert.equal(created['size'], readFileSync(file).length);

    const verified = jsonOf(await mustRun(shell, `hush backup verify ${file} --json`));
    for (const name of ['id', 'size', 'vaultId', 'commit', 'checksum', 'profile', 'createdAt'])
      assert.equal(verified[name], created[name], name);
    assert.equal(verified['opened'], false);
    const opened = jsonOf(
      await mustRun(shell, `hush backup verify ${file} --passphrase-stdin --json`, passphrase),
    );
    assert.equal(opened['opened'], true);
    assert.equal(opened['secrets'], 1);
    assert.deepEqual(opened['keys'], { active: 1, retired: 0, destroyed: 0 });

    const restored = jsonOf(
      await mustRun(shell, `hush backup restore ${file} -p copy --passphrase-stdin --json`, passphrase),
    );
    assert.deepEqual([restored['profile'], restored['opened'], restored['replaced']], ['copy', true, false]);
    await mustRun(shell, 'hush unlock -p copy --passphrase-stdin', passphrase);
    assert.equal(await mustRun(shell, 'hush get global/a -p copy --reveal'), 'value');
  });

  test('restore waits for a daemon to let go of a profile whose files were taken away', async (t) => {
    const shell = await openWithSecret(t);
    const file = join(shell.home, 'backup');
    await mustRun(shell, `hush backup create ${file}`);
    rmSync(join(shell.home, 'profiles', 'default'), { recursive: true });
    const refused = await shell.run(`hush backup restore ${file}`);
    assert.equal(refused.code, 10);
    assert.match(refused.stderr, /a daemon has the profile default open\nhush: hint: hush lock -p default/);
    await mustRun(shell, 'hush lock');
    const served = await shell.run(`hush backup restore ${file}`);
    assert.equal(served.code, 10);
    assert.match(served.stderr, /a daemon serves this home\nhush: hint: hush stop, restore, then hush start/);
    await mustRun(shell, 'hush stop');
    await mustRun(shell, `hush backup restore ${file}`);
    await mustRun(shell, 'hush start');
    const older = await shell.run('hush unlock --passphrase-stdin', { input: passphrase });
    assert.equal(older.code, 8);
    const id = /--accept-rollback (\S+)/.exec(older.stderr)?.[1] ?? '';
    await mustRun(shell, `hush unlock --passphrase-stdin --accept-rollback ${id}`, passphrase);
    assert.equal(await mustRun(shell, 'hush get global/a --reveal'), 'value');
    await mustRun(shell, 'hush set global/a', 'later');
    await mustRun(shell, 'hush lock');
    await mustRun(shell, 'hush unlock --passphrase-stdin', passphrase);
  });

  test('create refuses what is there, a locked profile and a missing one, and leaves nothing', async (t) => {
    const shell = await openWithSecret(t);
    const { run, home } = shell;
    const file = join(home, 'file');
    writeFileSync(file, 'precious');
    const taken = await run(`hush backup create ${file}`);
    assert.deepEqual([taken.code, taken.stdout], [10, '']);
    assert.match(
      taken.stderr,
      /exists already\nhush: hint: name another file, or replace it with --force\n$/,
    );
    assert.equal(readFileSync(file, 'utf8'), 'precious');
    // Whatever is asked for and by whatever way, nothing is put among the daemon's own files.
    symlinkSync(join(home, 'profiles'), join(home, 'link'));
    const own = [
      'profiles/default/header',
      'profiles/default/vault-8.db',
      'profiles/work',
      'link/work',
      'audit/daemon/0000000009.jsonl',
      'config.toml',
      'hushd.lock',
    ];
    const header = readFileSync(join(home, 'profiles/default/header'));
    for (const path of own) {
      const refused = await run(`hush backup create ${join(home, path)} --force`);
      assert.equal(refused.code, 2, path);
      assert.match(refused.stderr, /is where the daemon keeps files of its own/);
    }
    assert.deepEqual(readFileSync(join(home, 'profiles/default/header')), header);
    rmSync(join(home, 'link'));
    await mustRun(shell, `hush backup create ${file} --force`);
    assert.match(readFileSync(file, 'latin1'), /^hushd-backup 1\n/);
    await mustRun(shell, 'hush lock');
    const before = readdirSync(home).sort();
    const locked = await run(`hush backup create ${join(home, 'other')}`);
    assert.deepEqual([locked.code, locked.stdout], [4, '']);
    assert.equal((await run(`hush backup create ${join(home, 'other')} -p nobody`)).code, 6);
    const nowhere = await run(`hush backup create ${join(home, 'no', 'file')}`);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /there is no folder .+\/no\nhush: hint: mkdir -p .+\/no\n$/);
    assert.equal((await run('hush backup create')).code, 2);
    await mustRun(shell, 'hush stop');
    assert.equal((await run(`hush backup create ${join(home, 'other')}`)).code, 3);
    assert.deepEqual(
      readdirSync(home).sort(),
      before.filter((name) => name !== 'hushd.sock'),
    );
  });

  test('verify ends with 8 for what is damaged, 9 for a wrong credential, 2 for what is no file', async (t) => {
    const shell = await openWithSecret(t);
    const { run, home } = shell;
    const file = join(home, 'backup');
    await mustRun(shell, `hush backup create ${file}`);
    await mustRun(shell, 'hush stop');
    const temporary = join(home, 'tmp');
    mkdirSync(temporary);
    const wrong = await run(`hush backup verify ${file} --passphrase-stdin`, {
      input: 'wrong',
      env: { TMPDIR: temporary },
    });
    assert.deepEqual(readdirSync(temporary), []);
    assert.deepEqual([wrong.code, wrong.stdout], [9, '']);
    assert.equal((await run(`hush backup verify ${file} --open`)).code, 10);
    const env = { HUSH_MASTER_KEY: 'ab'.repeat(32) };
    assert.equal(
      (await run(`hush backup verify ${file}`, { env })).code,
      0,
      'a key that this profile has no slot for',
    );
    assert.equal((await run(`hush backup verify ${home}`)).code, 2);
    const missing = await run(`hush backup verify ${join(home, 'missing')}`);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /there is no file .*missing\nhush: hint: hush help backup/);

    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const damaged = await run(`hush backup verify ${file} --json`);
    assert.equal(damaged.code, 8);
    assert.equal((jsonOf(damaged.stderr)['error'] as { code: string }).code, 'DAMAGED');
    truncateSync(file, at);
    assert.equal((await run(`hush backup verify ${file}`)).code, 8);
    assert.equal((await run(`hush backup restore ${file} -p copy`)).code, 8);
    assert.equal(existsSync(join(home, 'profiles', 'copy')), false);
    writeFileSync(file, 'no backup');
    assert.match(
      (await run(`hush backup verify ${file}`)).stderr,
      /^hush: error: the file is no backup of hushd\n/,
    );
  });

  test('a key at hand proves a backup without being asked for', async (t) => {
    const shell = openShell(t);
    const { home } = shell;
    const key = join(home, 'key');
    await mustRun(shell, `hush init --generate --key-file ${key}`);
    await mustRun(shell, `hush start --key-file ${key}`);
    const file = join(home, 'backup');
    await mustRun(shell, `hush backup create ${file}`);
    const env = { HUSH_MASTER_KEY: readFileSync(key, 'utf8').trim() };
    const { stdout, code } = await shell.run(`hush backup verify ${file} --json`, { env });
    assert.deepEqual([code, jsonOf(stdout)['opened']], [0, true]);
    assert.equal(
      jsonOf(await mustRun(shell, `hush backup verify ${file} --key-file ${key} --json`))['opened'],
      true,
    );
  });

  test('restore --replace tells where the newer state is kept, and what to type at the ROLLBACK', async (t) => {
    const shell = await openWithSecret(t);
    const { run, home } = shell;
    const file = join(home, 'backup');
    await mustRun(shell, `hush backup create ${file}`);
    await mustRun(shell, 'hush set global/a', 'newer');
    const served = await run(`hush backup restore ${file} --replace --passphrase-stdin`, {
      input: passphrase,
    });
    assert.equal(served.code, 10);
    assert.match(served.stderr, /a daemon serves this home\nhush: hint: hush stop/);
    await mustRun(shell, 'hush stop');
    assert.equal((await run(`hush backup restore ${file}`)).code, 10);
    const nobody = await run(`hush backup restore ${file} --replace -p nope --passphrase-stdin`, {
      input: passphrase,
    });
    assert.deepEqual([nobody.code, existsSync(join(home, 'profiles', 'nope'))], [6, false]);

    const { code, stdout, stderr } = await run(`hush backup restore ${file} --replace --passphrase-stdin`, {
      input: passphrase,
    });
    assert.equal(code, 0, stderr);
    const kept = /^what was there before is kept in (.*)$/m.exec(stdout)?.[1] ?? '';
    assert.deepEqual(readdirSync(kept).sort(), ['header', 'keyset', 'vault.db']);
    assert.match(stderr, /the next unlock says ROLLBACK with an id/);
    assert.match(stderr, /next: hush start && hush unlock -p default --accept-rollback ID/);
    await mustRun(shell, 'hush start');
    const refused = await run('hush unlock --passphrase-stdin', { input: passphrase });
    assert.equal(refused.code, 8);
    const id = /--accept-rollback (\S+)/.exec(refused.stderr)?.[1] ?? '';
    await mustRun(shell, `hush unlock --passphrase-stdin --accept-rollback ${id}`, passphrase);
    assert.equal(await mustRun(shell, 'hush get global/a --reveal'), 'value');
  });

  test('on a terminal, verify --open asks for the passphrase, and --replace asks first', async (t) => {
    const shell = await openWithSecret(t);
    const file = join(shell.home, 'backup');
    await mustRun(shell, `hush backup create ${file}`);
    await mustRun(shell, 'hush stop');
    const typed = { wait: 'Passphrase of profile default in the backup', send: `${passphrase}\r` };
    const verified = await shell.type(`hush backup verify ${file} --open`, [typed]);
    assert.equal(verified.code, 0, verified.screen);
    assert.match(verified.screen, /all that is in it is its own: 1 secret, 1 data key/);
    const asked = await shell.type(`hush backup restore ${file} --replace`, [
      { wait: 'in place of profile default', send: '\r' },
    ]);
    assert.equal(asked.code, 1, asked.screen);
    assert.match(asked.screen, /the profile stays as it is/);
  });

  test('doctor and status tell which data keys are in no backup', async (t) => {
    const shell = await openWithSecret(t);
    const findings = async (): Promise<unknown[]> => {
      const { findings } = jsonOf((await shell.run('hush doctor --json')).stdout) as {
        findings: { check: string; state: string; message: string }[];
      };
      return findings
        .filter(({ check }) => check === 'backup')
        .map(({ state, message }) => [state, message.replace(/\d{4}-.*Z/, 'TIME')]);
    };
    assert.deepEqual(await findings(), [['warning', 'default: there is none that its vault knows of']]);
    await mustRun(shell, `hush backup create ${join(shell.home, 'backup')}`);
    assert.deepEqual(await findings(), [['ok', 'default: the newest is of TIME']]);
    await mustRun(shell, 'hush keys rotate');
    assert.deepEqual(await findings(), [
      ['warning', 'default: 1 data key is newer than the newest, of TIME'],
    ]);
  });

  test('Ctrl-C at the passphrase of a restore leaves nothing that was unpacked', async (t) => {
    const shell = await openWithSecret(t);
    const file = join(shell.home, 'backup');
    await mustRun(shell, `hush backup create ${file}`);
    const { code } = await shell.type(`hush backup restore ${file} -p copy --open`, [
      { wait: 'Passphrase', send: '\x03' },
    ]);
    assert.equal(code, 130);
    assert.deepEqual(readdirSync(join(shell.home, 'profiles')), ['default']);
    assert.deepEqual(readdirSync(join(shell.home, 'audit', 'profiles')), ['default']);
  });

  test('Ctrl-C leaves nothing half done', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'hush-interrupted-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, 'file');
    const program = `
      const { ifInterrupted } = await import(${JSON.stringify(new URL('../../cli/interrupted.ts', import.meta.url).href)});
      const { createNewFile } = await import(${JSON.stringify(new URL('../../cli/backup/new-file.ts', import.meta.url).href)});
      const file = createNewFile(${JSON.stringify(file)}, { force: false });
      await ifInterrupted(file.discard, () => new Promise(() => {
        setInterval(() => undefined, 1000);
        process.stdout.write('ready');
      }));`;
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      assert.equal(readdirSync(folder).length, 1);
      child.kill(signal);
      const [ended] = (await once(child, 'exit')) as [number];
      assert.equal(ended, code);
      assert.deepEqual(readdirSync(folder), []);
    }
  });
});
