import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';

import type { Vault } from '../../daemon/vault/vault.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { importOf, legacyRow } from './legacy-rows.ts';
import { newProfile, type StoreKind } from './profile.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const key = randomBytes(32);

const valueOf = (vault: Vault, path: string): string =>
  Buffer.from(vault.get(parseSecretPath(path)).value).toString();
const statusOf = (vault: Vault) =>
  vault.keyStatus({ keyring: 'default', tenant: '', before: undefined, limit: 100 });

async function rotate(vault: Vault): Promise<void> {
  await vault.rotateKeys('default', 'operator');
  vault.resealing.start();
  await vault.resealing.settled();
}

for (const kind of ['SQLCipher', 'memory'] as const satisfies StoreKind[]) {
  describe(`values from before data keys (${kind})`, () => {
    test('are readable, over a restart too, counted, and moved by the first rotation after their import', async (t) => {
      const profile = await newProfile(t, kind);
      let vault = await profile.open();
      vault.set(parseSecretPath('global/own'), bytes('own'));
      const taken = vault.importLegacy(
        importOf(key, [legacyRow(key, 'global/a', 'one'), legacyRow(key, 'ws:1/b', '')]),
        'operator',
      );
      assert.deepEqual([taken.stored, taken.already, taken.refused], [2, 0, []]);

      vault = await profile.open();
      vault.resealing.start();
      await vault.resealing.settled();
      assert.deepEqual([valueOf(vault, 'global/a'), valueOf(vault, 'ws:1/b')], ['one', '']);
      assert.deepEqual([statusOf(vault).values, statusOf(vault).legacyValues], [3, 2]);
      assert.equal(vault.list({ limit: 10, visible: () => true }).entries.length, 3);

      await rotate(vault);
      const { legacyValues, keys, legacyKeys } = statusOf(vault);
      assert.equal(legacyValues, 0);
      assert.deepEqual(
        keys.map(({ state, values }) => [state, values]),
        [
          ['active', 3],
          ['retired', 0],
        ],
      );
      assert.deepEqual(
        legacyKeys.map(({ state, importedBy }) => [state, importedBy]),
        [['retired', 'operator']],
      );
      vault = await profile.open();
      assert.deepEqual(
        [valueOf(vault, 'global/a'), valueOf(vault, 'ws:1/b'), valueOf(vault, 'global/own')],
        ['one', '', 'own'],
      );
    });

    test('of a later import wait for the next rotation', async (t) => {
      const profile = await newProfile(t, kind);
      let vault = await profile.open();
      vault.importLegacy(importOf(key, [legacyRow(key, 'global/a', 'one')]), 'operator');
      await rotate(vault);
      vault.importLegacy(importOf(key, [legacyRow(key, 'global/b', 'two')]), 'operator');
      vault = await profile.open();
      vault.resealing.start();
      await vault.resealing.settled();
      assert.equal(statusOf(vault).legacyValues, 1);
      await rotate(vault);
      assert.equal(statusOf(vault).legacyValues, 0);
      assert.deepEqual([valueOf(vault, 'global/a'), valueOf(vault, 'global/b')], ['one', 'two']);
    });

    test('are not stored, and neither is their key, when the key is the wrong one', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open();
      const before = vault.commitCounter();
      const rows = [legacyRow(key, 'global/a', 'one'), legacyRow(key, 'global/b', 'two')];
      assert.throws(() => vault.importLegacy(importOf(randomBytes(32), rows), 'operator'), {
        code: 'WRONG_KEY',
      });
      assert.equal(vault.commitCounter(), before);
      assert.deepEqual(statusOf(vault).legacyKeys, []);
    });

    test('are not stored where one of them cannot be, and each that cannot is named', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open();
      vault.set(parseSecretPath('global/there'), bytes('other'));
      const spoiled = legacyRow(randomBytes(32), 'global/spoiled', 'x');
      const cut = { ...legacyRow(key, 'global/cut', 'x'), sealed: bytes('too short') };
      const rows = [
        legacyRow(key, 'global/a', 'one'),
        spoiled,
        cut,
        legacyRow(key, 'global/there', 'one'),
        legacyRow(key, 'global/a', 'again'),
        legacyRow(key, 'global/long', 'x'.repeat(65_537)),
      ];
      const before = vault.commitCounter();
      const { refused } = vault.importLegacy(importOf(key, rows), 'operator');
      assert.deepEqual(
        refused.map(({ index, error }) => [index, error.code]),
        [
          [1, 'INTEGRITY'],
          [2, 'INTEGRITY'],
          [3, 'EXISTS'],
          [4, 'CONFLICT'],
          [5, 'TOO_LARGE'],
        ],
      );
      assert.equal(vault.commitCounter(), before);
      assert.throws(() => vault.get(parseSecretPath('global/a')), { code: 'NOT_FOUND' });
    });

    test('that are there already are left as they are, and replaced where that is asked for', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open();
      vault.set(parseSecretPath('global/same'), bytes('one'));
      vault.set(parseSecretPath('global/other'), bytes('two'));
      const rows = [legacyRow(key, 'global/same', 'one'), legacyRow(key, 'global/other', 'three')];
      const taken = vault.importLegacy(importOf(key, rows, { overwrite: true }), 'operator');
      assert.deepEqual([taken.stored, taken.already], [1, 1]);
      assert.equal(vault.get(parseSecretPath('global/other')).version, 2);
      assert.deepEqual([valueOf(vault, 'global/same'), valueOf(vault, 'global/other')], ['one', 'three']);
      assert.equal(vault.get(parseSecretPath('global/same')).version, 1);
    });

    test('can be looked at without being stored', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open();
      const before = vault.commitCounter();
      const checked = vault.importLegacy(
        importOf(key, [legacyRow(key, 'global/a', 'one')], { checkOnly: true }),
        'operator',
      );
      assert.deepEqual([checked.stored, checked.refused, vault.commitCounter()], [1, [], before]);
    });

    test('take a set and a deletion like any other, and what is cached of them goes', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open();
      vault.importLegacy(
        importOf(key, [legacyRow(key, 'global/a', 'one'), legacyRow(key, 'global/b', 'two')]),
        'operator',
      );
      assert.equal(vault.set(parseSecretPath('global/a'), bytes('new')).version, 2);
      vault.remove(parseSecretPath('global/b'));
      assert.equal(statusOf(vault).legacyValues, 0);
      assert.equal(valueOf(vault, 'global/a'), 'new');
    });
  });
}

