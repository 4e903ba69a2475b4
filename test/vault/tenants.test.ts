import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { appendToKeysetFile, writeKeysetFile } from '../../daemon/keys/keyset-file.ts';
import type { Coordinate } from '../../daemon/vault/handles.ts';
import { HushError } from '../../protocol/errors.ts';
import { newProfile, type TestProfile } from './profile.ts';
import { contentOf } from './vault-pages.ts';

const place: Coordinate = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const of = (tenant: string, keyring = 'default'): Coordinate => ({ ...place, keyring, tenant });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The wrapped keys that the key set's file holds for a tenant. */
function wrappedOf(profile: TestProfile, tenant: string): string[] {
  return readFileSync(profile.keysetPath, 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line) as { type: string; tenant?: string; wrapped?: string })
    .flatMap((entry) => (entry.tenant === tenant && entry.wrapped ? [entry.wrapped] : []));
}

const isIn = (content: Buffer, texts: readonly string[]): boolean =>
  texts.some((text) => content.includes(text));

describe('a shredded tenant', () => {
  test('can open nothing that it ever encrypted, and all others can, after a restart too', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let vault = await profile.open();
    const gone = vault.encrypt(of('t1'), bytes('one'));
    const goneToo = vault.encrypt(of('t1', 'second'), bytes('two'));
    const others = [vault.encrypt(of('t2'), bytes('three')), vault.encrypt(place, bytes('four'))] as const;
    await vault.rotateKeys('default', 'operator');
    const newer = vault.rotateHandle(place, gone);
    const shredded = vault.tenants.shred('t1', undefined, 'operator');
    assert.deepEqual([shredded.keyrings, shredded.keys, shredded.erased], [['default', 'second'], 3, true]);
    for (let round = 0; round < 2; round++) {
      for (const handle of [gone, newer]) {
        assert.throws(() => vault.decrypt(place, handle), { code: 'KEY_DESTROYED' });
        assert.throws(() => vault.rotateHandle(place, handle), { code: 'KEY_DESTROYED' });
      }
      assert.throws(() => vault.decrypt({ ...place, keyring: 'second' }, goneToo), { code: 'KEY_DESTROYED' });
      assert.deepEqual(vault.decrypt(of('t2'), others[0]), bytes('three'));
      assert.deepEqual(vault.decrypt(place, others[1]), bytes('four'));
      vault = await profile.open();
    }
  });

  test('is given no new key by an encrypt, in any keyring, by a rotation or a restart', async (t) => {
    const profile = await newProfile(t, 'memory');
    let vault = await profile.open();
    vault.encrypt(of('t1'), bytes('one'));
    vault.tenants.shred('t1', undefined, 'operator');
    const refused = { code: 'KEY_DESTROYED', hint: /hush keys reopen/ };
    for (let round = 0; round < 2; round++) {
      for (const keyring of ['default', 'second']) {
        assert.throws(() => vault.encrypt(of('t1', keyring), bytes('x')), refused);
      }
      await vault.rotateKeys('default', 'operator');
      assert.throws(() => vault.encrypt(of('t1'), bytes('x')), refused);
      vault = await profile.open();
    }
  });

  test('seals again under the next version once it is opened anew, and what was before stays gone', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const vault = await profile.open();
    const gone = vault.encrypt(of('t1'), bytes('one'));
    vault.tenants.shred('t1', undefined, 'operator');
    const { keys } = vault.tenants.reopen('t1', undefined, 'operator');
    assert.deepEqual(keys, [
      { keyring: 'default', version: 2, kmsKeyId: `hush:${vault.vaultId}:default:v2` },
    ]);
    const handle = vault.encrypt(of('t1'), bytes('two'));
    assert.equal(handle.kmsKeyId, `hush:${vault.vaultId}:default:v2`);
    assert.throws(() => vault.decrypt(place, gone), { code: 'KEY_DESTROYED' });
    assert.deepEqual(vault.tenants.reopen('t1', undefined, 'operator').keys, []);
    vault.encrypt(of('t1', 'second'), bytes('three'));
    const reopened = await profile.open();
    assert.deepEqual(reopened.decrypt(of('t1'), handle), bytes('two'));
  });

  test('may be opened anew in one keyring alone, one where it never was included', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    for (const keyring of ['default', 'second']) vault.encrypt(of('t1', keyring), bytes('x'));
    vault.tenants.shred('t1', undefined, 'operator');
    assert.equal(vault.tenants.reopen('t1', 'third', 'operator').keys[0]?.version, 1);
    vault.encrypt(of('t1', 'third'), bytes('x'));
    assert.throws(() => vault.encrypt(of('t1', 'second'), bytes('x')), { code: 'KEY_DESTROYED' });
    assert.equal(vault.tenants.reopen('t1', 'second', 'operator').keys[0]?.version, 2);
    vault.encrypt(of('t1', 'second'), bytes('x'));
  });

  test('of one keyring keeps its keys in the others', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    const kept = vault.encrypt(of('t1', 'second'), bytes('x'));
    vault.encrypt(of('t1'), bytes('x'));
    assert.deepEqual(vault.tenants.shred('t1', 'default', 'operator').keyrings, ['default']);
    assert.deepEqual(vault.decrypt({ ...place, keyring: 'second' }, kept), bytes('x'));
    assert.throws(() => vault.encrypt(of('t1'), bytes('x')), { code: 'KEY_DESTROYED' });
  });

  test('is shredded again without harm, and one that never was is NOT_FOUND', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    vault.encrypt(of('t1'), bytes('x'));
    assert.equal(vault.tenants.shred('t1', undefined, 'operator').keys, 1);
    const commit = vault.commitCounter();
    assert.equal(vault.tenants.shred('t1', undefined, 'operator').keys, 0);
    assert.equal(vault.commitCounter(), commit);
    for (const act of [vault.tenants.shred, vault.tenants.reopen]) {
      assert.throws(() => act('t2', undefined, 'operator'), { code: 'NOT_FOUND' });
      assert.throws(() => act('t2', 'second', 'operator'), { code: 'NOT_FOUND' });
    }
    assert.throws(() => vault.tenants.shred('t1', 'second', 'operator'), { code: 'NOT_FOUND' });
  });

  test('makes room for another under max_tenants, and needs room to be opened anew', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open({ maxTenants: 1 });
    vault.encrypt(of('t1'), bytes('x'));
    assert.throws(() => vault.encrypt(of('t2'), bytes('x')), { code: 'LIMIT_EXCEEDED' });
    vault.tenants.shred('t1', undefined, 'operator');
    vault.encrypt(of('t2'), bytes('x'));
    assert.throws(() => vault.tenants.reopen('t1', undefined, 'operator'), { code: 'LIMIT_EXCEEDED' });
  });
});

