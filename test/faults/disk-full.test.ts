import assert from 'node:assert/strict';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { homeAt, keyCredential, startDaemon, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { scanMemory } from './image.ts';
import { secretsOf } from './keys.ts';
import { seededRandom } from './random.ts';
import { startAndStop } from './short-run.ts';
import { makeDisk, whyNoDisk, type DiskKind, type SmallDisk } from './small-disk.ts';

const patient = { deadlineMs: 60_000 };
/** For what might never end. */
const bounded = { timeout: 60_000 };
/** So many are recorded, each of them logged, before a flood is only counted. */
const denials = 100;
const key = seededRandom(3).bytes(32);
const place = { keyring: 'default', namespace: 'faults', key: 'disk' };
const value = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text.padEnd(3000, '.'));
const unlock = (client: HushClient) => client.unlock([keyCredential(key)]);

interface Scene {
  readonly disk: SmallDisk;
  readonly home: TestHome;
  readonly daemon: TestDaemon;
  readonly client: HushClient;
}

/** Where the log of a daemon goes: to the home, as `hush start` has it, or to where there is always room. */
type LogPlace = 'home' | 'elsewhere';

/** A daemon whose home, with an unlocked profile, is on a disk of its own. */
async function scene(t: TestContext, kind: DiskKind, log: LogPlace = 'home'): Promise<Scene> {
  const disk = makeDisk(t, kind, 6);
  const home = homeAt(join(disk.folder, 'home'));
  await home.init('default', [keyCredential(key)]);
  const daemon = await startDaemon(t, home, log === 'home' ? { log: home.paths.log } : {});
  const client = await daemon.connect(patient);
  await unlock(client);
  await client.set('global/kept', value('kept'));
  return { disk, home, daemon, client };
}

/** Asks until it is refused: what fits into a page that is begun may still be written. Answers what was done. */
async function untilRefused<T>(ask: (time: number) => Promise<T>, reason: RegExp): Promise<T[]> {
  const done: T[] = [];
  for (let time = 0; time < 2000; time += 1) {
    try {
      done.push(await ask(time));
    } catch (error) {
      assertNamed(error, reason);
      return done;
    }
  }
  return assert.fail('it was never refused');
}

function assertNamed(error: unknown, reason: RegExp): void {
  assert.ok(error instanceof HushError, String(error));
  assert.equal(error.code, 'UNAVAILABLE', error.message);
  assert.match(error.message, reason);
  assert.notEqual(error.hint, '');
}

/** Is refused so often that no page of the daemon's own audit or of its log has room for the record of it. */
async function useUpPages(client: HushClient): Promise<void> {
  for (let time = 0; time < denials; time += 1) {
    await assert.rejects(client.call('secret.get', { profile: 'nobody', path: 'global/x' }), {
      code: 'NO_SUCH_PROFILE',
    });
  }
}

async function read(client: HushClient, path: string): Promise<string> {
  return Buffer.from((await client.get(path)).value)
    .toString()
    .replace(/\.+$/, '');
}

async function startFails(home: TestHome, reason: RegExp): Promise<void> {
  const { code, stderr } = await startAndStop(home);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^hushd: error: /m);
  assert.match(stderr, reason);
}

/** That no key of the profile is in the daemon's memory. */
async function assertWiped(home: TestHome, daemon: TestDaemon): Promise<void> {
  const { all } = await secretsOf(home.profile(), keyCredential(key));
  const secrets = [...all].map(([name, bytes]) => ({ name, bytes }));
  assert.deepEqual(scanMemory(daemon.pid, secrets).found, []);
}

const hasSocket = (home: TestHome): boolean =>
  lstatSync(home.paths.socket, { throwIfNoEntry: false }) !== undefined;
const readAudit = (home: TestHome): string => readFileSync(join(home.profile().audit, chainFileName), 'utf8');

