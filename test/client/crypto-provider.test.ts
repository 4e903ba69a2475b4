import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type {
  CryptoContext as PlatformContext,
  CryptoHandle as PlatformHandle,
  ICryptoProvider as PlatformProvider,
} from '@objectstack/spec/contracts';
import fc from 'fast-check';
import { HushError, createCryptoProvider } from '../../client/index.ts';
import type {
  CryptoContext,
  CryptoHandle,
  CryptoProviderOptions,
  HushCryptoProvider,
  ICryptoProvider,
} from '../../client/index.ts';
import { makeHome, passphraseCredential, startDaemon, startUnlocked } from '../support/daemon.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { coded } from './coded.ts';

const mail: CryptoContext = { namespace: 'mail', key: 'token' };

async function providerOf(
  t: TestContext,
  daemon: TestDaemon,
  options: CryptoProviderOptions = {},
): Promise<HushCryptoProvider> {
  const provider = await createCryptoProvider({
    socket: daemon.socket,
    env: {},
    deadlineMs: 20_000,
    ...options,
  });
  t.after(() => {
    provider.close();
  });
  return provider;
}

const told = (provider: HushCryptoProvider, event: 'disconnect' | 'reconnect'): Promise<void> =>
  new Promise((resolve) => {
    const stop = provider.on(event, () => {
      stop();
      resolve();
    });
  });

const unlock = async (daemon: TestDaemon): Promise<void> => {
  const client = await daemon.connect();
  await client.unlock([passphraseCredential()]);
  client.close();
};

