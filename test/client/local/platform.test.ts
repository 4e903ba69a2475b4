import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LocalCryptoProvider as PlatformsOwn } from '@objectstack/service-settings';
import { createCryptoProvider, LocalCryptoProvider } from '../../../client/index.ts';
import { startUnlocked } from '../../support/daemon.ts';
import { coded } from '../coded.ts';
import { bootPlatform, rowOf, system } from '../platform.ts';

const key = Buffer.alloc(32, 3);

describe("the platform's settings service on the local provider", () => {
  test('keeps a reference in the setting and the sealed value in its own table', async (t) => {
    const provider = new LocalCryptoProvider({ key });
    const { settings, engine, warnings } = await bootPlatform(t, provider);
    for (const token of ['hunter2', '', 'x'.repeat(1_000_000), 'hunter2']) {
      await settings.set('mailer', 'token', token, { tenantId: 'acme' });
      assert.equal((await settings.get('mailer', 'token')).value, token);
    }
    const setting = await rowOf(engine, 'sys_setting', { key: 'token' });
    const row = await rowOf(engine, 'sys_secret', { id: setting['value_enc'] });
    assert.equal(row['kms_key_id'], provider.kmsKeyId);
    const tables = [await engine.find('sys_setting', system), await engine.find('sys_secret', system)];
    assert(!JSON.stringify(tables).includes('hunter2'));
    assert.deepEqual(warnings(), []);

    engine.setCryptoProvider(provider);
    await engine.insert('account', { name: 'acme', api_key: 'secret field' }, system);
    const id = String((await rowOf(engine, 'account', { name: 'acme' }))['id']);
    assert.equal(await engine.resolveSecretField('account', id, 'api_key'), 'secret field');
  });

  test("goes on with what the platform's own provider has sealed under the same key", async (t) => {
    const { settings, engine } = await bootPlatform(t, new PlatformsOwn({ key }));
    await settings.set('mailer', 'token', 'hunter2', { tenantId: 'acme' });
    const setting = await rowOf(engine, 'sys_setting', { key: 'token' });
    const row = await rowOf(engine, 'sys_secret', { id: setting['value_enc'] });
    const handle = {
      id: String(row['id']),
      kmsKeyId: String(row['kms_key_id']),
      alg: String(row['alg']),
      version: Number(row['version']),
      ciphertext: String(row['ciphertext']),
    };
    const place = { namespace: String(row['namespace']), key: String(row['key']) };
    assert.equal(handle.kmsKeyId, 'local:v1');
    const provider = new LocalCryptoProvider({ key });
    assert.equal(await provider.decrypt(handle, place), 'hunter2');
    const rotated = await provider.rotateKey(handle, { ...place, tenantId: 'acme' });
    assert.deepEqual([rotated.id, rotated.version], [handle.id, 2]);

    const { daemon } = await startUnlocked(t);
    const ofDaemon = await createCryptoProvider({ socket: daemon.socket, env: {} });
    t.after(() => {
      ofDaemon.close();
    });
    for (const one of [handle, rotated])
      await assert.rejects(ofDaemon.decrypt(one, place), coded('WRONG_KEY', /local key/));
  });
});
