import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import {
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { inHome } from '../support/open-home.ts';
import { untilAnswer } from '../support/poll.ts';
import { legacyRow } from '../vault/legacy-rows.ts';

const key = randomBytes(32);
const many = 6_000;
const patient = { deadlineMs: 60_000 };
const place = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const pathOf = (number: number): string => `global/s${number}`;

/** Stores very many values in little time: as ones from before data keys, under the next key after a rotation. */
async function fill(client: HushClient, count: number): Promise<void> {
  for (let first = 0; first < count; first += 1_000) {
    const numbers = Array.from({ length: Math.min(1_000, count - first) }, (_, index) => first + index);
    const rows = numbers.map((number) => {
      const { path, nonce, sealed } = legacyRow(key, pathOf(number), `value ${number}`);
      return { path: path.text, nonce, ciphertext: sealed };
    });
    const { stored } = await client.call('secret.importLegacy', { key: Uint8Array.from(key), rows }, patient);
    assert.equal(stored, rows.length);
  }
}

const resealing = (client: HushClient) => client.call('keys.resealing', {}, patient);
const untilDone = (client: HushClient) =>
  untilAnswer(
    () => resealing(client),
    ({ state }) => state !== 'running',
  );
const valueOf = async (client: HushClient, path: string): Promise<string> =>
  Buffer.from((await client.get(path)).value).toString();

/** How many of the values that `fill` stored are not what they were. */
async function wrongValues(client: HushClient, count: number): Promise<string[]> {
  const wrong: string[] = [];
  for (let first = 0; first < count; first += 500) {
    const numbers = Array.from({ length: Math.min(500, count - first) }, (_, index) => first + index);
    const outcomes = await client.batch(
      numbers.map((number) => ({ op: 'secret.get' as const, params: { path: pathOf(number) } })),
    );
    for (const [index, { ok, error }] of outcomes.entries()) {
      const number = first + index;
      const found = error === undefined ? Buffer.from(ok.value).toString() : error.code;
      if (found !== `value ${number}`) wrong.push(`${pathOf(number)}: ${found}`);
    }
  }
  return wrong;
}

/** The events of the profile's audit, with what they tell. */
function auditOf(home: TestHome): { event: string; outcome: string; detail?: Record<string, unknown> }[] {
  return readFileSync(join(home.profile().audit, chainFileName), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; outcome: string; detail?: Record<string, unknown> });
}

async function restart(t: TestContext, home: TestHome): Promise<{ daemon: TestDaemon; client: HushClient }> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await client.unlock([passphraseCredential()]);
  return { daemon, client };
}

