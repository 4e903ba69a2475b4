import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, test } from 'node:test';

import type { SecretsStore } from '../../daemon/stores/store.ts';
import type { ResealingEvent } from '../../daemon/vault/resealing.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { newProfile, type StoreKind } from './profile.ts';
import { withRawFile } from './raw-file.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (value: Uint8Array): string => Buffer.from(value).toString();
const pathOf = (number: number) => parseSecretPath(`global/secret-${number}`);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

function fill(vault: Vault, count: number): void {
  for (const number of numbers(count)) vault.set(pathOf(number), bytes(`value ${number}`));
}

async function reseal(vault: Vault): Promise<void> {
  vault.resealing.start();
  await vault.resealing.settled();
}

/** The history of the keys that seal stored secrets, the newest first. */
const historyOf = (vault: Vault): (readonly [version: number, state: string, values: number])[] =>
  vault
    .keyStatus({ keyring: 'default', tenant: '', before: undefined, limit: 100 })
    .keys.map(({ version, state, values }) => [version, state, values] as const);

for (const kind of ['SQLCipher', 'memory'] as const satisfies StoreKind[]) {
  describe(`stored values after a rotation (${kind})`, () => {
    test('are all under the new key, byte for byte what they were, and the old key is retired', async (t) => {
      const profile = await newProfile(t, kind);
      const events: ResealingEvent[] = [];
      const vault = await profile.open({ onResealing: (event) => events.push(event) });
      fill(vault, 100);
      const before = vault.list({ limit: 500, visible: () => true });
      await vault.rotateKeys('default', 'operator');
      assert.deepEqual(historyOf(vault), [
        [2, 'active', 0],
        [1, 'active', 100],
      ]);
      await reseal(vault);
      assert.deepEqual(historyOf(vault), [
        [2, 'active', 100],
        [1, 'retired', 0],
      ]);
      assert.deepEqual([events.length, events[0]?.kind, events[0]?.moved], [1, 'done', 100]);
      const isWhole = (opened: Vault): void => {
        assert.deepEqual(opened.list({ limit: 500, visible: () => true }), before);
        for (const number of numbers(100)) {
          assert.equal(textOf(opened.get(pathOf(number)).value), `value ${number}`);
        }
      };
      isWhole(vault);
      isWhole(await profile.open());
    });

    test('keep what others set and delete between the sealing and the commit', async (t) => {
      const profile = await newProfile(t, kind);
      let vault = await profile.open();
      fill(vault, 300);
      await vault.rotateKeys('default', 'operator');
      vault.resealing.start();
      const changed = new Map<number, string | undefined>();
      for (let number = 0; vault.resealing.progress().state === 'running' && number < 300; number++) {
        const isSet = number % 2 === 0;
        if (isSet) vault.set(pathOf(number), bytes(`newer ${number}`));
        else vault.remove(pathOf(number));
        changed.set(number, isSet ? `newer ${number}` : undefined);
        await nextTurn();
      }
      await vault.resealing.settled();
      assert.ok(changed.size > 0);
      assert.equal(vault.resealing.progress().left, 0);
      vault = await profile.open();
      for (const number of numbers(300)) {
        const expected = changed.has(number) ? changed.get(number) : `value ${number}`;
        if (expected === undefined) assert.throws(() => vault.get(pathOf(number)), { code: 'NOT_FOUND' });
        else assert.equal(textOf(vault.get(pathOf(number)).value), expected);
      }
    });

    test('go on from where a lock has cut it off, and are readable at every moment', async (t) => {
      const profile = await newProfile(t, kind);
      let vault = await profile.open();
      fill(vault, 200);
      await vault.rotateKeys('default', 'operator');
      const events: ResealingEvent[] = [];
      for (let round = 0; round < 4; round++) {
        vault = await profile.open({ onResealing: (event) => events.push(event) });
        vault.resealing.start();
        const { resealing } = vault;
        for (let turn = 0; turn < round; turn++) await nextTurn();
        profile.close();
        await resealing.settled();
      }
      vault = await profile.open();
      for (const number of numbers(200)) {
        assert.equal(textOf(vault.get(pathOf(number)).value), `value ${number}`);
      }
      await reseal(vault);
      assert.deepEqual(historyOf(vault), [
        [2, 'active', 200],
        [1, 'retired', 0],
      ]);
      assert.ok(
        events.every(({ kind: ended }) => ended === 'done'),
        'a lock is no failure',
      );
    });

    test('stay where they are while the disk refuses, and are moved once it does not', async (t) => {
      const profile = await newProfile(t, kind);
      const disk = { isFull: false };
      const events: ResealingEvent[] = [];
      const vault = await profile.open({
        onResealing: (event) => events.push(event),
        wrapStore: (store): SecretsStore => ({
          ...store,
          commit: (changes, root) => {
            if (disk.isFull) throw new HushError('UNAVAILABLE', 'the disk is full');
            store.commit(changes, root);
          },
        }),
      });
      fill(vault, 50);
      await vault.rotateKeys('default', 'operator');
      disk.isFull = true;
      await reseal(vault);
      await reseal(vault);
      const stalled = vault.resealing.progress();
      assert.deepEqual([stalled.state, stalled.left, stalled.error?.code], ['stalled', 50, 'UNAVAILABLE']);
      assert.equal(textOf(vault.get(pathOf(7)).value), 'value 7');
      disk.isFull = false;
      await reseal(vault);
      assert.deepEqual([vault.resealing.progress().state, vault.resealing.progress().left], ['idle', 0]);
      assert.deepEqual(
        events.map(({ kind: ended }) => ended),
        ['stalled', 'done'],
        'what stays as it is is told of once',
      );
    });

    test('count as two messages each under the new key, before any of them is sealed', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open();
      fill(vault, 30);
      await vault.rotateKeys('default', 'operator');
      await reseal(vault);
      const [newest] = vault.keyStatus({ keyring: 'default', tenant: '', before: undefined, limit: 1 }).keys;
      assert.equal(newest?.messages, 60);
    });
  });
}

