import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { Coordinate, Handle } from '../../daemon/vault/handles.ts';
import { newProfile } from './profile.ts';
import { withRawFile } from './raw-file.ts';

const place: Coordinate = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a handle of the platform', () => {
  test('has the platform’s form and opens to the same bytes, after a restart too', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const vault = await profile.open();
    const plaintexts = ['', 'x', 'grün ✓', 'p'.repeat(1_000_000)].map(bytes);
    const handles = plaintexts.map((plaintext) => vault.encrypt(place, plaintext));
    for (const { id, kmsKeyId, alg, version } of handles) {
      assert.match(id, /^sec_[0-9a-f]{32}$/);
      assert.equal(kmsKeyId, `hush:${vault.vaultId}:default:v1`);
      assert.equal(alg, 'aes-256-gcm');
      assert.equal(version, 1);
    }
    const reopened = await profile.open();
    handles.forEach((handle, index) => {
      assert.deepEqual(reopened.decrypt(place, handle), plaintexts[index]);
    });
  });

  test('opens in no other place, under no other id, keyring, tenant or vault', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    const other = await (await newProfile(t, 'memory')).open();
    const handle = vault.encrypt({ ...place, tenant: 't1' }, bytes('secret'));
    vault.encrypt({ ...place, keyring: 'second', tenant: 't1' }, bytes('secret'));
    assert.deepEqual(vault.decrypt(place, handle), bytes('secret'));
    assert.deepEqual(vault.decrypt({ ...place, tenant: 't1' }, handle), bytes('secret'));
    const refused = (where: Coordinate, what: Handle, by = vault): void => {
      assert.throws(() => by.decrypt(where, what), { code: 'INTEGRITY' });
      assert.throws(() => by.rotateHandle(where, what), { code: 'INTEGRITY' });
    };
    refused({ ...place, namespace: 'other' }, handle);
    refused({ ...place, key: 'other' }, handle);
    refused({ ...place, tenant: 't2' }, handle);
    refused({ ...place, tenant: '' }, handle);
    refused({ ...place, keyring: 'second' }, handle);
    refused({ ...place, keyring: 'third' }, handle);
    refused(place, { ...handle, id: `sec_${'0'.repeat(32)}` });
    refused(place, { ...handle, ciphertext: vault.encrypt(place, bytes('secret')).ciphertext });
    refused(place, handle, other);
  });

  test('asks whether its tenant may be opened where the caller names none', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    const ours = vault.encrypt({ ...place, tenant: 't1' }, bytes('ours'));
    const nobodys = vault.encrypt(place, bytes('nobodys'));
    const mayOpen = (tenant: string): boolean => tenant === 't1';
    assert.deepEqual(vault.decrypt(place, ours, mayOpen), bytes('ours'));
    assert.equal(vault.rotateHandle(place, ours, mayOpen).version, 2);
    assert.throws(() => vault.decrypt(place, nobodys, mayOpen), { code: 'ACCESS_DENIED' });
    assert.throws(() => vault.rotateHandle(place, nobodys, mayOpen), { code: 'ACCESS_DENIED' });
  });

  test('is refused with any bit of it changed, cut short, or made up', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    const handle = vault.encrypt({ ...place, tenant: 't1' }, bytes('secret'));
    const sealed = Buffer.from(handle.ciphertext, 'base64');
    const refused = (ciphertext: string, ...others: readonly string[]): void => {
      const codes = ['INTEGRITY', 'NEWER_FORMAT', ...others];
      assert.throws(
        () => vault.decrypt(place, { ...handle, ciphertext }),
        (error) => error instanceof Error && 'code' in error && codes.includes(String(error.code)),
      );
    };
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      refused(changed.toString('base64'));
    }
    for (let length = 0; length < sealed.length; length++)
      refused(sealed.subarray(0, length).toString('base64'));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b).toString('base64')),
        ),
        // What is made up may begin as a handle of a local key does.
        (ciphertext) => {
          refused(ciphertext, 'WRONG_KEY');
        },
      ),
    );
  });

  test('rotates: same id, next version, newest key; the earlier one still opens', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let vault = await profile.open();
    const first = vault.encrypt({ ...place, tenant: 't1' }, bytes('secret'));
    const rotated = await vault.rotateKeys('default', 'operator');
    assert.deepEqual(
      { ...rotated, commit: 0 },
      {
        keyring: 'default',
        kmsKeyId: `hush:${vault.vaultId}:default:v2`,
        version: 2,
        lines: 2,
        commit: 0,
      },
    );
    assert.equal(rotated.commit, vault.commitCounter());
    vault = await profile.open();
    const second = vault.rotateHandle(place, first);
    assert.equal(second.id, first.id);
    assert.equal(second.version, 2);
    assert.equal(second.kmsKeyId, `hush:${vault.vaultId}:default:v2`);
    const third = vault.rotateHandle(place, { ...first, version: 41 });
    assert.equal(third.version, 42);
    for (const handle of [first, second, third]) {
      assert.deepEqual(vault.decrypt({ ...place, tenant: 't1' }, handle), bytes('secret'));
    }
    assert.throws(() => vault.rotateHandle(place, { ...first, version: 0xffff_ffff }), {
      code: 'BAD_REQUEST',
    });
    await assert.rejects(vault.rotateKeys('nobody', 'operator'), { code: 'NOT_FOUND' });
  });

  test('gets a key of its own for each tenant and keyring, up to max_tenants', async (t) => {
    const profile = await newProfile(t, 'memory');
    let vault = await profile.open({ maxTenants: 2 });
    const handle = vault.encrypt({ ...place, tenant: 't1' }, bytes('secret'));
    vault.encrypt({ ...place, keyring: 'second' }, bytes('secret'));
    assert.throws(() => vault.encrypt({ ...place, tenant: 't2' }, bytes('secret')), {
      code: 'LIMIT_EXCEEDED',
    });
    vault.encrypt({ ...place, tenant: 't1' }, bytes('secret'));
    vault = await profile.open({ maxTenants: 2 });
    assert.deepEqual(vault.decrypt(place, handle), bytes('secret'));
    assert.throws(() => vault.encrypt({ ...place, tenant: 't2' }, bytes('secret')), {
      code: 'LIMIT_EXCEEDED',
    });
  });

  test('is refused by name where the platform’s columns could not hold it', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    for (const name of ['namespace', 'key', 'tenant']) {
      const long = { ...place, [name]: 'x'.repeat(129) };
      assert.throws(() => vault.encrypt(long, bytes('x')), {
        code: 'BAD_REQUEST',
        message: new RegExp(`^${name}:`),
      });
      const fits = { ...place, [name]: 'x'.repeat(128) };
      assert.deepEqual(vault.decrypt(fits, vault.encrypt(fits, bytes('x'))), bytes('x'));
    }
  });

  test('has a nonce and an id of its own, over many seals', async (t) => {
    const vault = await (await newProfile(t, 'memory')).open();
    const nonces = new Set<string>();
    const ids = new Set<string>();
    for (let count = 0; count < 20_000; count++) {
      const { id, ciphertext } = vault.encrypt(place, bytes('x'));
      ids.add(id);
      nonces.add(Buffer.from(ciphertext, 'base64').toString('hex', 12, 24));
    }
    assert.equal(nonces.size, 20_000);
    assert.equal(ids.size, 20_000);
  });
});