/** The lines of the log in the home, each whole. */
const readLog = (home: TestHome): Record<string, unknown>[] =>
  readFileSync(home.paths.log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const full = /no space left on device|disk is full|No space/i;
const readOnly = /read-only|the disk fails to read or write/i;

describe('B2: the disk is full', { skip: whyNoDisk('tmpfs') ?? false }, () => {
  test('changes fail with a named error, nothing acknowledged is lost, and service returns with space', async (t) => {
    const { disk, client } = await scene(t, 'tmpfs');
    await client.set('global/other', value('other'));
    disk.fill();
    const written = await untilRefused(async (time) => {
      await client.set(`global/new${time}`, value(`new${time}`));
      return `new${time}`;
    }, full);
    await untilRefused(() => client.delete('global/other').then(() => assert.fail('deleted')), full);
    await untilRefused(() => client.call('keys.rotate', {}), full);

    disk.free();
    await client.set('global/later', value('later'));
    const { handle } = await client.call('crypto.encrypt', { ...place, plaintext: value('sealed') });
    await client.call('keys.rotate', {});
    await client.call('crypto.decrypt', { ...place, handle });
    for (const name of ['kept', 'other', 'later', ...written])
      assert.equal(await read(client, `global/${name}`), name);
    await client.delete('global/other');

    await client.lock();
    await unlock(client);
    for (const name of ['kept', 'later', ...written])
      assert.equal(await read(client, `global/${name}`), name);
    await assert.rejects(client.get('global/other'), { code: 'NOT_FOUND' });
  });

  test('the first encrypt of a new tenant, whose key must be on the disk, fails by name and leaves no key', async (t) => {
    const { disk, client } = await scene(t, 'tmpfs');
    disk.fill();
    const encrypt = (tenant: string) =>
      client.call('crypto.encrypt', { ...place, tenant, plaintext: value('sealed') });
    await untilRefused((time) => encrypt(`tenant${time}`), full);
    disk.free();
    const { handle } = await encrypt('late');
    await client.lock();
    await unlock(client);
    const { plaintext } = await client.call('crypto.decrypt', { ...place, tenant: 'late', handle });
    assert.deepEqual(Buffer.from(plaintext), Buffer.from(value('sealed')));
  });

  test('locking always locks, and unlocking fails by name or works', async (t) => {
    const { disk, client, daemon, home } = await scene(t, 'tmpfs');
    disk.fill();
    await untilRefused((time) => client.set(`global/new${time}`, value('new')), full);
    assert.equal((await client.lock()).already, false);
    assert.equal((await client.status()).profiles[0]?.state, 'locked');
    await assertWiped(home, daemon);
    await unlock(client).catch((error: unknown) => {
      assertNamed(error, full);
    });
    disk.free();
    await unlock(client);
    assert.equal(await read(client, 'global/kept'), 'kept');
    await client.set('global/later', value('later'));
    assert.equal(await daemon.stop(), 0);
  });

  test('a daemon on a full disk ends in order', bounded, async (t) => {
    const { disk, client, daemon, home } = await scene(t, 'tmpfs');
    disk.fill();
    await untilRefused((time) => client.set(`global/new${time}`, value('new')), full);
    assert.equal(await daemon.stop(), 0);
    assert.ok(!hasSocket(home));
    disk.free();
    const again = await (await startDaemon(t, home)).connect(patient);
    await unlock(again);
    assert.equal(await read(again, 'global/kept'), 'kept');
  });

  for (const log of ['home', 'elsewhere'] as const) {
    for (const end of ['SIGTERM', 'daemon.stop'] as const) {
      const name = `by ${end}, its log ${log}: one that cannot end its own audit ends all the same, and tells so`;
      test(name, bounded, async (t) => {
        const { disk, client, daemon, home } = await scene(t, 'tmpfs', log);
        disk.fill();
        await useUpPages(client);
        if (end === 'SIGTERM') daemon.signal('SIGTERM');
        else await client.call('daemon.stop', {});
        assert.equal(await daemon.ended(), 1);
        assert.ok(!hasSocket(home));
        if (log === 'elsewhere') {
          await daemon.logged('\nhushd: error: the audit cannot be written: no space left on device\n');
          await daemon.logged('\nhushd: hint: free some space');
        }
        assert.equal((await verifyChain(join(home.paths.daemonAudit, chainFileName))).bad, undefined);
        disk.free();
        const again = await (await startDaemon(t, home)).connect(patient);
        await unlock(again);
        assert.equal(await read(again, 'global/kept'), 'kept');
      });
    }
  }

  test(
    'a log without room loses lines and counts them, and what is asked is answered',
    bounded,
    async (t) => {
      const { disk, client, home } = await scene(t, 'tmpfs');
      disk.fill();
      await useUpPages(client);
      assert.equal((await client.status()).profiles[0]?.state, 'unlocked');
      disk.free();
      await useUpPages(client);
      const lines = readLog(home);
      const [lost, ...more] = lines.filter(({ event }) => event === 'log.lost');
      assert.deepEqual([lost?.['reason'], more], ['ENOSPC', []]);
      const told = lines.filter(({ code }) => code === 'NO_SUCH_PROFILE');
      const others = Number(lost?.['lines']) + told.length - 2 * denials;
      assert.ok(others === 0 || others === 1, `${others} lines, one of them of the audit that failed`);
    },
  );

  test('a daemon that starts on a full disk answers, unlocks or says why not, and serves when there is space', async (t) => {
    const { disk, client, daemon, home } = await scene(t, 'tmpfs');
    await client.lock();
    assert.equal(await daemon.stop(), 0);
    disk.fill();
    const next = await startDaemon(t, home);
    const again = await next.connect(patient);
    await useUpPages(again);
    assert.equal((await again.status()).profiles[0]?.state, 'locked');
    await unlock(again).catch((error: unknown) => {
      assertNamed(error, full);
    });
    disk.free();
    await unlock(again);
    assert.equal(await read(again, 'global/kept'), 'kept');
    assert.equal(await next.stop(), 0);
  });

  test('a daemon that finds no room for its audit says so and does not start', async (t) => {
    const disk = makeDisk(t, 'tmpfs', 6);
    const home = homeAt(join(disk.folder, 'home'));
    await home.init('default', [keyCredential(key)]);
    disk.fill();
    await startFails(home, full);
    disk.free();
    const daemon = await startDaemon(t, home);
    await unlock(await daemon.connect(patient));
  });

  test('a new profile is whole or absent', async (t) => {
    const { disk, home, daemon } = await scene(t, 'tmpfs');
    await daemon.stop();
    disk.fill();
    await assert.rejects(home.init('second', [keyCredential(key)]), (error) => {
      assertNamed(error, full);
      return true;
    });
    assert.equal(lstatSync(home.profile('second').folder, { throwIfNoEntry: false }), undefined);
    disk.free();
    await home.init('second', [keyCredential(key)]);
  });
});

describe('B2: the disk turns read-only', { skip: whyNoDisk('ext4') ?? false }, () => {
  for (const log of ['home', 'elsewhere'] as const) {
    const name = `changes fail by name, all locks and ends, and once it is mended nothing is lost: log ${log}`;
    test(name, bounded, async (t) => {
      const { disk, client, daemon, home } = await scene(t, 'ext4', log);
      disk.failReadOnly();
      await untilRefused((time) => client.set(`global/new${time}`, value('new')), readOnly);
      await untilRefused(() => client.delete('global/kept').then(() => assert.fail('deleted')), readOnly);
      await untilRefused(() => client.call('keys.rotate', {}), readOnly);
      assert.equal((await client.lock()).already, false);
      assert.equal((await client.status()).profiles[0]?.state, 'locked');
      await assertWiped(home, daemon);
      await assert.rejects(unlock(client), (error) => {
        assertNamed(error, readOnly);
        return true;
      });
      assert.equal(await daemon.stop(), 1);
      if (log === 'elsewhere') {
        await daemon.logged('\nhushd: error: the audit cannot be written: read-only file system\n');
        await daemon.logged('\nhushd: hint: make the file system writable again');
      }
      await startFails(home, readOnly);

      disk.mend();
      const again = await (await startDaemon(t, home)).connect(patient);
      await unlock(again);
      assert.equal(await read(again, 'global/kept'), 'kept');
      await again.set('global/later', value('later'));
    });
  }
});

describe('B10: the audit cannot be written', { skip: whyNoDisk('tmpfs') ?? false }, () => {
  /** The profile is on one disk and the audit on another, which is full; the profile is unlocked. */
  async function withFullAudit(t: TestContext, onFailure: 'refuse' | 'warn'): Promise<Scene> {
    const disk = makeDisk(t, 'tmpfs', 6);
    const home = homeAt(join(disk.folder, 'home'));
    await home.init('default', [keyCredential(key)]);
    home.configure(`[audit]\non_failure = '${onFailure}'\n`);
    const audit = makeDisk(t, 'tmpfs', 1, home.paths.audit);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect(patient);
    await unlock(client);
    await client.set('global/kept', value('kept'));
    audit.fill();
    return { disk: audit, home, daemon, client };
  }

  test('refuse: secret operations are refused with the reason, nothing acknowledged is lost, and they return', async (t) => {
    const { disk, client, daemon, home } = await withFullAudit(t, 'refuse');
    const { handle } = await client.call('crypto.encrypt', { ...place, plaintext: value('sealed') });
    await untilRefused(
      () => client.get('global/kept'),
      /^the audit cannot be written: no space left on device$/,
    );
    const reason = /the audit cannot be written/;
    await untilRefused((time) => client.set(`global/new${time}`, value('new')), reason);
    await untilRefused(() => client.call('crypto.decrypt', { ...place, handle }), reason);
    await untilRefused(() => client.call('crypto.encrypt', { ...place, plaintext: value('x') }), reason);
    await untilRefused(() => client.delete('global/kept'), reason);
    await daemon.logged('"event":"audit.failed"');
    assert.equal((await client.status()).profiles[0]?.state, 'unlocked');

    disk.free();
    assert.equal(await read(client, 'global/kept'), 'kept');
    await client.set('global/later', value('later'));
    await client.call('crypto.decrypt', { ...place, handle });
    await client.lock();
    await unlock(client);
    assert.equal(await read(client, 'global/later'), 'later');
    assert.match(readAudit(home), /"event":"audit.lost"/);
  });

  test('refuse: no change is made without a record of it, one whose record had no room at once included', async (t) => {
    const { disk, client, home } = await withFullAudit(t, 'refuse');
    const made = await untilRefused((time) => client.set(`global/new${time}`, value('new')), full);
    disk.free();
    const stored: string[] = [];
    for await (const { path } of client.list()) if (path.startsWith('global/new')) stored.push(path);
    assert.ok(stored.length === made.length || stored.length === made.length + 1);
    const records = readAudit(home)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const recorded = records.flatMap(({ event, outcome, key: path }) =>
      event === 'secret.set' && outcome === 'ok' ? [path] : [],
    );
    assert.deepEqual(recorded.filter((path) => path !== 'global/kept').sort(), stored.sort());
    assert.equal((await verifyChain(join(home.profile().audit, chainFileName))).bad, undefined);
  });

  test('warn: secret operations go on, and the log says that they are not on record', async (t) => {
    const { disk, client, daemon, home } = await withFullAudit(t, 'warn');
    for (let time = 0; time < 200; time += 1) {
      await client.set(`global/new${time % 5}`, value('new'));
      await client.get('global/kept');
    }
    await daemon.logged('"event":"audit.failed"');
    disk.free();
    await client.get('global/kept');
    await client.lock();
    await unlock(client);
    assert.equal(await read(client, 'global/new4'), 'new');
    assert.match(readAudit(home), /"event":"audit.lost"/);
  });
});
