import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cryptoProviderFromEnv, LocalCryptoProvider } from '../../client/index.ts';
import { makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';
import { coded } from './coded.ts';
import { ask } from './local/ask.ts';

const mail = { namespace: 'mail', key: 'token' };
const OS_SECRET_KEY = '07'.repeat(32);
const local = new LocalCryptoProvider({ env: { OS_SECRET_KEY } });

describe('the crypto provider of the environment', () => {
  test('is the local one where no socket is configured', async () => {
    const names = ['HUSH_PROFILE', 'HUSH_DAEMON_UID', 'HUSH_SOCKET', 'HUSH_HOME'];
    for (const unset of names) {
      const provider = await cryptoProviderFromEnv({ env: { OS_SECRET_KEY, [unset]: '' } });
      assert(provider instanceof LocalCryptoProvider);
      assert.equal(provider.kmsKeyId, local.kmsKeyId);
    }
    const answered = await ask({ OS_SECRET_KEY, NODE_ENV: 'production', XDG_RUNTIME_DIR: '/run' });
    assert.deepEqual([answered.kmsKeyId, answered.stderr], [local.kmsKeyId, '']);
    const stable = await cryptoProviderFromEnv({ env: { OS_SECRET_KEY }, ephemeralKeyForTests: true });
    assert('kmsKeyId' in stable && stable.kmsKeyId === local.kmsKeyId, 'a stable key goes first');
  });

  test('is the daemon where a socket is configured, and nothing else when that one is down or locked', async (t) => {
    const home = makeHome(t);
    const vaultId = await home.init();
    const socket = home.paths.socket;
    const configured: readonly Record<string, string>[] = [
      { HUSH_SOCKET: socket },
      { HUSH_HOME: home.folder },
    ];
    for (const env of configured) {
      const down = await ask({
        ...env,
        OS_SECRET_KEY,
        NODE_ENV: 'development',
        HOME: join(home.folder, 'home'),
      });
      assert.deepEqual([down.code, down.stderr], ['UNREACHABLE', '']);
    }
    const daemon = await startDaemon(t, home);
    const locked = cryptoProviderFromEnv({ env: { HUSH_SOCKET: socket, OS_SECRET_KEY } });
    await assert.rejects(locked, coded('LOCKED'));
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    for (const env of configured) assert.equal((await ask({ ...env, OS_SECRET_KEY })).vaultId, vaultId);

    const provider = await cryptoProviderFromEnv({ socket, env: {}, deadlineMs: 20_000 });
    t.after(() => {
      provider.close();
    });
    await t.test('and then a local handle is refused by name, and the error names the way on', async () => {
      const handle = await local.encrypt('value', mail);
      for (const given of [handle, { ...handle, kmsKeyId: 'hush:hint' }, { ...handle, ciphertext: 'AAAA' }]) {
        for (const call of [provider.decrypt(given, mail), provider.rotateKey(given, mail)]) {
          await assert.rejects(call, (error: { hint: string }) => {
            assert.equal(error.hint, 'hush keys adopt --stdin');
            return coded('WRONG_KEY', /^hushd: the handle was sealed by a local key/)(error);
          });
        }
      }
    });

    await t.test('and its own handles are refused by the local provider', async () => {
      const handle = await provider.encrypt('value', mail);
      await assert.rejects(local.decrypt(handle, mail), coded('WRONG_KEY', /sealed by the daemon/));
      assert.equal(await provider.decrypt({ ...handle, kmsKeyId: 'local:v1' }, mail), 'value');
    });
  });

  test('refuses an ephemeral key in production even where a daemon is configured', async () => {
    const env = { NODE_ENV: 'production', HUSH_SOCKET: '/nowhere' };
    await assert.rejects(
      cryptoProviderFromEnv({ env, ephemeralKeyForTests: true }),
      coded('NO_STABLE_KEY', /NODE_ENV is production/),
    );
    const provider = await cryptoProviderFromEnv({ env: { NODE_ENV: 'test' }, ephemeralKeyForTests: true });
    assert.equal(await provider.decrypt(await provider.encrypt('value', mail), mail), 'value');
  });
});