describe('the digest key of a keyring', () => {
  test('is the same after a restart and a rotation, and differs between keyrings and vaults', async (t) => {
    const profile = await newProfile(t, 'memory');
    let vault = await profile.open();
    const key = vault.digestKey('default');
    assert.equal(key.length, 32);
    assert.notDeepEqual(vault.digestKey('second'), key);
    await vault.rotateKeys('default', 'operator');
    vault = await profile.open();
    assert.deepEqual(vault.digestKey('default'), key);
    assert.notDeepEqual((await (await newProfile(t, 'memory')).open()).digestKey('default'), key);
  });
});

describe('a new key', () => {
  test('is in the key set file and in the vault before its first handle is given out', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const appended: string[] = [];
    const vault = await profile.open({
      appendKeys: (_present, added) => {
        appended.push(...added);
        throw new Error('the disk is gone');
      },
    });
    assert.throws(() => vault.encrypt({ ...place, tenant: 't1' }, bytes('x')), /the disk is gone/);
    assert.equal(appended.length, 1);
    assert.deepEqual(vault.decrypt(place, vault.encrypt(place, bytes('x'))), bytes('x'));
    assert.throws(() => vault.encrypt({ ...place, tenant: 't1' }, bytes('x')), /the disk is gone/);
  });

  test('survives the loss of either copy of the key set', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let vault = await profile.open();
    const handle = vault.encrypt({ ...place, tenant: 't1' }, bytes('x'));
    profile.close();
    rmSync(profile.keysetPath);
    vault = await profile.open();
    assert.deepEqual(vault.decrypt(place, handle), bytes('x'));
  });

  test('that reached the file and not the vault is in both after the next unlock', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const { appendToKeysetFile } = await import('../../daemon/keys/keyset-file.ts');
    const failing = { now: false };
    const vault = await profile.open({
      appendKeys: (present, added) => {
        if (failing.now) throw new Error('killed before the file was cut back');
        appendToKeysetFile(profile.keysetPath, present, added);
        failing.now = true;
      },
      wrapStore: (store) => ({
        ...store,
        commit: (changes, root) => {
          if (failing.now) throw new Error('killed between file and vault');
          store.commit(changes, root);
        },
      }),
    });
    await assert.rejects(vault.rotateKeys('default', 'operator'), /killed/);
    profile.close();
    const lines = (): number =>
      withRawFile(
        profile.file,
        (db) => db.prepare<[], number>('select count(*) from keyset').pluck().get() ?? 0,
      );
    const before = lines();
    const mended = await profile.open();
    assert.equal(mended.stats().activeKey, `hush:${mended.vaultId}:default:v2`);
    profile.close();
    // The new key, and the end of the old one, which sealed nothing.
    assert.equal(lines(), before + 2);
  });
});
