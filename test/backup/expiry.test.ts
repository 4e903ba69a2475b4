import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { openChain } from '../../daemon/audit/chain.ts';
import { createBackups, type Backups, type BackupsParts } from '../../daemon/backup/backups.ts';
import { loadConfig } from '../../daemon/config/load.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { createScratch } from '../../daemon/memory/scratch.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { createProfiles } from '../../daemon/profiles/profiles.ts';
import { makeHome, passphraseCredential } from '../support/daemon.ts';

/** The backups of a home with one unlocked profile, in this process, so that their bounds can be chosen. */
async function backupsWith(
  t: TestContext,
  bounds: Pick<BackupsParts, 'idleMs' | 'totalMs'>,
): Promise<Backups> {
  const home = makeHome(t);
  await home.init();
  const arena = createSecureArena({ prefer: 'sodium_malloc' });
  const daemonChain = openChain(home.paths.daemonAudit, 'daemon');
  const config = loadConfig(home.paths.config);
  const profiles = createProfiles({
    paths: home.paths,
    daemonChain,
    config: () => config,
    cache: () => config.cache,
    arena,
    argon2Queue: createArgon2Queue(),
    scratch: createScratch(1024),
    onUnsealed: () => undefined,
    onRaised: () => undefined,
    onUpkeep: () => undefined,
    onLock: () => undefined,
    onDaemonDoubt: () => undefined,
    onGuardTrouble: () => undefined,
    clock: () => performance.now(),
    bootClock: () => 0,
  });
  await profiles.unlock('default', [passphraseCredential()], undefined, undefined);
  t.after(() => {
    profiles.session('default').close();
  });
  return createBackups({ profiles, chunkBytes: 1000, ...bounds });
}

const neverClosed = () => () => undefined;

describe('a backup that is not read on', () => {
  test('ends by itself, so that the log of the vault stops growing, and the next one may begin', async (t) => {
    const backups = await backupsWith(t, { idleMs: 60_000, totalMs: 3_600_000 });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { id } = await backups.begin('default', neverClosed);
    for (let minute = 0; minute < 5; minute++) {
      t.mock.timers.tick(59_000);
      await backups.read('default', id, 0);
    }
    await assert.rejects(backups.begin('default', neverClosed), { code: 'CONFLICT' });
    t.mock.timers.tick(60_000);
    await assert.rejects(backups.read('default', id, 0), {
      code: 'EXPIRED',
      message: 'the backup has ended: nothing of it was read for 60 s',
    });
    assert.throws(() => backups.end('default', id, true), { code: 'EXPIRED' });
    await backups.begin('default', neverClosed);
    await assert.rejects(backups.read('default', id, 0), { code: 'NOT_FOUND' });
  });

  test('of which nothing is ever read ends as well, and no earlier for the time that it took to be made', async (t) => {
    const backups = await backupsWith(t, { idleMs: 60_000, totalMs: 3_600_000 });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const begun = backups.begin('default', neverClosed);
    // Its files are hashed slice by slice; each one is a sign of life, and without one for so long it ends.
    t.mock.timers.tick(59_000);
    const { id } = await begun;
    t.mock.timers.tick(59_000);
    await assert.rejects(backups.begin('default', neverClosed), { code: 'CONFLICT' });
    t.mock.timers.tick(1_000);
    await backups.begin('default', neverClosed);
    await assert.rejects(backups.read('default', id, 0), { code: 'NOT_FOUND' });
  });

  test('ends after its whole time too, however often it is read', async (t) => {
    const backups = await backupsWith(t, { idleMs: 60_000, totalMs: 120_000 });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { id } = await backups.begin('default', neverClosed);
    t.mock.timers.tick(59_000);
    await backups.read('default', id, 0);
    t.mock.timers.tick(59_000);
    await backups.read('default', id, 0);
    t.mock.timers.tick(2_000);
    await assert.rejects(backups.read('default', id, 0), {
      code: 'EXPIRED',
      message: 'the backup has ended: it took over 2 minutes',
    });
  });

  test('is waited for once all of it was read: the file may be slow to reach its disk', async (t) => {
    const backups = await backupsWith(t, { idleMs: 60_000, totalMs: 3_600_000 });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { id, size } = await backups.begin('default', neverClosed);
    for (let offset = 0; offset < size;) offset += (await backups.read('default', id, offset)).length;
    t.mock.timers.tick(600_000);
    assert.equal(backups.end('default', id, true).complete, true);
  });
});
