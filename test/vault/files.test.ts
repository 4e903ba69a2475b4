import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import OriginalSqlcipher from '@signalapp/sqlcipher';

import { parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import { smallFolder } from '../stores/files.ts';
import { newProfile, roomyCache } from './profile.ts';

const at = (name: string): SecretPath => parseSecretPath(`ws:recognisable-id/${name}`);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A text in each form in which it could stand in a file. */
const formsOf = (text: string): Buffer[] => [
  Buffer.from(text),
  Buffer.from(text, 'utf16le'),
  Buffer.from(Buffer.from(text).toString('hex')),
  Buffer.from(Buffer.from(text).toString('base64').slice(0, -4)),
];

const codeOf = (call: () => unknown): string => {
  try {
    call();
    return 'done';
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error, String(error));
    return String(error.code);
  }
};

describe('the files of a vault', () => {
  test('hold no name and no value, neither while it is open nor after', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const vault = await profile.open({ cache: roomyCache });
    const [name, value] = ['unmistakable-name', 'unmistakable-value'];
    vault.set(at(name), bytes(value));
    vault.set(at(name), bytes(`${value} again`));
    vault.set(at('other'), bytes(value.repeat(500)));
    vault.remove(at('other'));
    vault.encrypt({ keyring: 'default', namespace: name, key: name }, bytes(value));
    const check = (): void => {
      const folder = dirname(profile.file.path);
      for (const file of readdirSync(folder)) {
        const content = readFileSync(join(folder, file));
        for (const form of [name, value, 'recognisable-id'].flatMap(formsOf)) {
          assert.ok(!content.includes(form), `${file} holds ${form.toString()}`);
        }
      }
    };
    assert.ok(readdirSync(dirname(profile.file.path)).includes('vault.db-wal'));
    check();
    profile.close();
    check();
  });

  test('show nothing but sealed bytes to the original SQLCipher with the derived key, and nothing without', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    (await profile.open()).set(at('name'), bytes('value'));
    profile.close();
    const read = (key: Uint8Array): unknown => {
      const db = new OriginalSqlcipher(profile.file.path);
      db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      try {
        return db.prepare('select count(*) from secret', { pluck: true }).get();
      } finally {
        db.close();
      }
    };
    assert.equal(read(profile.file.key), 1);
    assert.throws(() => read(randomBytes(32)));
  });

  test('B2: a full disk refuses a change by name, loses none that was acknowledged, and serves again', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('only root can mount the small file system that this needs');
      return;
    }
    const folder = smallFolder(t, '1m');
    const profile = await newProfile(t, 'SQLCipher', folder);
    const ballast = join(folder, 'ballast');
    writeFileSync(ballast, randomBytes(300_000));
    let vault = await profile.open({ cache: roomyCache });
    const kept = new Map<string, Uint8Array>();
    let failed = '';
    for (let count = 0; failed === ''; count++) {
      const name = `n${count % 40}`;
      const value = new Uint8Array(randomBytes(8_000));
      try {
        vault.set(at(name), value);
        kept.set(name, value);
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error);
        assert.equal(error.code, 'UNAVAILABLE');
        assert.match(error.message, /profiles\/test\/vault\.db: the disk is full/);
        failed = name;
      }
    }
    const tenant = { keyring: 'default', namespace: 'n', key: 'k', tenant: 't1' };
    // Something small may still fit into pages that the file has already: then it is done, and not half done.
    const asked = [codeOf(() => vault.encrypt(tenant, bytes('x'))), codeOf(() => vault.remove(at('n0')))];
    for (const code of asked) assert.ok(code === 'UNAVAILABLE' || code === 'done', code);
    if (asked[1] === 'done') kept.delete('n0');
    const checkAll = (): void => {
      assert.equal(vault.stats().secrets, kept.size);
      for (const [name, value] of kept) assert.deepEqual(vault.get(at(name)).value, value);
    };
    checkAll();
    rmSync(ballast);
    vault.set(at(failed), bytes('there is space again'));
    kept.set(failed, bytes('there is space again'));
    const handle = vault.encrypt(tenant, bytes('x'));
    checkAll();
    vault = await profile.open();
    checkAll();
    assert.deepEqual(vault.decrypt(tenant, handle), bytes('x'));
  });

  test('whose state nobody knows after a failed commit are not served until they are opened again', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const failing = { now: false };
    let vault = await profile.open({
      cache: roomyCache,
      wrapStore: (store) => ({
        ...store,
        commit: (changes, root) => {
          store.commit(changes, root);
          if (failing.now) throw new Error('the disk answered with an error after it had written');
        },
      }),
    });
    vault.set(at('a'), bytes('before'));
    vault.get(at('a'));
    failing.now = true;
    assert.throws(() => vault.set(at('a'), bytes('after')), /the disk answered/);
    for (const call of [
      () => vault.get(at('a')),
      () => vault.set(at('a'), bytes('x')),
      () => vault.remove(at('a')),
      () => vault.list({ limit: 1, visible: () => true }),
      () => vault.encrypt({ keyring: 'default', namespace: 'n', key: 'k' }, bytes('x')),
    ]) {
      assert.throws(call, { code: 'UNAVAILABLE', hint: 'hush lock, then hush unlock' });
    }
    vault = await profile.open();
    assert.deepEqual(vault.get(at('a')).value, bytes('after'));
  });
});
