import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';

import { createCryptoProvider, LocalCryptoProvider, type HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { recordsIn, utf8 } from './facts.ts';

const place = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const plaintext = (): Uint8Array<ArrayBuffer> => utf8('a value');

type Handle = Awaited<ReturnType<typeof encrypt>>;

const encrypt = async (client: HushClient, tenant?: string, keyring = 'default') =>
  (await client.call('crypto.encrypt', { ...place, keyring, tenant, plaintext: plaintext() })).handle;

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error instanceof HushError ? error.code : String(error)),
  );

/** The tenants of which the key set's file holds keys, one a key. */
const tenantsIn = (home: TestHome): string[] =>
  readFileSync(home.profile().keyset, 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line) as { tenant?: string; type: string })
    .flatMap(({ type, tenant }) => (type === 'key' && tenant !== undefined && tenant !== '' ? [tenant] : []));

const grants = (...lines: string[]): string =>
  `[clients.app]\nuid = ${process.getuid?.()}\n[profiles.default]\nmax_tenants = 20\n` +
  `[profiles.default.grants.app]\n${lines.join('\n')}\n`;

/** Goes over to other grants for the clients that are connected. */
async function reload(daemon: TestDaemon, home: TestHome, toml: string, generation: number): Promise<void> {
  home.configure(toml);
  daemon.signal('SIGHUP');
  await daemon.logged(`"generation":${generation}`);
}

describe('keys of tenants', () => {
  test('many first encrypts of one tenant at once make one key', async (t) => {
    const { daemon, client, home } = await startUnlocked(t);
    const others = await Promise.all([daemon.connect(), daemon.connect()]);
    const handles = await Promise.all(
      [client, ...others].flatMap((one) => Array.from({ length: 30 }, () => encrypt(one, 'acme'))),
    );
    assert.deepEqual(new Set(handles.map(({ kmsKeyId }) => kmsKeyId)).size, 1);
    assert.deepEqual(tenantsIn(home), ['acme']);
  });

  test('a tenant that the grant does not name gets no key, one that it names does', async (t) => {
    const { client, home } = await startUnlocked(
      t,
      grants('unlock = true', "crypto = [{ match = 'default/mail/*', tenants = ['', 'acme'] }]"),
    );
    assert.equal(await codeOf(encrypt(client, 'other')), 'ACCESS_DENIED');
    assert.equal(await codeOf(encrypt(client, 'acme', 'second')), 'ACCESS_DENIED');
    assert.deepEqual(tenantsIn(home), []);
    await encrypt(client, 'acme');
    assert.deepEqual(tenantsIn(home), ['acme']);
  });

  test('a flood of new tenants by a client that may name any ends at max_tenants, and hurts nobody else', async (t) => {
    const { client, home } = await startUnlocked(t, grants('unlock = true', "crypto = ['default/mail/*']"));
    const first = await encrypt(client, 'acme');
    const codes = await Promise.all(
      Array.from({ length: 300 }, (_, at) => codeOf(encrypt(client, `flood-${at}`))),
    );
    assert.equal(codes.filter((code) => code === 'ok').length, 19);
    assert.equal(codes.filter((code) => code === 'LIMIT_EXCEEDED').length, 281);
    assert.equal(tenantsIn(home).length, 20);
    await encrypt(client, 'acme');
    await encrypt(client);
    const { plaintext: opened } = await client.call('crypto.decrypt', { ...place, handle: first });
    assert.deepEqual(opened, plaintext());
  });
});

