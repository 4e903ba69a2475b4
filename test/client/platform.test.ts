import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createCryptoProvider } from '../../client/index.ts';
import type { HushCryptoProvider } from '../../client/index.ts';
import { passphraseCredential, startDaemon, startUnlocked } from '../support/daemon.ts';
import type { TestDaemon, TestHome } from '../support/daemon.ts';
import { bootPlatform, rowOf, system } from './platform.ts';
import type { Platform } from './platform.ts';

interface Host {
  readonly daemon: TestDaemon;
  readonly home: TestHome;
  readonly provider: HushCryptoProvider;
  readonly platform: Platform;
}

async function host(t: TestContext): Promise<Host> {
  const { daemon, home } = await startUnlocked(t);
  const provider = await createCryptoProvider({ socket: daemon.socket, env: {} });
  t.after(() => {
    provider.close();
  });
  return { daemon, home, provider, platform: await bootPlatform(t, provider) };
}

async function restart(t: TestContext, { daemon, home }: Pick<Host, 'daemon' | 'home'>): Promise<void> {
  await daemon.stop();
  const client = await (await startDaemon(t, home)).connect();
  await client.unlock([passphraseCredential()]);
}

describe("the platform's settings service on hushd", () => {
  test('keeps a reference in the setting and the sealed value in its own table', async (t) => {
    const { provider, platform } = await host(t);
    const { settings, engine } = platform;
    await settings.set('mailer', 'token', 'hunter2', { tenantId: 'acme' });
    assert.equal((await settings.get('mailer', 'token')).value, 'hunter2');

    const setting = await rowOf(engine, 'sys_setting', { key: 'token' });
    assert.match(String(setting['value_enc']), /^sec_[0-9a-f]{32}$/);
    assert.equal(setting['value'], null);
    const row = await rowOf(engine, 'sys_secret', { id: setting['value_enc'] });
    assert.equal(row['kms_key_id'], `hush:${provider.vaultId}:default:v1`);
    assert.equal(row['alg'], 'aes-256-gcm');
    const tables = JSON.stringify([
      await engine.find('sys_setting', system),
      await engine.find('sys_secret', system),
    ]);
    assert(!tables.includes('hunter2'));
    assert.deepEqual(platform.warnings(), []);
  });

  test('carries JSON, the empty string, text of a megabyte, and 50 reads at a time', async (t) => {
    const { platform } = await host(t);
    const { settings } = platform;
    const account = { user: 'ключ', ports: [25, 587], empty: '' };
    await settings.set('mailer', 'account', account);
    assert.deepEqual((await settings.get('mailer', 'account')).value, account);
    for (const token of ['x'.repeat(1_000_000), 'hunter2']) {
      await settings.set('mailer', 'token', token);
      assert.equal((await settings.get('mailer', 'token')).value, token);
    }
    const reads = await Promise.all(Array.from({ length: 50 }, () => settings.get('mailer', 'token')));
    assert(reads.every(({ value }) => value === 'hunter2'));
    const { values } = await settings.getNamespace('mailer');
    assert.deepEqual(Object.keys(values).sort(), ['account', 'host', 'token']);
  });

  test('B7: gets the secret back after a restart of the daemon and an unlock', async (t) => {
    const all = await host(t);
    const { settings, warnings } = all.platform;
    await settings.set('mailer', 'token', 'hunter2');
    const back = new Promise<void>((resolve) => all.provider.on('reconnect', resolve));
    await all.daemon.stop();
    assert.equal((await settings.get('mailer', 'token')).value, null);
    await restart(t, all);
    await back;
    warnings();
    assert.equal((await settings.get('mailer', 'token')).value, 'hunter2');
    assert.deepEqual(warnings(), []);
  });

  test('shows the secret as empty and warns, naming hushd, while it is locked; writes reject', async (t) => {
    const { daemon, platform } = await host(t);
    const { settings, warnings } = platform;
    await settings.set('mailer', 'token', 'hunter2');
    const operator = await daemon.connect();
    await operator.lock();
    assert.equal((await settings.get('mailer', 'token')).value, null);
    const [warning = ''] = warnings();
    assert.match(warning, /failed to decrypt mailer\.token: hushd: the profile default is locked/);
    assert(!warning.includes(daemon.socket));
    await assert.rejects(settings.set('mailer', 'token', 'other'), { code: 'LOCKED' });
    await operator.unlock([passphraseCredential()]);
    assert.equal((await settings.get('mailer', 'token')).value, 'hunter2');
  });

  test('rotates what is stored: the same reference, a higher version, written back by id', async (t) => {
    const { daemon, provider, platform } = await host(t);
    const { settings, engine } = platform;
    await settings.set('mailer', 'token', 'hunter2', { tenantId: 'acme' });
    await (await daemon.connect()).call('keys.rotate', {});
    const row = await rowOf(engine, 'sys_secret', { key: 'token' });
    const old = {
      id: String(row['id']),
      kmsKeyId: String(row['kms_key_id']),
      alg: String(row['alg']),
      version: Number(row['version']),
      ciphertext: String(row['ciphertext']),
    };
    const { id, kmsKeyId, version, ciphertext } = await provider.rotateKey(old, {
      namespace: 'mailer',
      key: 'token',
    });
    assert.equal(id, old.id);
    assert(version > old.version);
    await engine.update('sys_secret', { id, kms_key_id: kmsKeyId, version, ciphertext }, system);
    assert.equal((await settings.get('mailer', 'token')).value, 'hunter2');
  });
});

describe("the platform's secret fields on hushd", () => {
  test('are sealed through engine.setCryptoProvider, and armed again when hushd is back', async (t) => {
    const all = await host(t);
    const { engine } = all.platform;
    await assert.rejects(
      engine.insert('account', { name: 'acme', api_key: 'hunter2' }, system),
      /no CryptoProvider/,
    );
    let changes = 0;
    engine.onCryptoProviderChange(() => changes++);
    engine.setCryptoProvider(all.provider);
    await engine.insert('account', { name: 'acme', api_key: 'hunter2' }, system);
    const id = String((await rowOf(engine, 'account', { name: 'acme' }))['id']);
    const read = (): Promise<unknown> => engine.resolveSecretField('account', id, 'api_key');
    assert.equal(await read(), 'hunter2');
    assert.equal(changes, 1);

    const armed = new Promise<void>((resolve) => {
      all.provider.on('reconnect', () => {
        engine.setCryptoProvider(all.provider);
        resolve();
      });
    });
    await all.daemon.stop();
    await assert.rejects(read(), { code: 'UNREACHABLE', message: /^hushd/ });
    await restart(t, all);
    await armed;
    assert.equal(changes, 2);
    assert.equal(await read(), 'hunter2');
  });
});