describe('a rotation of very many values', () => {
  test('B1: that was killed again and again goes on by itself after each unlock, and every value is there', async (t) => {
    const { home, ...first } = await startUnlocked(t);
    let { daemon, client } = first;
    await fill(client, many);
    await client.call('keys.rotate', {}, patient);
    let last = many;
    for (let kill = 0; kill < 4; kill++) {
      const { left } = await untilAnswer(
        () => resealing(client),
        (now) => now.left < last || now.state !== 'running',
        1,
      );
      await daemon.kill();
      ({ daemon, client } = await restart(t, home));
      const now = await resealing(client);
      assert.ok(now.left <= left, 'what was moved stays moved');
      last = now.left;
    }
    const end = await untilDone(client);
    assert.deepEqual([end.state, end.left], ['idle', 0]);
    assert.deepEqual(await wrongValues(client, many), []);
    const { keys, legacyValues } = await client.call('keys.status', {}, patient);
    assert.equal(legacyValues, 0);
    assert.deepEqual(
      keys.map(({ version, state, values }) => [version, state, values]),
      [
        [2, 'active', many],
        [1, 'retired', 0],
      ],
    );
    assert.equal(await daemon.stop(), 0);
  });

  test('stops at a lock, which waits for nothing, and goes on with the next unlock', async (t) => {
    const { client, home } = await startUnlocked(t);
    await fill(client, many);
    await client.call('keys.rotate', {}, patient);
    await untilAnswer(
      () => resealing(client),
      ({ moved }) => moved > 0,
      1,
    );
    assert.deepEqual(await client.lock(), { already: false });
    await assert.rejects(resealing(client), { code: 'LOCKED' });
    await assert.rejects(client.call('keys.rotate', {}), { code: 'LOCKED' });
    await client.unlock([passphraseCredential()]);
    assert.equal((await untilDone(client)).left, 0);
    assert.deepEqual(await wrongValues(client, many), []);
    const ended = auditOf(home).map(({ event }) => event);
    assert.deepEqual(
      ended.filter((event) => event === 'keys.resealed' || event === 'keys.resealing.failed'),
      ['keys.resealed'],
    );
  });

  test('leaves what others set and delete meanwhile as they made it', async (t) => {
    const { client, home } = await startUnlocked(t);
    await fill(client, many);
    const { left } = await client.call('keys.rotate', {}, patient);
    assert.equal(left, many);
    const changed = new Map<number, string | undefined>();
    for (let number = 0; (await resealing(client)).state === 'running'; number += 7) {
      if (number % 2 === 0) await client.set(pathOf(number % many), bytes(`newer ${number}`));
      else await client.delete(pathOf(number % many));
      changed.set(number % many, number % 2 === 0 ? `newer ${number}` : undefined);
      if (number > many - 14) break;
    }
    assert.equal((await untilDone(client)).left, 0);
    assert.ok(changed.size > 0);
    await client.lock();
    await client.unlock([passphraseCredential()]);
    for (const [number, value] of changed) {
      if (value === undefined) await assert.rejects(client.get(pathOf(number)), { code: 'NOT_FOUND' });
      else assert.equal(await valueOf(client, pathOf(number)), value);
    }
    const others = await wrongValues(client, many);
    assert.equal(others.length, changed.size);
    assert.ok(auditOf(home).some(({ event }) => event === 'keys.resealed'));
  });

  test('while another is under way is CONFLICT, and so is an import; nothing is changed by them', async (t) => {
    const { client } = await startUnlocked(t);
    await fill(client, many);
    await client.call('keys.rotate', {}, patient);
    await assert.rejects(client.call('keys.rotate', {}), { code: 'CONFLICT', message: /sealed anew/ });
    await assert.rejects(fill(client, 1), { code: 'CONFLICT' });
    await assert.rejects(client.call('keys.retire', { version: 1 }), { code: 'CONFLICT' });
    const { keys } = await client.call('keys.status', {}, patient);
    assert.equal(keys.length, 2);
    await untilDone(client);
    assert.equal((await client.call('keys.rotate', {}, patient)).version, 3);
  });
});

