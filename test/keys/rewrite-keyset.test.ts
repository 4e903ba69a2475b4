import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { openKeyring, type Keyring } from '../../daemon/keys/keyring.ts';
import { readKeyset } from '../../daemon/keys/keyset.ts';
import { rewriteKeyset } from '../../daemon/keys/rewrite-keyset.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { arena, filled, newProfileKeys, note } from './fixtures.ts';

const tenant = (name: string) => ({ keyring: 'default', tenant: name });

function seal(keyring: Keyring, name: string, version?: number): string {
  const sealed = filled(20, 0);
  const dek =
    version === undefined ? keyring.activeDek('default', name) : keyring.dek('default', name, version);
  dek.cipher.seal(filled(12, 1), filled(0, 0), filled(4, 2), sealed);
  return Buffer.from(sealed).toString('hex');
}

/** Entries without what a new wrapping key changes. */
const historyOf = ({ keyset }: Pick<Keyring, 'keyset'>) =>
  [...keyset().keys.values()].map(({ entry: { wrapped, ...entry }, ...state }) => ({
    ...entry,
    ...state,
    hasBytes: wrapped !== '',
  }));

async function keyringWithTenants(...names: string[]): Promise<Keyring> {
  const { keyring } = await newProfileKeys();
  keyring.commit(keyring.prepareDeks(names.map(tenant), note));
  return keyring;
}

const newKeys = (byte: number) => {
  const { vaultFileKey, wrappingKey, macKey } = deriveSubkeys(filled(32, byte), arena);
  vaultFileKey.wipe();
  return { wrappingKey, macKey };
};

describe('a key set that is written anew', () => {
  test('has every entry of the old one, also those that came meanwhile, wrapped and chained under the new keys', async () => {
    const keyring = await keyringWithTenants('a', 'b');
    const sealed = ['a', 'b', ''].map((name) => seal(keyring, name));
    const keys = newKeys(3);
    const rewriting = rewriteKeyset(keyring, keys);
    for (let step = 0; step < 3; step++) assert.ok(rewriting.step());
    keyring.commit(keyring.prepareDeks([tenant('a'), tenant('c')], note));
    const late = seal(keyring, 'c');
    const before = historyOf(keyring);
    const keyset = rewriting.finish();
    const { vaultId } = keyring;
    assert.equal(keyset.generation, keyring.keyset().generation + 1);
    assert.deepEqual(readKeyset(keyset.lines, vaultId, keys.macKey.bytes).keys, keyset.keys);
    for (const line of keyring.keyset().lines)
      assert.ok(!keyset.lines.includes(line), 'each line is another');

    const opened = openKeyring({ keyset, ...newKeys(3), arena });
    assert.deepEqual(historyOf(opened), before);
    assert.deepEqual([...['a', 'b'].map((name) => seal(opened, name, 1)), seal(opened, '')], sealed);
    assert.equal(seal(opened, 'c'), late);
    opened.close();

    keyring.moveTo({ keyset, ...keys });
    assert.deepEqual(historyOf(keyring), before);
    assert.equal(seal(keyring, 'b'), sealed[1]);
    const change = keyring.prepareDeks([tenant('d')], note);
    keyring.commit(change);
    assert.equal(
      readKeyset([...keyset.lines, ...change.lines], vaultId, newKeys(3).macKey.bytes).keys.size,
      keyring.keyset().keys.size,
    );
    keyring.close();
    for (const key of [keys.wrappingKey, keys.macKey]) {
      assert.throws(() => key.bytes, /wiped/, 'the keyring owns the keys');
    }
  });

  test('leaves the bytes of destroyed keys out, and keeps the mark of their destruction', async () => {
    const keyring = await keyringWithTenants('a');
    const id = [...keyring.keyset().keys.values()].find(({ entry }) => entry.tenant === 'a')?.entry.id ?? '';
    keyring.commit(keyring.prepareStates([{ id, state: 'destroyed' }], note));
    const keys = newKeys(4);
    const record = rewriteKeyset(keyring, keys).finish().keys.get(id);
    assert.equal(record?.state, 'destroyed');
    assert.equal(record.entry.wrapped, '');
  });

  test('is CONFLICT when keys were destroyed meanwhile, whether or not they had been taken over', async () => {
    for (const taken of [0, 10]) {
      const keyring = await keyringWithTenants('a', 'b');
      const rewriting = rewriteKeyset(keyring, newKeys(5));
      for (let step = 0; step < taken; step++) rewriting.step();
      const id = [...keyring.keyset().keys.keys()].at(-1) ?? '';
      keyring.commit(keyring.prepareStates([{ id, state: 'destroyed' }], note));
      if (taken === 0) keyring.commit(keyring.prepareErasure());
      assert.throws(() => rewriting.finish(), { code: 'CONFLICT' });
    }
  });
});