describe('shredding', () => {
  test('takes the right keys and an unlocked profile; each refusal is on record and changes nothing', async (t) => {
    const { daemon, client, home } = await startUnlocked(
      t,
      grants('unlock = true', 'lock = true', 'keys = false', "crypto = ['default/mail/*']"),
    );
    const handle = await encrypt(client, 'acme');
    const before = readFileSync(home.profile().keyset, 'utf8');
    const shred = () => client.call('keys.shred', { tenant: 'acme' });
    await assert.rejects(shred(), { code: 'ACCESS_DENIED' });
    await assert.rejects(client.call('keys.reopen', { tenant: 'acme' }), { code: 'ACCESS_DENIED' });
    assert.equal(readFileSync(home.profile().keyset, 'utf8'), before);
    assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle })), 'ok');
    const denied = recordsIn(home.profile().audit).filter(({ event }) => event === 'keys.shred');
    assert.deepEqual(
      denied.map(({ outcome, key, code }) => [outcome, key, code]),
      [['denied', 'tenant acme', 'ACCESS_DENIED']],
    );
    await reload(daemon, home, grants('unlock = true', 'lock = true', 'keys = true'), 2);
    await client.lock();
    await assert.rejects(shred(), { code: 'LOCKED' });
    await client.unlock([passphraseCredential()]);
    for (const tenant of ['', 'x'.repeat(129)]) {
      await assert.rejects(client.call('keys.shred', { tenant }), { code: 'BAD_REQUEST' });
    }
    await assert.rejects(client.call('keys.shred', { tenant: 'nobody' }), { code: 'NOT_FOUND' });
    await assert.rejects(client.call('keys.shred', { tenant: 'acme', keyring: 'no' }), { code: 'NOT_FOUND' });
    assert.equal((await shred()).keys, 1);
  });

  test('A7: the key set of before, put back, is noticed, and brings no destroyed key back', async (t) => {
    const { client, home } = await startUnlocked(t);
    const handle = await encrypt(client, 'acme');
    const { keyset } = home.profile();
    cpSync(keyset, `${keyset}.old`);
    await client.call('keys.shred', { tenant: 'acme' });
    await client.lock();
    cpSync(`${keyset}.old`, keyset);
    const refusal = await client.unlock([passphraseCredential()]).catch((error: unknown) => error);
    assert.ok(refusal instanceof HushError && refusal.code === 'ROLLBACK', String(refusal));
    const id = /--accept-rollback (\S+)/.exec(`${refusal.message} ${refusal.hint}`)?.[1];
    assert.ok(id, refusal.message);
    await client.unlock([passphraseCredential()], { acceptRollback: id });
    assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle })), 'KEY_DESTROYED');
    assert.equal(await codeOf(encrypt(client, 'acme')), 'KEY_DESTROYED');
    assert.doesNotMatch(readFileSync(keyset, 'utf8'), /"tenant":"acme","version":1,"wrapped":"[^"]/);
  });

  test('stays after a restart, a rotation of keys, and a kill right after it was acknowledged', async (t) => {
    const home = makeHome(t);
    await home.init();
    let daemon = await startDaemon(t, home);
    let client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    const gone = await encrypt(client, 'acme');
    const kept = await encrypt(client, 'other');
    await client.call('keys.shred', { tenant: 'acme' });
    for (let round = 0; round < 3; round++) {
      await daemon.kill();
      daemon = await startDaemon(t, home);
      client = await daemon.connect();
      await client.unlock([passphraseCredential()]);
      await client.call('keys.rotate', {});
      assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle: gone })), 'KEY_DESTROYED');
      assert.equal(await codeOf(client.call('crypto.rotate', { ...place, handle: gone })), 'KEY_DESTROYED');
      assert.equal(await codeOf(encrypt(client, 'acme')), 'KEY_DESTROYED');
      assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle: kept })), 'ok');
    }
    assert.deepEqual(tenantsIn(home).filter((tenant) => tenant === 'acme').length, 1);
  });
});

describe('handles that do not belong', () => {
  test('each meets its own named error, at decrypt and rotate, and the key set stays as it is', async (t) => {
    const { client, home } = await startUnlocked(t);
    await home.init('work');
    await client.call('unlock', { profile: 'work', credentials: [passphraseCredential()] });
    const stranger = (await startUnlocked(t)).client;
    const own = await encrypt(client, 'acme');
    await encrypt(client, 'other');
    await encrypt(client, 'acme', 'second');
    const foreign = await encrypt(stranger, 'acme');
    const local = await new LocalCryptoProvider({ key: new Uint8Array(32).fill(3) }).encrypt('x', {
      namespace: place.namespace,
      key: place.key,
      tenantId: 'acme',
    });
    const bytes = Buffer.from(own.ciphertext, 'base64');
    const cut = (length: number): Handle => ({ ...own, ciphertext: bytes.toString('base64', 0, length) });
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(5) ^ 0x7f, 5);
    const cases: [string, object, Handle, string, RegExp][] = [
      ['another profile', { profile: 'work' }, own, 'INTEGRITY', /sealed by another vault/],
      ['another daemon', {}, foreign, 'INTEGRITY', /sealed by another vault/],
      ['another tenant', { tenant: 'other' }, own, 'INTEGRITY', /another tenant/],
      ['another keyring', { keyring: 'second' }, own, 'INTEGRITY', /of the keyring default, not of second/],
      [
        'a keyring without keys',
        { keyring: 'third' },
        own,
        'INTEGRITY',
        /of the keyring default, not of third/,
      ],
      ['another place', { key: 'other' }, own, 'INTEGRITY', /tampered with/],
      ['another id', {}, { ...own, id: `sec_${'0'.repeat(32)}` }, 'INTEGRITY', /tampered with/],
      ['no base64', {}, { ...own, ciphertext: '%%%%' }, 'INTEGRITY', /tampered with/],
      [
        'a key that never was',
        {},
        { ...own, ciphertext: flipped.toString('base64') },
        'INTEGRITY',
        /never was a key/,
      ],
      ['a local key', {}, local, 'WRONG_KEY', /sealed by a local key/],
      ...[1, 6, 11, 15, 30, bytes.length - 1].map((length): [string, object, Handle, string, RegExp] => [
        `cut to ${length}`,
        {},
        cut(length),
        'INTEGRITY',
        /tampered with/,
      ]),
    ];
    const before = readFileSync(home.profile().keyset, 'utf8');
    for (const [what, where, handle, code, message] of cases) {
      for (const op of ['crypto.decrypt', 'crypto.rotate'] as const) {
        await assert.rejects(
          client.call(op, { ...place, ...where, handle }),
          { code, message },
          `${op}: ${what}`,
        );
      }
    }
    assert.equal(readFileSync(home.profile().keyset, 'utf8'), before);
    assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle: own })), 'ok');
  });
});

