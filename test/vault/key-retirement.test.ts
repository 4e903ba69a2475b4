import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Coordinate } from '../../daemon/vault/handles.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { newProfile } from './profile.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const place: Coordinate = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const path = parseSecretPath('global/a');

async function rotate(vault: Vault, keyring = 'default'): Promise<void> {
  await vault.rotateKeys(keyring, 'operator');
  vault.resealing.start();
  await vault.resealing.settled();
}

const statusOf = (vault: Vault, tenant = '') =>
  vault.keyStatus({ keyring: 'default', tenant, before: undefined, limit: 100 });

describe('a key that an operator destroys', () => {
  test('opens no handle any more, before and after a restart, and all others still do', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let vault = await profile.open();
    vault.set(path, bytes('stored'));
    const old = vault.encrypt(place, bytes('one'));
    await rotate(vault);
    const newer = vault.encrypt(place, bytes('two'));
    const { already, notErased } = vault.retireKey({ keyring: 'default', tenant: '', version: 1 }, 'anna');
    assert.deepEqual([already, notErased], [false, undefined]);
    for (let round = 0; round < 2; round++) {
      assert.throws(() => vault.decrypt(place, old), { code: 'KEY_DESTROYED' });
      assert.deepEqual(vault.decrypt(place, newer), bytes('two'));
      assert.deepEqual(vault.get(path).value, bytes('stored'));
      const gone = statusOf(vault).keys[1];
      assert.deepEqual([gone?.version, gone?.state, gone?.destroyedBy], [1, 'destroyed', 'anna']);
      assert.equal(gone?.retiredBy, 'daemon');
      vault = await profile.open();
    }
  });

  test('is not the active one: that is CONFLICT, and nothing has changed', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    vault.set(path, bytes('stored'));
    const before = vault.commitCounter();
    for (const version of [1]) {
      assert.throws(() => vault.retireKey({ keyring: 'default', tenant: '', version }, 'anna'), {
        code: 'CONFLICT',
        message: /is active/,
        hint: /hush keys rotate/,
      });
    }
    await vault.rotateKeys('default', 'anna');
    assert.throws(() => vault.retireKey({ keyring: 'default', tenant: '', version: 1 }, 'anna'), {
      code: 'CONFLICT',
      message: /1 value is not sealed anew yet/,
    });
    assert.equal(vault.commitCounter(), before + 1);
    assert.deepEqual(vault.get(path).value, bytes('stored'));
  });

  test('is one that there is: another version or tenant is NOT_FOUND', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    for (const key of [
      { keyring: 'default', tenant: '', version: 2 },
      { keyring: 'default', tenant: 'acme', version: 1 },
      { keyring: 'second', tenant: '', version: 1 },
      { legacy: true as const, version: 1 },
    ]) {
      assert.throws(() => vault.retireKey(key, 'anna'), { code: 'NOT_FOUND' });
    }
  });

  test('of one tenant leaves the other tenants theirs', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const vault = await profile.open();
    const [acme, other] = ['acme', 'other'].map((tenant) =>
      vault.encrypt({ ...place, tenant }, bytes(tenant)),
    );
    assert.ok(acme !== undefined && other !== undefined);
    await rotate(vault);
    const acmeNew = vault.rotateHandle(place, acme);
    vault.retireKey({ keyring: 'default', tenant: 'acme', version: 1 }, 'anna');
    assert.throws(() => vault.decrypt(place, acme), { code: 'KEY_DESTROYED' });
    assert.deepEqual(vault.decrypt(place, acmeNew), bytes('acme'));
    assert.deepEqual(vault.decrypt(place, other), bytes('other'));
  });
});

describe('the last decrypt under a key', () => {
  test('is known once the key has a newer one, and outlives a restart once it was put on the disk', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const clock = { now: new Date('2026-01-01T00:00:00.000Z') };
    let vault = await profile.open({ now: () => clock.now });
    const handle = vault.encrypt(place, bytes('one'));
    vault.decrypt(place, handle);
    await rotate(vault);
    assert.equal(statusOf(vault).keys[1]?.lastDecryptAt, '2026-01-01T00:00:00.000Z');
    clock.now = new Date('2026-01-02T00:00:00.000Z');
    vault.decrypt(place, handle);
    assert.equal(statusOf(vault).keys[1]?.lastDecryptAt, '2026-01-02T00:00:00.000Z');
    assert.equal(statusOf(vault).keys[0]?.lastDecryptAt, undefined);
    vault.keyUse.persist();
    const before = vault.commitCounter();
    vault.keyUse.persist();
    assert.equal(vault.commitCounter(), before, 'nothing new, no commit');
    vault = await profile.open();
    assert.equal(statusOf(vault).keys[1]?.lastDecryptAt, '2026-01-02T00:00:00.000Z');
    vault.retireKey({ keyring: 'default', tenant: '', version: 1 }, 'anna');
    vault.keyUse.persist();
    assert.throws(() => vault.decrypt(place, handle), { code: 'KEY_DESTROYED' });
  });

  test('is not that of an attempt that failed', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    const handle = vault.encrypt(place, bytes('one'));
    await rotate(vault);
    assert.throws(() => vault.decrypt({ ...place, key: 'another' }, handle), { code: 'INTEGRITY' });
    assert.equal(statusOf(vault).keys[1]?.lastDecryptAt, undefined);
  });
});

