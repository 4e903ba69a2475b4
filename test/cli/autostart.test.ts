import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openShell } from './hush.ts';

const passphrase = 'correct horse battery staple';
const started = /^hush: note: no daemon ran: started hushd, pid \d+\n/;

test('with [cli] autostart a command that finds no daemon starts it, and says so; status, lock and scan never do', async (t) => {
  const { home, run } = openShell(t);
  const without = await run('hush list');
  assert.deepEqual([without.code, without.stderr.split('\n')[1]], [3, 'hush: hint: hush start']);
  appendFileSync(join(home, 'config.toml'), '[cli]\nautostart = true\n');
  await run('hush init --passphrase-stdin', { input: passphrase });
  for (const line of ['hush status', 'hush lock']) assert.equal((await run(line)).code, 3, line);

  const locked = await run('hush list');
  assert.equal(locked.code, 4, locked.stderr);
  assert.match(locked.stderr, started);
  assert.match(locked.stderr, /hint: hush unlock -p default\n$/);
  assert.equal((await run('hush unlock --passphrase-stdin', { input: passphrase })).stderr, '');
  assert.deepEqual(await run('hush list'), {
    code: 0,
    stdout: '',
    stderr: 'hush: note: there is no secret to list\n',
  });

  await run('hush stop');
  const unlocked = await run('hush unlock --passphrase-stdin', { input: passphrase });
  assert.deepEqual([unlocked.code, unlocked.stdout], [0, 'profile default is unlocked\n']);
  assert.match(unlocked.stderr, started);

  await run('hush stop');
  const quiet = await run('hush list --json --quiet');
  assert.deepEqual(
    [quiet.code, quiet.stderr.startsWith('{"error":{"code":"LOCKED"')],
    [4, true],
    quiet.stderr,
  );

  await run('hush stop');
  writeFileSync(join(home, '.env'), 'A=hush://default/global/a\n', { mode: 0o600 });
  assert.match((await run(`hush scan ${home}/.env`)).stderr, /1 reference was not checked/);
  const key = await run('hush door ssh-agent --public global/ssh.key');
  assert.deepEqual([key.code, started.test(key.stderr)], [4, true], key.stderr);
});

test('a daemon that cannot start says why, and the daemon of an enrolled client is none to start', async (t) => {
  const { home, run } = openShell(t);
  appendFileSync(join(home, 'config.toml'), '[cli]\nautostart = true\n');
  const env = { HUSH_MASTER_KEY: 'no key' };
  const failed = await run('hush list', { env });
  assert.equal(failed.code, 2, failed.stderr);
  assert.match(failed.stderr, /HUSH_MASTER_KEY/);
  const client = await run('hush list', { env: { HUSH_CLIENT_KEY_FILE: join(home, 'none.key') } });
  assert.doesNotMatch(client.stderr, /started hushd/);
  assert.equal((await run('hush status')).code, 3);
});