test('a secret that is there and cannot be read is named with its line, and the others are looked at', async (t) => {
  const profile = await newProfile(t, 'SQLCipher');
  let vault = await profile.open();
  for (const name of ['bad', 'good']) vault.set(parseSecretPath(`global/${name}`), bytes('one'));
  vault = await profile.open({
    wrapStore: (store) => {
      let first: Uint8Array | undefined;
      return {
        ...store,
        read: (id, version) => {
          const row = store.read(id, version);
          first ??= id;
          if (row === undefined || !Buffer.from(id).equals(first)) return row;
          // Its tag stays, so that it is the row that was committed as far as the freshness sum can tell.
          const value = Uint8Array.from(row.value);
          value.set([(value.at(-17) ?? 0) ^ 1], value.length - 17);
          return { ...row, value };
        },
      };
    },
  });
  const rows = ['bad', 'good', 'new'].map((name) => legacyRow(key, `global/${name}`, 'one'));
  for (const overwrite of [false, true]) {
    const { stored, already, refused } = vault.importLegacy(importOf(key, rows, { overwrite }), 'operator');
    assert.deepEqual([stored, already], [1, 1]);
    assert.deepEqual(
      refused.map(({ index, error }) => [index, error.code]),
      [[0, 'INTEGRITY']],
    );
  }
});

test('a legacy key can be destroyed once no value needs it, and an import brings it back on purpose', async (t) => {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open();
  const row = legacyRow(key, 'global/a', 'one');
  vault.importLegacy(importOf(key, [row]), 'operator');
  assert.throws(() => vault.retireKey({ legacy: true, version: 1 }, 'operator'), {
    code: 'CONFLICT',
    message: /1 value is not sealed anew yet/,
  });
  await rotate(vault);
  assert.equal(vault.retireKey({ legacy: true, version: 1 }, 'operator').already, false);
  assert.equal(vault.retireKey({ legacy: true, version: 1 }, 'operator').already, true);
  assert.equal(statusOf(vault).legacyKeys[0]?.state, 'destroyed');
  const reopened = await profile.open();
  assert.equal(valueOf(reopened, 'global/a'), 'one');
  reopened.importLegacy(importOf(key, [legacyRow(key, 'global/b', 'two')]), 'operator');
  assert.deepEqual(
    statusOf(reopened).legacyKeys.map(({ version, state }) => [version, state]),
    [
      [1, 'destroyed'],
      [2, 'retired'],
    ],
  );
});