/** Both types are assignable to one another, so neither asks for more nor promises less. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;
const sameTypes: [
  Same<ICryptoProvider, PlatformProvider>,
  Same<CryptoHandle, PlatformHandle>,
  Same<CryptoContext, PlatformContext>,
] = [true, true, true];

describe("the platform's crypto provider", () => {
  test('with a daemon that serves', async (t) => {
    const { daemon } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);

    await t.test('has the type that the platform publishes', () => {
      const platformProvider: PlatformProvider = provider;
      const members = ['close', 'decrypt', 'digest', 'encrypt', 'on', 'rotateKey', 'vaultId'];
      assert.deepEqual(Object.keys(platformProvider).sort(), members);
      assert.deepEqual(sameTypes, [true, true, true]);
    });

    await t.test('gives back every string as it was: empty, JSON, PEM, a megabyte, any Unicode', async () => {
      const pem = `-----BEGIN PRIVATE KEY-----\n${'QUJD'.repeat(2000)}\n-----END PRIVATE KEY-----\n`;
      for (const plain of ['', '{"a":1}', pem, '\uFEFFmark', 'ключ 🔑 \0', 'x'.repeat(1_048_576)]) {
        const handle = await provider.encrypt(plain, { ...mail, tenantId: 't1' });
        assert.match(handle.id, /^sec_[0-9a-f]{32}$/);
        assert(handle.kmsKeyId.length <= 256 && handle.kmsKeyId.startsWith(`hush:${provider.vaultId}:`));
        assert.equal(handle.alg, 'aes-256-gcm');
        assert.equal(await provider.decrypt(handle, mail), plain);
      }
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (plain) => {
          assert.equal(await provider.decrypt(await provider.encrypt(plain, mail), mail), plain);
        }),
        { numRuns: 30 },
      );
    });

    await t.test(
      'opens with columns that are only hints, and with no column that is another handle’s',
      async () => {
        const handle = await provider.encrypt('one', mail);
        const other = await provider.encrypt('two', mail);
        const row = { ...handle, version: 7, kmsKeyId: 'hush:hint', namespace: 'mail' };
        assert.equal(await provider.decrypt(row, mail), 'one');
        await assert.rejects(
          provider.decrypt({ ...handle, ciphertext: other.ciphertext }, mail),
          coded('INTEGRITY'),
        );
        await assert.rejects(provider.decrypt(handle, { ...mail, key: 'other' }), coded('INTEGRITY'));
        await assert.rejects(provider.decrypt(handle, { ...mail, namespace: 'other' }), coded('INTEGRITY'));
      },
    );

    await t.test(
      'needs no tenant to open, and refuses another one than the value was sealed for',
      async () => {
        const handle = await provider.encrypt('value', { ...mail, tenantId: 't1' });
        assert.equal(await provider.decrypt(handle, mail), 'value');
        assert.equal(await provider.decrypt(handle, { ...mail, tenantId: 't1' }), 'value');
        await assert.rejects(provider.decrypt(handle, { ...mail, tenantId: 't2' }), HushError);
      },
    );

    await t.test(
      'refuses by name, before anything is sent, what could not be stored or would not come back',
      async () => {
        await assert.rejects(provider.encrypt('\uD800', mail), coded('BAD_REQUEST', /hushd: the plaintext/));
        await assert.rejects(
          provider.encrypt('v', { namespace: 'n'.repeat(129), key: 'k' }),
          coded('BAD_REQUEST', /namespace/),
        );
        await assert.rejects(
          provider.encrypt('v', { namespace: 'n', key: '' }),
          coded('BAD_REQUEST', /key is empty/),
        );
        await assert.rejects(
          provider.encrypt('x'.repeat(1_048_577), mail),
          coded('TOO_LARGE', /1048577 bytes/),
        );
        const handle = await provider.encrypt('v', mail);
        await assert.rejects(
          provider.decrypt({ ...handle, version: 0 }, mail),
          coded('BAD_REQUEST', /handle\.version/),
        );
        // @ts-expect-error: what JavaScript callers may pass
        await assert.rejects(provider.decrypt(null, mail), coded('BAD_REQUEST', /no handle/));
        // @ts-expect-error: what JavaScript callers may pass
        await assert.rejects(provider.encrypt(7, mail), coded('BAD_REQUEST', /not a string/));
      },
    );
  });

  test('rotates to the same id and a higher version, and the old ciphertext still opens', async (t) => {
    const { daemon, client } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const handle = await provider.encrypt('value', { ...mail, tenantId: 't1' });
    await client.call('keys.rotate', {});
    const rotated = await provider.rotateKey(handle, mail);
    assert.equal(rotated.id, handle.id);
    assert(rotated.version > handle.version);
    assert.equal(rotated.kmsKeyId, `hush:${provider.vaultId}:default:v2`);
    assert.equal(await provider.decrypt(rotated, mail), 'value');
    assert.equal(await provider.decrypt(handle, mail), 'value');
    await assert.rejects(provider.rotateKey(handle, { ...mail, key: 'other' }), coded('INTEGRITY'));
  });

  test('digests synchronously, keyed, the same after rotation and restart, and when closed', async (t) => {
    const { daemon, client, home } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const digest = provider.digest('value');
    assert.match(digest, /^[0-9a-f]{64}$/);
    assert.notEqual(digest, provider.digest('other'));
    await client.call('keys.rotate', {});
    await daemon.stop();
    assert.equal(provider.digest('value'), digest);
    provider.close();
    assert.equal(provider.digest('value'), digest);
    assert.match(provider.digest('lone \uD800 surrogate'), /^[0-9a-f]{64}$/);
    const again = await startDaemon(t, home);
    await unlock(again);
    assert.equal((await providerOf(t, again)).digest('value'), digest);
  });

  test('is not made when the daemon is gone or locked, or another vault than the pinned one answers', async (t) => {
    const home = makeHome(t);
    const vaultId = await home.init();
    const options = { socket: home.paths.socket, env: {} };
    await assert.rejects(createCryptoProvider(options), coded('UNREACHABLE', /hushd/));
    const daemon = await startDaemon(t, home);
    await assert.rejects(createCryptoProvider(options), coded('LOCKED', /hushd: /));
    await unlock(daemon);
    const pin = 'f'.repeat(32);
    await assert.rejects(
      createCryptoProvider({ ...options, vaultId: pin }),
      coded('INTEGRITY', /another vault answers/),
    );
    assert.equal((await providerOf(t, daemon, { vaultId })).vaultId, vaultId);
  });

  test('proves itself where its grant allows, and says which grant is missing', async (t) => {
    const { daemon } = await startUnlocked(
      t,
      `[clients.platform]
      uid = ${process.geteuid?.() ?? -1}
      [profiles.default.grants.platform]
      crypto = ['default/mail/*']
      unlock = true`,
    );
    const asked = { socket: daemon.socket, env: {}, proof: { namespace: 'crm', key: 'proof' } };
    await assert.rejects(createCryptoProvider(asked), (error) => {
      assert(error instanceof HushError);
      assert.match(error.hint, /default\/crm\/proof/);
      return coded('ACCESS_DENIED', /proof/)(error);
    });
    await providerOf(t, daemon);
    const provider = await providerOf(t, daemon, { proof: { namespace: 'mail', key: 'proof' } });
    assert.equal(await provider.decrypt(await provider.encrypt('value', mail), mail), 'value');
    await assert.rejects(provider.encrypt('value', { namespace: 'crm', key: 'k' }), coded('ACCESS_DENIED'));
  });

  test('B7: fails at once while the daemon is down or locked, then works again and says so by itself', async (t) => {
    const { daemon, home } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const handle = await provider.encrypt('value', mail);
    const out = told(provider, 'disconnect');
    await daemon.kill();
    await out;
    await assert.rejects(provider.decrypt(handle, mail), coded('UNREACHABLE', /hushd/));
    const again = await startDaemon(t, home);
    await assert.rejects(provider.decrypt(handle, mail), coded('LOCKED'));
    const back = told(provider, 'reconnect');
    await unlock(again);
    await back;
    assert.equal(await provider.decrypt(handle, mail), 'value');
  });

  test('tells the end of an outage by lock, which drops no connection', async (t) => {
    const { daemon, client } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const handle = await provider.encrypt('value', mail);
    await client.lock();
    const back = told(provider, 'reconnect');
    await assert.rejects(provider.decrypt(handle, mail), coded('LOCKED'));
    await client.unlock([passphraseCredential()]);
    await back;
  });

  test('B7: of 50 calls in flight at a kill, none gives another one’s value', async (t) => {
    const { daemon, home } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const plains = Array.from({ length: 50 }, (_, n) => `value ${n}`);
    const handles = await Promise.all(plains.map((plain) => provider.encrypt(plain, mail)));
    const calls = Promise.allSettled(handles.map((handle) => provider.decrypt(handle, mail)));
    await daemon.kill();
    const results = await calls;
    results.forEach((result, n) => {
      if (result.status === 'fulfilled') assert.equal(result.value, plains[n]);
      else coded('UNREACHABLE')(result.reason);
    });
    await unlock(await startDaemon(t, home));
    const values = await Promise.all(handles.map((handle) => provider.decrypt(handle, mail)));
    assert.deepEqual(values, plains);
  });

  test('refuses another vault that answers after a reconnect, before it is given anything', async (t) => {
    const { daemon, home } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const handle = await provider.encrypt('value', mail);
    await daemon.stop();
    const otherHome = makeHome(t);
    await otherHome.init();
    const other = await startDaemon(t, otherHome, { env: { HUSH_SOCKET: home.paths.socket } });
    const client = await other.connect({ socket: home.paths.socket });
    await client.unlock([passphraseCredential()]);
    await assert.rejects(provider.decrypt(handle, mail), coded('INTEGRITY', /another vault answers/));
    await assert.rejects(provider.encrypt('value', mail), coded('INTEGRITY', /another vault answers/));
    await other.stop();
    await unlock(await startDaemon(t, home));
    assert.equal(await provider.decrypt(handle, mail), 'value');
  });

  test('says in no error where the daemon lives or what was sealed', async (t) => {
    const { daemon, client } = await startUnlocked(t);
    const provider = await providerOf(t, daemon);
    const handle = await provider.encrypt('hunter2', mail);
    const errors: HushError[] = [];
    const collect = (error: unknown): void => {
      assert(error instanceof HushError);
      errors.push(error);
    };
    await provider.decrypt(handle, { ...mail, key: 'other' }).catch(collect);
    await client.lock();
    await provider.encrypt('hunter2', mail).catch(collect);
    await daemon.stop();
    await provider.encrypt('hunter2', mail).catch(collect);
    await createCryptoProvider({ socket: daemon.socket, env: {} }).catch(collect);
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['INTEGRITY', 'LOCKED', 'UNREACHABLE', 'UNREACHABLE'],
    );
    for (const { message, hint, cause } of errors) {
      assert.match(message, /hushd/);
      assert.doesNotMatch(message + hint, /hunter2|\/tmp|\.sock/);
      assert.equal(cause, undefined);
    }
  });
});