describe('adopting', () => {
  const oldKey = (): Uint8Array<ArrayBuffer> => new Uint8Array(new ArrayBuffer(32)).fill(3);
  const local = (tenantId?: string) =>
    new LocalCryptoProvider({ key: oldKey() }).encrypt('a value', {
      namespace: place.namespace,
      key: place.key,
      ...(tenantId === undefined ? {} : { tenantId }),
    });

  test('takes the right to seal for the tenant that the handle or the request names', async (t) => {
    const { client, daemon, home } = await startUnlocked(
      t,
      grants('unlock = true', "crypto = [{ match = 'default/mail/*', tenants = ['acme'] }]"),
    );
    const adopt = (handle: Handle, where: object = {}) =>
      codeOf(client.call('crypto.adopt', { ...place, ...where, handle, oldKey: oldKey() }));
    assert.equal(await adopt(await local('acme')), 'ok');
    assert.equal(await adopt(await local('other')), 'ACCESS_DENIED');
    assert.equal(await adopt(await local()), 'ACCESS_DENIED');
    assert.equal(await adopt(await local('acme'), { namespace: 'web' }), 'ACCESS_DENIED');
    assert.deepEqual(tenantsIn(home), ['acme']);
    await reload(daemon, home, grants('unlock = true', "crypto = ['default/mail/*']"), 2);
    assert.equal(await adopt(await local('acme'), { tenant: 'other' }), 'INTEGRITY');
    assert.equal(await adopt(await local()), 'ok');
  });

  test('refuses a wrong key, a key of another length, a tampered handle, and one of the daemon', async (t) => {
    const { client } = await startUnlocked(t);
    const handle = await local('acme');
    const adopt = (params: object) =>
      codeOf(client.call('crypto.adopt', { ...place, handle, oldKey: oldKey(), ...params }));
    assert.equal(await adopt({ oldKey: new Uint8Array(32).fill(4) }), 'WRONG_KEY');
    for (const length of [0, 31, 33])
      assert.equal(await adopt({ oldKey: new Uint8Array(length) }), 'BAD_REQUEST');
    assert.equal(await adopt({ key: 'other' }), 'INTEGRITY');
    assert.equal(
      await adopt({ handle: { ...handle, ciphertext: handle.ciphertext.slice(0, 40) } }),
      'INTEGRITY',
    );
    assert.equal(await adopt({ handle: await encrypt(client, 'acme') }), 'EXISTS');
    await client.call('keys.shred', { tenant: 'acme' });
    assert.equal(await adopt({}), 'KEY_DESTROYED');
  });

  test('opens what the platform’s default provider sealed: nonce, tag, ciphertext, under the key itself', async (t) => {
    const { client } = await startUnlocked(t);
    const { createCipheriv, randomBytes } = await import('node:crypto');
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', oldKey(), nonce);
    cipher.setAAD(Buffer.from(`${place.namespace}|${place.key}`));
    const sealed = Buffer.concat([cipher.update('a value'), cipher.final()]);
    const handle = {
      id: `sec_${'ab'.repeat(16)}`,
      kmsKeyId: 'local:v1',
      alg: 'aes-256-gcm',
      version: 3,
      ciphertext: Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64'),
    };
    const adopt = (params: object = {}) =>
      client.call('crypto.adopt', { ...place, tenant: 'acme', handle, oldKey: oldKey(), ...params });
    const adopted = (await adopt()).handle;
    assert.deepEqual([adopted.id, adopted.version], [handle.id, 4]);
    const { plaintext: opened } = await client.call('crypto.decrypt', {
      ...place,
      tenant: 'acme',
      handle: adopted,
    });
    assert.deepEqual(opened, plaintext());
    assert.equal(await codeOf(adopt({ oldKey: new Uint8Array(32) })), 'WRONG_KEY');
    assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle })), 'WRONG_KEY');
  });
});

describe('rotateKey of the platform’s provider', () => {
  test('gives the same id, the next version and the newest key after a rotation', async (t: TestContext) => {
    const { client, home } = await startUnlocked(t);
    const provider = await createCryptoProvider({ socket: home.paths.socket, env: {} });
    t.after(() => {
      provider.close();
    });
    const context = { namespace: 'mail', key: 'smtp', tenantId: 'acme' };
    const first = await provider.encrypt('a value', context);
    await client.call('keys.rotate', {});
    const second = await provider.rotateKey(first, { namespace: 'mail', key: 'smtp' });
    assert.deepEqual(
      [second.id, second.version, second.kmsKeyId],
      [first.id, 2, first.kmsKeyId.replace(/v1$/, 'v2')],
    );
    for (const handle of [first, second]) assert.equal(await provider.decrypt(handle, context), 'a value');
    await client.call('keys.shred', { tenant: 'acme' });
    for (const handle of [first, second]) {
      await assert.rejects(provider.rotateKey(handle, context), { code: 'KEY_DESTROYED' });
    }
  });
});
