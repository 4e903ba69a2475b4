import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import {
  exitOf,
  keyCredential,
  makeHome,
  spawnDaemon,
  startDaemon,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { randomOf, seededRandom, type Random } from './random.ts';

const patient = { deadlineMs: 60_000 };
const key = seededRandom(11).bytes(32);
const secrets = new Map(
  Array.from(
    { length: 30 },
    (_, index) => [`global/name${index}`, seededRandom(index).bytes(40 * index)] as const,
  ),
);
const namedErrors = ['DAMAGED', 'INTEGRITY', 'ROLLBACK', 'NEWER_FORMAT'];

interface Scene {
  readonly home: TestHome;
  readonly daemon: TestDaemon;
  readonly client: HushClient;
}

const unlock = (client: HushClient, profile = 'default') =>
  client.call('unlock', { profile, credentials: [keyCredential(key)] });

/** A daemon with two locked profiles, `default` with secrets and `other`. */
async function scene(t: TestContext): Promise<Scene> {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  await home.init('other', [keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await unlock(client);
  for (const [path, value] of secrets) await client.set(path, value);
  await client.call('keys.rotate', {});
  await client.lock();
  return { home, daemon, client };
}

/**
 * Runs `use` while a folder is changed, and then puts it back as it was; not if `use` says that all was well, because
 * the daemon has then written to it.
 */
async function whileChanged(folder: string, change: () => void, use: () => Promise<boolean>): Promise<void> {
  const copy = `${folder}.copy`;
  execFileSync('cp', ['-a', folder, copy]);
  change();
  if (await use()) {
    rmSync(folder, { recursive: true });
    renameSync(copy, folder);
  } else {
    rmSync(copy, { recursive: true });
  }
}

function flipByte(file: string, random: Random): string {
  const bytes = readFileSync(file);
  const at = random.below(bytes.length);
  const mask = 1 + random.below(255);
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  writeFileSync(file, bytes);
  return `${file}: byte ${at} of ${bytes.length} xor ${mask}`;
}

function cutOff(file: string, random: Random): string {
  const { size } = statSync(file);
  const length = random.below(size);
  truncateSync(file, length);
  return `${file}: ${length} of ${size} bytes left`;
}

/** Whether `default` is refused with an error that names what is wrong; else nothing may be wrong with its secrets. */
async function isRefused(client: HushClient, names: RegExp, what: string): Promise<boolean> {
  try {
    await unlock(client);
  } catch (error) {
    assert.ok(error instanceof HushError, what);
    assert.ok(namedErrors.includes(error.code), `${what}: ${error.code}: ${error.message}`);
    assert.match(error.message, names, what);
    return true;
  }
  for (const [path, value] of secrets) {
    assert.deepEqual(Buffer.from((await client.get(path)).value), Buffer.from(value), `${what}: ${path}`);
  }
  await client.lock();
  return false;
}

async function otherGoesOn(client: HushClient): Promise<void> {
  await unlock(client, 'other');
  await client.call('secret.set', { profile: 'other', path: 'global/x', value: new Uint8Array(8) });
  await client.call('lock', { profile: 'other' });
}

describe('B3: damage to a file of a profile', () => {
  const files = [
    { name: 'header', refusedAlways: true, names: /header/ },
    { name: 'keyset', refusedAlways: false, names: /key set/ },
    { name: 'vault.db', refusedAlways: false, names: /vault/ },
  ] as const;
  for (const { name, refusedAlways, names } of files) {
    for (const [how, damage, times] of [
      ['a flipped byte', flipByte, 40],
      ['a cut-off end', cutOff, 15],
    ] as const) {
      test(`${how} of ${name} is named, and the other profile goes on`, async (t) => {
        const random = randomOf(t);
        const { home, client } = await scene(t);
        const file = join(home.profile().folder, name);
        let refusals = 0;
        for (let time = 0; time < times; time += 1) {
          let what = '';
          await whileChanged(
            home.profile().folder,
            () => {
              what = damage(file, random);
            },
            async () => {
              const refused = await isRefused(client, names, what);
              if (refused) refusals += 1;
              else assert.ok(!refusedAlways, what);
              return refused;
            },
          );
        }
        // A free page of the vault may be damaged, and a torn key set is rebuilt: then nothing is lost.
        assert.ok(refusals > times / 5, `${refusals} of ${times} were refused`);
        await otherGoesOn(client);
        assert.equal(await isRefused(client, names, 'mended'), false);
      });
    }
  }

  test('a flipped byte of the write-ahead log loses nothing unnoticed', async (t) => {
    const random = randomOf(t);
    const { home, daemon, client } = await scene(t);
    await unlock(client);
    for (const [path, value] of secrets) await client.set(path, value);
    await daemon.kill();
    const next = await startDaemon(t, home);
    const again = await next.connect(patient);
    let isWhole = true;
    for (let time = 0; time < 15 && isWhole; time += 1) {
      let what = '';
      await whileChanged(
        home.profile().folder,
        () => {
          what = flipByte(`${home.profile().vault}-wal`, random);
        },
        async () => {
          const refused = await isRefused(again, /vault|audit/, what);
          isWhole = refused;
          return refused;
        },
      );
    }
    assert.equal(await isRefused(again, /vault/, 'mended'), false);
  });

  for (const name of ['header', 'vault.db'] as const) {
    test(`a missing ${name} is DAMAGED, and no new one is made`, async (t) => {
      const { home, client } = await scene(t);
      const file = join(home.profile().folder, name);
      await whileChanged(
        home.profile().folder,
        () => {
          rmSync(file);
        },
        async () => {
          await assert.rejects(unlock(client), {
            code: 'DAMAGED',
            message: new RegExp(`${name}.*missing|missing.*${name}`),
          });
          await assert.rejects(home.init('default', [keyCredential(key)]), { code: 'EXISTS' });
          assert.throws(() => statSync(file), { code: 'ENOENT' });
          await otherGoesOn(client);
          return true;
        },
      );
      assert.equal(await isRefused(client, /./, 'mended'), false);
    });
  }

  test('a profile without its header is DAMAGED for a daemon that starts on it too', async (t) => {
    const { home, daemon } = await scene(t);
    await daemon.stop();
    rmSync(home.profile().header);
    const client = await (await startDaemon(t, home)).connect(patient);
    await assert.rejects(unlock(client), { code: 'DAMAGED', message: /header is missing/ });
    await otherGoesOn(client);
  });

  test('a missing key set is rebuilt from the vault', async (t) => {
    const { home, client } = await scene(t);
    const before = readFileSync(home.profile().keyset);
    rmSync(home.profile().keyset);
    assert.equal(await isRefused(client, /./, 'without its key set'), false);
    assert.deepEqual(readFileSync(home.profile().keyset), before);
  });
});

describe('B3: damage to the audit of a profile', () => {
  test('a flipped byte is named at unlock or by a verification, and the other profile goes on', async (t) => {
    const random = randomOf(t);
    const { home, daemon } = await scene(t);
    await daemon.stop();
    const file = join(home.profile().audit, chainFileName);
    for (let time = 0; time < 12; time += 1) {
      let what = '';
      await whileChanged(
        home.profile().audit,
        () => {
          what = flipByte(file, random);
        },
        async () => {
          const { bad, tornBytes } = await verifyChain(file);
          assert.ok(bad !== undefined || tornBytes > 0, what);
          const next = await startDaemon(t, home);
          const client = await next.connect(patient);
          const refused = await isRefused(client, /audit/, what);
          await otherGoesOn(client);
          assert.equal(await next.stop(), 0, what);
          return refused;
        },
      );
    }
  });

  test('a damaged end is refused at unlock with the name of the file, each time', async (t) => {
    const { home, daemon } = await scene(t);
    await daemon.stop();
    const file = join(home.profile().audit, chainFileName);
    const bytes = readFileSync(file);
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const client = await (await startDaemon(t, home)).connect(patient);
    for (const _ of [1, 2]) {
      await assert.rejects(unlock(client), (error) => {
        assert.ok(error instanceof HushError);
        assert.equal(error.code, 'INTEGRITY');
        assert.ok(error.message.includes(chainFileName), error.message);
        return true;
      });
      await assert.rejects(client.get('global/name1'), { code: 'LOCKED' });
    }
    await otherGoesOn(client);
  });
});

describe('B3: damage to what all profiles share', () => {
  test('a flipped byte of config.toml is refused with its name, or the config still says something', async (t) => {
    const random = randomOf(t);
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    for (let time = 0; time < 12; time += 1) {
      home.configure(
        '# what hushd may do\n[cache]\nttl = 120\nentries = 5000\n[audit]\non_failure = "refuse"\n',
      );
      const what = flipByte(home.paths.config, random);
      const child = spawnDaemon(home);
      let stderr = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.stdout?.once('data', () => child.kill('SIGTERM'));
      const code = await exitOf(child);
      if (code === 0) continue;
      assert.equal(code, 2, `${what}: ${String(child.signalCode)} ${stderr}`);
      assert.match(stderr, /^hushd: error: .*config\.toml/m, what);
    }
  });

  test('a damaged audit of the daemon itself keeps it from starting, and is named', async (t) => {
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    await (await startDaemon(t, home)).stop();
    const file = join(home.paths.daemonAudit, chainFileName);
    const bytes = readFileSync(file);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    await assert.rejects(startDaemon(t, home), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, new RegExp(`ended with 8 .*hushd: error: ${file}`, 's'));
      return true;
    });
  });
});