describe('the wrapped keys of a shredded tenant', () => {
  test('are nowhere in the key set’s file, in the vault’s pages or in its log', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const vault = await profile.open({ maxTenants: 1_000 });
    const tenants = Array.from({ length: 120 }, (_, at) => `tenant-${at}-${'ü'.repeat(at % 90)}`);
    for (const tenant of tenants) vault.encrypt(of(tenant), bytes('x'));
    await vault.rotateKeys('default', 'operator');
    const targets = tenants.filter((_, at) => at % 3 === 1);
    const kept = tenants.filter((_, at) => at % 3 !== 1);
    const wrapped = targets.flatMap((tenant) => wrappedOf(profile, tenant));
    assert.equal(wrapped.length, 80);
    assert.ok(wrapped.every((text) => contentOf(profile.file).includes(text)));
    for (const tenant of targets) assert.ok(vault.tenants.shred(tenant, undefined, 'operator').erased);
    assert.ok(!isIn(contentOf(profile.file), wrapped));
    assert.ok(!isIn(readFileSync(profile.keysetPath), wrapped));
    const present = kept.flatMap((tenant) => wrappedOf(profile, tenant));
    assert.equal(present.length, 160);
    assert.ok(present.every((text) => contentOf(profile.file).includes(text)));
    profile.close();
    assert.ok(!isIn(contentOf(profile.file), wrapped));
  });

  test('go at the next unlock where a crash came between the mark and the rest', async (t) => {
    // What the crash comes before, by the writes that still happen: the file anew, the vault's commit, the empty log.
    for (const steps of [0, 1, 2]) {
      const profile = await newProfile(t, 'SQLCipher');
      let left = Infinity;
      const step = <Args extends readonly unknown[]>(act: (...args: Args) => void) => {
        return (...args: Args): void => {
          if (left-- <= 0) throw new HushError('UNAVAILABLE', 'killed');
          act(...args);
        };
      };
      let vault = await profile.open({
        appendKeys: (present, added) => {
          appendToKeysetFile(profile.keysetPath, present, added);
        },
        replaceKeys: step((lines) => {
          writeKeysetFile(profile.keysetPath, lines);
        }),
        wrapStore: (store) => ({
          ...store,
          commit: (changes, root) => {
            if (changes.keyset?.from === 0) step(store.commit)(changes, root);
            else store.commit(changes, root);
          },
          forget: step(store.forget),
        }),
      });
      const gone = vault.encrypt(of('t1'), bytes('one'));
      const kept = vault.encrypt(of('t2'), bytes('two'));
      const wrapped = wrappedOf(profile, 't1');
      left = steps;
      assert.equal(vault.tenants.shred('t1', undefined, 'operator').erased, false);
      assert.throws(() => vault.decrypt(place, gone), { code: 'KEY_DESTROYED' });
      vault = await profile.open();
      assert.throws(() => vault.decrypt(place, gone), { code: 'KEY_DESTROYED' });
      assert.deepEqual(vault.decrypt(place, kept), bytes('two'));
      assert.ok(!isIn(readFileSync(profile.keysetPath), wrapped), `file, after ${steps} steps`);
      assert.ok(!isIn(contentOf(profile.file), wrapped), `vault, after ${steps} steps`);
    }
  });

  test('do not keep a profile shut whose disk is full, and go at an unlock that finds room', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const full = (): never => {
      throw new HushError('UNAVAILABLE', 'the disk is full');
    };
    let vault = await profile.open({ replaceKeys: full });
    const kept = vault.encrypt(of('t2'), bytes('two'));
    vault.encrypt(of('t1'), bytes('one'));
    const wrapped = wrappedOf(profile, 't1');
    assert.equal(vault.tenants.shred('t1', undefined, 'operator').erased, false);
    vault = await profile.open({ replaceKeys: full });
    assert.deepEqual(vault.decrypt(place, kept), bytes('two'));
    assert.throws(() => vault.encrypt(of('t1'), bytes('x')), { code: 'KEY_DESTROYED' });
    assert.ok(isIn(readFileSync(profile.keysetPath), wrapped));
    await profile.open();
    assert.ok(!isIn(readFileSync(profile.keysetPath), wrapped));
    assert.ok(!isIn(contentOf(profile.file), wrapped));
  });

  test('go with the next attempt where the disk refused, and keys are made and used meanwhile', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let isFull = true;
    let vault = await profile.open({
      wrapStore: (store) => ({
        ...store,
        commit: (changes, root) => {
          if (isFull && changes.keyset?.from === 0) throw new HushError('UNAVAILABLE', 'the disk is full');
          store.commit(changes, root);
        },
      }),
    });
    vault.encrypt(of('t1'), bytes('one'));
    const wrapped = wrappedOf(profile, 't1');
    assert.equal(vault.tenants.shred('t1', undefined, 'operator').erased, false);
    assert.throws(() => vault.encrypt(of('t2'), bytes('two')), { code: 'UNAVAILABLE' });
    isFull = false;
    const handle = vault.encrypt(of('t2'), bytes('two'));
    assert.ok(vault.tenants.shred('t1', undefined, 'operator').erased);
    assert.ok(!isIn(contentOf(profile.file), wrapped));
    vault = await profile.open();
    assert.deepEqual(vault.decrypt(place, handle), bytes('two'));
  });

  test('leave their history: versions, states, who and when', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open();
    vault.encrypt(of('t1'), bytes('x'));
    vault.tenants.shred('t1', undefined, 'olga');
    const lines = readFileSync(profile.keysetPath, 'utf8').split('\n');
    assert.match(lines[0] ?? '', / 2$/);
    const [born] = lines.filter((line) => line.includes('"tenant":"t1"'));
    assert.match(born ?? '', /"version":1,"wrapped":""/);
    assert.ok(lines.some((line) => line.includes('"state":"destroyed"') && line.includes('"by":"olga"')));
  });
});

describe('a change of the key set that the vault refuses', () => {
  test('leaves nothing in the file, so that it does not come true at the next unlock', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let isFull = false;
    let vault = await profile.open({
      wrapStore: (store) => ({
        ...store,
        commit: (changes, root) => {
          if (isFull) throw new HushError('UNAVAILABLE', 'the disk is full');
          store.commit(changes, root);
        },
      }),
    });
    const handle = vault.encrypt(of('t1'), bytes('one'));
    isFull = true;
    assert.throws(() => vault.tenants.shred('t1', undefined, 'operator'), { code: 'UNAVAILABLE' });
    assert.deepEqual(vault.decrypt(place, handle), bytes('one'));
    vault = await profile.open();
    assert.deepEqual(vault.decrypt(place, handle), bytes('one'));
  });
});