describe('keys that rotate by themselves', () => {
  const past = new Date(Date.now() - 100 * 86_400_000);

  test('do so for their age at the next unlock, for tenants too, and move what is stored', async (t) => {
    const home = makeHome(t);
    await home.init();
    let handle: Awaited<ReturnType<HushClient['call']>> | undefined;
    await inHome(home, past, async ({ vault }) => {
      const open = await vault();
      await open.rotateKeys('default', 'test');
      open.set({ scope: 'global', name: 's0', text: 'global/s0' }, bytes('value 0'));
      handle = { handle: open.encrypt({ ...place, tenant: 'acme' }, bytes('theirs')) };
    });
    home.configure('[profiles.default.keys]\nrotate_after_days = 90\n');
    const { client } = await restart(t, home);
    await untilDone(client);
    const own = await client.call('keys.status', {}, patient);
    assert.deepEqual(
      own.keys.map(({ version, state, createdBy }) => [version, state, createdBy]),
      [
        [3, 'active', 'daemon'],
        [2, 'retired', 'test'],
        [1, 'retired', 'test'],
      ],
    );
    assert.equal(own.automatic.afterDays, 90);
    const theirs = await client.call('keys.status', { tenant: 'acme' }, patient);
    assert.deepEqual(
      theirs.keys.map(({ version, state }) => [version, state]),
      [
        [2, 'active'],
        [1, 'retired'],
      ],
    );
    assert.equal(await valueOf(client, 'global/s0'), 'value 0');
    // Sealed above, before the daemon was started.
    const given = handle as { handle: Parameters<typeof client.call<'crypto.decrypt'>>[1]['handle'] };
    const { plaintext } = await client.call('crypto.decrypt', { ...place, tenant: 'acme', ...given });
    assert.deepEqual(Buffer.from(plaintext).toString(), 'theirs');
    await client.lock();
    const rotated = auditOf(home).filter(({ event }) => event === 'keys.rotated');
    assert.deepEqual(
      rotated.map(({ detail }) => detail),
      [
        { keyring: 'default', version: 3, reason: 'age' },
        { keyring: 'default', tenant: 'acme', version: 2, reason: 'age' },
      ],
    );
  });

  test('do so while they are in use, once they have sealed so many messages', async (t) => {
    const home = makeHome(t);
    await home.init();
    await inHome(home, past, async ({ ledger, keyring }) => {
      const id = keyring.record('default', '', 1)?.entry.id ?? '';
      (await ledger()).commit({ counters: [{ key: id, reserved: 15 * 65_536 }] });
    });
    home.configure('[profiles.default.keys]\nrotate_after_messages = 1000000\n');
    const { client } = await restart(t, home);
    const encrypt = async () =>
      (await client.call('crypto.encrypt', { ...place, plaintext: bytes('x') })).handle;
    assert.match((await encrypt()).kmsKeyId, /:v1$/);
    const items = Array.from({ length: 1_000 }, () => ({
      op: 'crypto.encrypt' as const,
      params: { ...place, plaintext: bytes('x') },
    }));
    for (let round = 0; round < 17; round++) await client.batch(items);
    await untilAnswer(encrypt, ({ kmsKeyId }) => kmsKeyId.endsWith(':v2'));
  });

  test('do not by default before they are half used up', async (t) => {
    const home = makeHome(t);
    await home.init();
    await inHome(home, past, async ({ vault }) => {
      await (await vault()).rotateKeys('default', 'test');
    });
    const { client } = await restart(t, home);
    const { active, automatic } = await client.call('keys.status', {}, patient);
    assert.deepEqual([active, automatic], [2, { afterMessages: 2 ** 31 }]);
  });
});

test('legacy values and what is being sealed anew come along under another vault key', async (t) => {
  const { client } = await startUnlocked(t);
  await fill(client, 2_000);
  await client.call('keys.rotateVault', {}, patient);
  assert.deepEqual(await wrongValues(client, 2_000), []);
  await client.call('keys.rotate', {}, patient);
  await client.call('keys.rotateVault', {}, patient);
  assert.equal((await untilDone(client)).left, 0);
  await client.lock();
  await client.unlock([passphraseCredential()]);
  assert.deepEqual(await wrongValues(client, 2_000), []);
  const { legacyValues, legacyKeys } = await client.call('keys.status', {}, patient);
  assert.deepEqual([legacyValues, legacyKeys[0]?.state], [0, 'retired']);
});

test('the last decrypt under a retired key is on the disk once the profile is locked', async (t) => {
  const { daemon, client, home } = await startUnlocked(t);
  const { handle } = await client.call('crypto.encrypt', { ...place, plaintext: bytes('x') });
  await client.call('keys.rotate', {}, patient);
  const lastOf = async (asked: HushClient): Promise<string | undefined> =>
    (await asked.call('keys.status', {}, patient)).keys[1]?.lastDecryptAt;
  assert.equal(await lastOf(client), undefined);
  await client.call('crypto.decrypt', { ...place, handle });
  const known = await lastOf(client);
  assert.ok(known !== undefined);
  await client.lock();
  assert.equal(await daemon.stop(), 0);
  const { client: later } = await restart(t, home);
  assert.equal(await lastOf(later), known);
});

test('A7: a vault put back from the middle of a rotation is ROLLBACK once its end was sealed', async (t) => {
  const { client, home } = await startUnlocked(t);
  await fill(client, 100);
  await client.lock();
  const [vault, keyset] = [readFileSync(home.profile().vault), readFileSync(home.profile().keyset)];
  await client.unlock([passphraseCredential()]);
  await client.call('keys.rotate', {}, patient);
  await untilDone(client);
  await client.lock();
  writeFileSync(home.profile().vault, vault);
  await assert.rejects(client.unlock([passphraseCredential()]), { code: 'ROLLBACK' });
  writeFileSync(home.profile().keyset, keyset);
  await assert.rejects(client.unlock([passphraseCredential()]), { code: 'ROLLBACK' });
});