describe('the status of keys', () => {
  test('tells one line in pages, and the others in a few numbers', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    for (const tenant of ['a', 'b', 'c']) vault.encrypt({ ...place, tenant }, bytes(tenant));
    for (let round = 0; round < 4; round++) await rotate(vault);
    vault.tenants.shred('b', undefined, 'anna');
    const first = vault.keyStatus({ keyring: 'default', tenant: 'a', before: undefined, limit: 2 });
    assert.deepEqual(
      first.keys.map(({ version }) => version),
      [5, 4],
    );
    const second = vault.keyStatus({ keyring: 'default', tenant: 'a', before: first.next, limit: 3 });
    assert.deepEqual([second.keys.map(({ version }) => version), second.next], [[3, 2, 1], undefined]);
    const [facts] = first.keyrings;
    assert.deepEqual(
      [facts?.tenants, facts?.shredded, facts?.active, facts?.retired, facts?.destroyed],
      [3, 1, 3, 12, 5],
    );
    const shut = statusOf(vault, 'b');
    assert.deepEqual([shut.active, shut.keys[0]?.state], [undefined, 'destroyed']);
    assert.throws(() => statusOf(vault, 'nobody'), { code: 'NOT_FOUND' });
  });

  test('counts the keys that no backup holds', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    assert.equal(statusOf(vault).newerThanBackup, 1);
    vault.remember('backups', [
      {
        id: '0'.repeat(32),
        at: '2026-01-01T00:00:00.000Z',
        commit: 1,
        keysetGeneration: 1,
        keysetLines: 5,
        keys: 4,
        kept: true,
      },
    ]);
    assert.deepEqual([statusOf(vault).newerThanBackup, statusOf(vault).keys[0]?.isBackedUp], [0, true]);
    await rotate(vault);
    const { newerThanBackup, keys } = statusOf(vault);
    assert.deepEqual([newerThanBackup, keys.map(({ isBackedUp }) => isBackedUp)], [1, [false, true]]);
  });
});

describe('keys that are due', () => {
  test('by age are found from that day on, one a line, and not again once they are renewed', async (t) => {
    const profile = await newProfile(t, 'memory');
    const clock = { now: new Date('2026-01-01T00:00:00.000Z') };
    const vault = await profile.open({ now: () => clock.now });
    vault.encrypt({ ...place, tenant: 'acme' }, bytes('a'));
    await rotate(vault);
    const rule = { afterDays: 90, afterMessages: undefined };
    clock.now = new Date('2026-03-31T23:59:59.999Z');
    assert.deepEqual(vault.dueKeys.find(rule, 10), []);
    clock.now = new Date('2026-04-01T00:00:00.000Z');
    assert.deepEqual(vault.dueKeys.find(rule, 10), [
      { keyring: 'default', tenant: '', version: 2, reason: 'age' },
      { keyring: 'default', tenant: 'acme', version: 2, reason: 'age' },
    ]);
    assert.equal(vault.dueKeys.find(rule, 1).length, 1);
    vault.dueKeys.renew(vault.dueKeys.find(rule, 10));
    assert.deepEqual(vault.dueKeys.find(rule, 10), []);
    assert.equal(statusOf(vault, 'acme').keys[0]?.createdBy, 'daemon');
  });

  test('by messages are found when they have sealed so many, stored values and handles alike', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    const rule = { afterDays: undefined, afterMessages: 10 };
    for (let value = 0; value < 4; value++) vault.set(path, bytes('x'));
    vault.encrypt(place, bytes('x'));
    assert.deepEqual(vault.dueKeys.find(rule, 10), []);
    vault.encrypt(place, bytes('x'));
    assert.deepEqual(vault.dueKeys.find(rule, 10), [
      { keyring: 'default', tenant: '', version: 1, reason: 'messages' },
    ]);
    vault.dueKeys.renew(vault.dueKeys.find(rule, 10));
    assert.equal(vault.encrypt(place, bytes('x')).kmsKeyId, `hush:${vault.vaultId}:default:v2`);
  });

  test('are not those of shredded tenants, nor that of stored values while these are being sealed anew', async (t) => {
    const profile = await newProfile(t, 'memory');
    const clock = { now: new Date('2026-01-01T00:00:00.000Z') };
    const vault = await profile.open({ now: () => clock.now });
    const rule = { afterDays: 1, afterMessages: undefined };
    vault.encrypt({ ...place, tenant: 'gone' }, bytes('a'));
    vault.tenants.shred('gone', undefined, 'anna');
    vault.set(path, bytes('x'));
    await vault.rotateKeys('default', 'anna');
    clock.now = new Date('2026-02-01T00:00:00.000Z');
    vault.resealing.start();
    assert.deepEqual(vault.dueKeys.find(rule, 10), []);
    await vault.resealing.settled();
    assert.equal(vault.dueKeys.find(rule, 10).length, 1);
  });
});
