import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { openEnrolledStore, type EnrolledStore } from '../../daemon/enrolled/store.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { parseDaemonKey } from '../../noise/daemon-key.ts';
import { mostClients, parseClients, writeClients } from '../../noise/enrolled.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import type { HushError } from '../../protocol/errors.ts';

interface Place {
  readonly clientsPath: string;
  readonly keyPath: string;
  readonly faults: HushError[];
  open(): EnrolledStore;
}

function place(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-enrolled-'));
  const arena = createSecureArena({ bytes: 64 * 1024 });
  t.after(() => {
    arena.close();
    rmSync(folder, { recursive: true });
  });
  const clientsPath = join(folder, 'clients');
  const keyPath = join(folder, 'noise-key');
  const faults: HushError[] = [];
  const onFault = (error: HushError): void => void faults.push(error);
  return {
    clientsPath,
    keyPath,
    faults,
    open: () => openEnrolledStore({ clientsPath, keyPath, arena, onFault }),
  };
}

const publicKey = (): Uint8Array => publicKeyOf(newPrivateKey());
const namesOf = (store: EnrolledStore): string[] => store.all().map(({ name }) => name);

describe('the enrolled clients of a daemon', () => {
  test('there are none, and no key, until the first is enrolled; both outlive the daemon, in files of mode 0600', (t) => {
    const { open, clientsPath, keyPath, faults } = place(t);
    const store = open();
    assert.deepEqual(store.all(), []);
    assert.equal(store.staticKey(), undefined);
    assert.ok(!existsSync(clientsPath) && !existsSync(keyPath));

    const app = publicKey();
    const daemonKey = store.add({ name: 'app', publicKey: app, by: 'owner' });
    assert.deepEqual(store.add({ name: 'ci', publicKey: publicKey(), by: 'operator:0' }), daemonKey);
    for (const path of [clientsPath, keyPath]) assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(parseDaemonKey(readFileSync(keyPath)).publicKey, daemonKey);
    assert.deepEqual(
      parseClients(readFileSync(clientsPath)).map(({ name, by }) => [name, by]),
      [
        ['app', 'owner'],
        ['ci', 'operator:0'],
      ],
    );

    const again = open();
    assert.deepEqual(namesOf(again), ['app', 'ci']);
    assert.equal(again.withKey(app)?.name, 'app');
    assert.deepEqual(again.staticKey()?.public, daemonKey);
    assert.deepEqual(publicKeyOf(again.staticKey()?.private.bytes ?? assert.fail()), daemonKey);
    assert.deepEqual(faults, []);
  });

  test('a removed one is known no more, and its name and key are free again', (t) => {
    const { open } = place(t);
    const store = open();
    const key = publicKey();
    store.add({ name: 'app', publicKey: key, by: 'owner' });
    const before = store.names();
    assert.equal(store.remove('app').name, 'app');
    assert.notEqual(store.names(), before);
    assert.equal(store.withKey(key), undefined);
    assert.throws(() => store.remove('app'), { code: 'NOT_FOUND' });
    store.add({ name: 'app', publicKey: key, by: 'owner' });
    assert.deepEqual(namesOf(open()), ['app']);
  });

  test('a name or key that is taken, a reserved or malformed name, and what is no public key are refused, and nothing changes', (t) => {
    const { open, clientsPath } = place(t);
    const store = open();
    const key = publicKey();
    store.add({ name: 'app', publicKey: key, by: 'owner' });
    const before = readFileSync(clientsPath);
    const refusals: readonly (readonly [string, Uint8Array, string])[] = [
      ['app', publicKey(), 'EXISTS'],
      ['other', key, 'EXISTS'],
      ['owner', publicKey(), 'INVALID_NAME'],
      ['a b', publicKey(), 'INVALID_NAME'],
      ['', publicKey(), 'INVALID_NAME'],
      ['zero', new Uint8Array(32), 'BAD_REQUEST'],
      ['short', new Uint8Array(31), 'BAD_REQUEST'],
    ];
    for (const [name, publicKeyOfIt, code] of refusals) {
      assert.throws(() => store.add({ name, publicKey: publicKeyOfIt, by: 'owner' }), { code }, name);
    }
    assert.deepEqual(readFileSync(clientsPath), before);
    assert.deepEqual(namesOf(store), ['app']);
  });

  test(`there are at most ${mostClients} of them`, (t) => {
    const { open, clientsPath, keyPath } = place(t);
    open().add({ name: 'first', publicKey: publicKey(), by: 'owner' });
    const clients = Array.from({ length: mostClients }, (_, index) => ({
      name: `c${index}`,
      public: Buffer.from(publicKey()).toString('hex'),
      createdAt: '2026-01-01T00:00:00.000Z',
      by: 'owner',
    }));
    writeFileSync(clientsPath, writeClients(clients));
    const store = open();
    assert.ok(existsSync(keyPath));
    assert.throws(() => store.add({ name: 'late', publicKey: publicKey(), by: 'owner' }), {
      code: 'LIMIT_EXCEEDED',
    });
  });

  test('a damaged file of clients ends the start by name, and is never replaced', (t) => {
    const { open, clientsPath } = place(t);
    open().add({ name: 'app', publicKey: publicKey(), by: 'owner' });
    const whole = readFileSync(clientsPath);
    writeFileSync(clientsPath, whole.subarray(0, -1));
    assert.throws(open, { code: 'DAMAGED', message: /clients/ });
    assert.deepEqual(readFileSync(clientsPath), whole.subarray(0, -1));
    writeFileSync(clientsPath, whole);
    chmodSync(clientsPath, 0o644);
    assert.throws(open, { code: 'UNSAFE_MODE' });
  });

  test('a lost or damaged key is told and never made anew while anybody knows it', (t) => {
    const { open, keyPath, faults } = place(t);
    open().add({ name: 'app', publicKey: publicKey(), by: 'owner' });
    const whole = readFileSync(keyPath);
    const damages: readonly (() => void)[] = [
      () => rmSync(keyPath),
      () => writeFileSync(keyPath, whole.subarray(0, 100), { mode: 0o600 }),
    ];
    for (const damage of damages) {
      damage();
      faults.length = 0;
      const store = open();
      assert.equal(faults.length, 1);
      assert.equal(faults[0]?.code, 'DAMAGED');
      assert.throws(() => store.staticKey(), { code: 'DAMAGED' });
      assert.throws(() => store.add({ name: 'b', publicKey: publicKey(), by: 'owner' }), { code: 'DAMAGED' });
      assert.deepEqual(namesOf(store), ['app'], 'who is enrolled is known all the same');
    }
    rmSync(keyPath);
    const store = open();
    store.remove('app');
    store.add({ name: 'app', publicKey: publicKey(), by: 'owner' });
    assert.notDeepEqual(readFileSync(keyPath), whole, 'once nobody knows the old one there may be another');
  });

  test('when it is closed the private key is wiped', (t) => {
    const { open } = place(t);
    const store = open();
    store.add({ name: 'app', publicKey: publicKey(), by: 'owner' });
    const { bytes } = store.staticKey()?.private ?? assert.fail();
    assert.ok(bytes.some((byte) => byte !== 0));
    store.close();
    assert.ok(bytes.every((byte) => byte === 0));
    assert.equal(store.staticKey(), undefined);
  });
});
