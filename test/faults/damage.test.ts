import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { keyCredential, makeHome, startDaemon, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { randomOf, seededRandom, type Random } from './random.ts';
import { startAndStop } from './short-run.ts';

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
 * Runs `use` while a folder is changed, and then puts it back as it was if `use` answers that it was refused; else the
 * daemon has written to it. Answers what `use` did.
 */
async function whileChanged(
  folder: string,
  change: () => void,
  use: () => Promise<boolean>,
): Promise<boolean> {
  const copy = `${folder}.copy`;
  execFileSync('cp', ['-a', folder, copy]);
  change();
  const putBack = await use();
  if (putBack) {
    rmSync(folder, { recursive: true });
    renameSync(copy, folder);
  } else {
    rmSync(copy, { recursive: true });
  }
  return putBack;
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
async function isRefused(
  client: HushClient,
  names: RegExp,
  what: string,
  expected: ReadonlyMap<string, Uint8Array> = secrets,
): Promise<boolean> {
  try {
    await unlock(client);
  } catch (error) {
    assert.ok(error instanceof HushError, what);
    assert.ok(namedErrors.includes(error.code), `${what}: ${error.code}: ${error.message}`);
    assert.match(error.message, names, what);
    return true;
  }
  for (const [path, value] of expected) {
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
  const files: readonly { name: string; names: RegExp; heals: readonly string[] }[] = [
    { name: 'header', names: /header/, heals: [] },
    // Its last line may be torn by a crash: the vault has it too.
    { name: 'keyset', names: /key set/, heals: ['a flipped byte', 'a cut-off end'] },
    // A free page holds nothing.
    { name: 'vault.db', names: /vault/, heals: ['a flipped byte'] },
  ];
  for (const { name, names, heals } of files) {
    for (const [how, damage, times] of [
      ['a flipped byte', flipByte, 16],
      ['a cut-off end', cutOff, 8],
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
              else assert.ok(heals.includes(how), what);
              return refused;
            },
          );
        }
        if (how === 'a flipped byte') assert.ok(refusals > 0, `${refusals} of ${times} were refused`);
        await otherGoesOn(client);
        assert.equal(await isRefused(client, names, 'mended'), false);
      });
    }
  }

  test('a flipped byte of the write-ahead log loses nothing unnoticed', async (t) => {
    const random = randomOf(t);
    const { home, daemon, client } = await scene(t);
    await unlock(client);
    const newer = new Map([...secrets.keys()].map((path) => [path, random.bytes(50)]));
    for (const [path, value] of newer) await client.set(path, value);
    await daemon.kill();
    const again = await (await startDaemon(t, home)).connect(patient);
    let refusals = 0;
    for (let time = 0; time < 6; time += 1) {
      let what = '';
      const refused = await whileChanged(
        home.profile().folder,
        () => {
          what = flipByte(`${home.profile().vault}-wal`, random);
        },
        () => isRefused(again, /vault|audit/, what, newer),
      );
      // A log that was taken in is gone.
      if (!refused) break;
      refusals += 1;
    }
    t.diagnostic(`${refusals} refusals`);
    assert.equal(await isRefused(again, /vault/, 'mended', newer), false);
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

  /** That the file has again what it had; the daemon may have gone on writing to it after that. */
  const assertRebuilt = (keyset: string, before: Buffer): void => {
    assert.deepEqual(readFileSync(keyset).subarray(0, before.length), before);
  };

  test('a flipped byte of keyset is refused with a way out: without the file it is rebuilt from the vault', async (t) => {
    const { home, client } = await scene(t);
    const { keyset } = home.profile();
    const places: readonly ((length: number) => number)[] = [
      () => 0,
      (length) => length >> 1,
      (length) => length - 5,
    ];
    for (const place of places) {
      const before = readFileSync(keyset);
      const bytes = Buffer.from(before);
      const at = place(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(keyset, bytes);
      await assert.rejects(unlock(client), {
        code: 'INTEGRITY',
        message: /key set/,
        hint: /^move the profile's file keyset away, then hush unlock/,
      });
      assert.deepEqual(readFileSync(keyset), bytes, 'nothing is repaired unasked');
      renameSync(keyset, `${keyset}.away`);
      assert.equal(await isRefused(client, /./, 'without its key set'), false);
      assertRebuilt(keyset, before);
    }
  });

  test('a missing key set is rebuilt from the vault', async (t) => {
    const { home, client } = await scene(t);
    const { keyset } = home.profile();
    const before = readFileSync(keyset);
    rmSync(keyset);
    assert.equal(await isRefused(client, /./, 'without its key set'), false);
    assertRebuilt(keyset, before);
  });
});

describe('B3: damage to the audit of a profile', () => {
  test('a flipped byte is named at unlock or by a verification, and the other profile goes on', async (t) => {
    const random = randomOf(t);
    const { home, daemon } = await scene(t);
    await daemon.stop();
    const file = join(home.profile().audit, chainFileName);
    for (let time = 0; time < 6; time += 1) {
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

  test('a damaged end is refused at unlock with the name of the file, and moving that away must be accepted', async (t) => {
    const { home, daemon } = await scene(t);
    await daemon.stop();
    const file = join(home.profile().audit, chainFileName);
    const bytes = readFileSync(file);
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const client = await (await startDaemon(t, home)).connect(patient);
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(unlock(client), (error) => {
        assert.ok(error instanceof HushError);
        assert.equal(error.code, 'INTEGRITY');
        assert.ok(error.message.includes(chainFileName), error.message);
        return true;
      });
      await assert.rejects(client.get('global/name1'), { code: 'LOCKED' });
    }
    await otherGoesOn(client);

    renameSync(file, `${file}.away`);
    const error: unknown = await unlock(client).catch((reason: unknown) => reason);
    assert.ok(error instanceof HushError && error.code === 'ROLLBACK', String(error));
    const acceptRollback = /--accept-rollback (\S+)/.exec(error.hint)?.[1] ?? '';
    const credentials = [keyCredential(key)];
    await client.call('unlock', { profile: 'default', credentials, acceptRollback });
    await client.lock();
    assert.equal(await isRefused(client, /./, 'accepted'), false);
  });
});

describe('B3: damage to what all profiles share', () => {
  test('a flipped byte of config.toml is refused with its name, or the config still says something', async (t) => {
    const random = randomOf(t);
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    for (let time = 0; time < 6; time += 1) {
      home.configure(
        '# what hushd may do\n[cache]\nttl = 120\nentries = 5000\n[audit]\non_failure = "refuse"\n',
      );
      const what = flipByte(home.paths.config, random);
      const { code, stderr } = await startAndStop(home);
      if (code === 0) continue;
      assert.equal(code, 2, `${what}: ${stderr}`);
      assert.match(stderr, /^hushd: error: .*config\.toml/m, what);
    }
  });

  test('a damaged audit of the daemon itself keeps it from starting, is named, and can be set aside', async (t) => {
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    await (await startDaemon(t, home)).stop();
    const file = join(home.paths.daemonAudit, chainFileName);
    const whole = readFileSync(file);
    for (const at of [20, whole.length - 20]) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(file, bytes);
      const { code, stderr } = await startAndStop(home);
      assert.equal(code, 8, stderr);
      assert.ok(stderr.includes(`hushd: error: ${file}: `), stderr);
      assert.match(stderr, /^hushd: hint: restore it from a backup, or /m);
      assert.deepEqual(readFileSync(file), bytes, 'nothing of it is touched');
      const [, mend = ''] = /^hushd: hint: .* keep this: (mv .*)$/m.exec(stderr) ?? [];
      execFileSync('sh', ['-c', mend]);
      const mended = await startAndStop(home);
      assert.equal(mended.code, 0, mended.stderr);
    }
  });
});