describe('a rotation', () => {
  test('while stored values are being sealed anew is CONFLICT, and changes nothing', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    fill(vault, 100);
    await vault.rotateKeys('default', 'operator');
    vault.resealing.start();
    const before = vault.commitCounter();
    await assert.rejects(vault.rotateKeys('default', 'operator'), {
      code: 'CONFLICT',
      message: /100 stored values are still being sealed anew/,
    });
    assert.equal(vault.commitCounter(), before);
    await vault.resealing.settled();
    assert.equal((await vault.rotateKeys('default', 'operator')).version, 3);
  });

  test('of a keyring without stored values retires its old keys at once, those of tenants too', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    fill(vault, 3);
    const place = { namespace: 'mail', key: 'smtp' };
    vault.encrypt({ ...place, keyring: 'default', tenant: 'acme' }, bytes('a'));
    const handle = vault.encrypt({ ...place, keyring: 'second' }, bytes('b'));
    await vault.rotateKeys('second', 'operator');
    await vault.rotateKeys('default', 'operator');
    const states = (keyring: string, tenant: string): string[] =>
      vault.keyStatus({ keyring, tenant, before: undefined, limit: 10 }).keys.map(({ state }) => state);
    assert.deepEqual(states('second', ''), ['active', 'retired']);
    assert.deepEqual(states('default', 'acme'), ['active', 'retired']);
    assert.deepEqual(states('default', ''), ['active', 'active']);
    assert.equal(textOf(vault.decrypt({ ...place, keyring: 'second' }, handle)), 'b');
  });
});

test('a stored value that was tampered with stays under its key, which stays active, and the rest is moved', async (t) => {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open();
  fill(vault, 40);
  await vault.rotateKeys('default', 'operator');
  const reopened = await profile.open({ wrapStore: withOneTampered });
  await reseal(reopened);
  const { state, left, error } = reopened.resealing.progress();
  assert.deepEqual([state, left, error?.code], ['stalled', 1, 'INTEGRITY']);
  assert.deepEqual(historyOf(reopened), [
    [2, 'active', 39],
    [1, 'active', 1],
  ]);
});

test('a row that is gone while its key is rotated is tampering, and the old key stays', async (t) => {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open();
  fill(vault, 10);
  profile.close();
  const open = await profile.open({
    wrapStore: (store) => ({ ...store, rows: (after, limit) => store.rows(after, limit).slice(1) }),
  });
  await open.rotateKeys('default', 'operator');
  await reseal(open);
  assert.equal(open.resealing.progress().error?.code, 'INTEGRITY');
  assert.equal(historyOf(open)[1]?.[1], 'active');
  profile.close();
  withRawFile(profile.file, (db) => {
    assert.equal(db.prepare('select count(*) from secret').pluck().get(), 10);
  });
});

/** A store in which one row comes out with another value than was put in. */
const withOneTampered = (store: SecretsStore): SecretsStore => {
  let victim: string | undefined;
  return {
    ...store,
    rows: (after, limit) =>
      store.rows(after, limit).map((row) => {
        const id = Buffer.from(row.id).toString('hex');
        victim ??= id;
        if (id !== victim) return row;
        const value = Uint8Array.from(row.value);
        value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
        return { ...row, value };
      }),
  };
};
