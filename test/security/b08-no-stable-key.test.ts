import assert from 'node:assert/strict';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openShell } from '../cli/hush.ts';
import { keyCredential, makeHome, startDaemon } from '../support/daemon.ts';
import { hashesBelow, recordsIn, textOf, utf8 } from './facts.ts';
import { within } from './wire.ts';

const key = new Uint8Array(new ArrayBuffer(32)).fill(6);
const credentials = [keyCredential(key)];
const production = { NODE_ENV: 'production' };

test('B8: without a stable key init and unlock refuse, name the three ways to give one, and make nothing', async (t) => {
  const shell = openShell(t);
  const assertRefused = ({
    code,
    stdout,
    stderr,
  }: {
    code: number;
    stdout: string;
    stderr: string;
  }): void => {
    assert.equal(code, 10, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /^hush: error: there is no stable key, and hushd never makes one up$/m);
    for (const way of ['passphrase', 'HUSH_MASTER_KEY', '--key-file']) assert.ok(stderr.includes(way), way);
  };
  assertRefused(await shell.run('hush init', { env: production }));
  assert.ok(!existsSync(join(shell.home, 'profiles', 'default')));

  const secret = { input: 'a passphrase of some length\n', env: production };
  assert.equal((await shell.run('hush init --passphrase-stdin', secret)).code, 0);
  const before = hashesBelow(join(shell.home, 'profiles'));
  assert.equal(Object.keys(before).length, 3);
  assert.equal(
    (await shell.run('hush start', { env: production })).code,
    0,
    'the daemon starts, and stays locked',
  );
  assertRefused(await shell.run('hush unlock', { env: production }));
  assertRefused(
    await shell.run('hush unlock', { env: { ...production, HUSH_PASSPHRASE: 'x', OS_SECRET_KEY: 'x' } }),
  );
  const status = await shell.run('hush status --json');
  assert.match(status.stdout, /"state":\s*"locked"/);
  const again = await shell.run('hush init', { env: production });
  assert.equal(again.code, 10, again.stderr);
  assert.deepEqual(hashesBelow(join(shell.home, 'profiles')), before, 'nothing on the disk has changed');
  assert.equal(
    (await shell.run('hush unlock --passphrase-stdin', secret)).code,
    0,
    'the passphrase of before opens it',
  );
});

test('B8: what is missing of a profile is never made anew, by a start, an unlock or a write', async (t) => {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  const paths = home.profile();
  const env = { ...production, HUSH_MASTER_KEY: Buffer.from(key).toString('hex') };
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock(credentials);
  await client.set('global/a', utf8('value'));
  await client.lock();
  for (const path of [paths.header, paths.vault]) {
    renameSync(path, `${home.folder}/aside`);
    const before = hashesBelow(paths.folder);
    const refused = await client.unlock(credentials).then(
      () => 'ok',
      (error: unknown) => String(within(error, 'code')),
    );
    assert.ok(['DAMAGED', 'NO_SUCH_PROFILE'].includes(refused), `${path}: ${refused}`);
    await assert.rejects(client.set('global/b', utf8('x')), { code: /^(LOCKED|NO_SUCH_PROFILE)$/ });
    assert.deepEqual(hashesBelow(paths.folder), before, path);
    renameSync(`${home.folder}/aside`, path);
  }
  assert.equal(await daemon.stop(), 0);

  renameSync(paths.header, `${home.folder}/aside`);
  const before = hashesBelow(paths.folder);
  const headless = await startDaemon(t, home, { env });
  const unlock = headless.listening['unlock'];
  assert.equal(within(unlock, 'outcome'), 'failed');
  assert.deepEqual(hashesBelow(paths.folder), before);
  assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
  const records = [home.paths.daemonAudit, paths.audit].flatMap(recordsIn);
  assert.ok(
    records.some(({ event, outcome }) => event === 'unlock' && outcome === 'failed'),
    'the attempt is on record',
  );
  assert.equal(await headless.stop(), 0);

  renameSync(`${home.folder}/aside`, paths.header);
  const whole = await startDaemon(t, home, { env });
  assert.deepEqual(whole.listening['unlock'], { profile: 'default', outcome: 'unlocked' });
  assert.equal(textOf((await (await whole.connect()).get('global/a')).value), 'value');
});
