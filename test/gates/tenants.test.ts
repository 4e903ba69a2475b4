import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startUnlocked } from '../support/daemon.ts';

const place = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const granting = (tenants: string): string =>
  `[clients.app]\nuid = ${process.getuid?.()}\n[profiles.default.grants.app]\nunlock = true\n` +
  `crypto = [{ match = 'default/mail/*'${tenants} }]\n`;

test('a client that may open for one tenant cannot open for another by naming none', async (t) => {
  const { daemon, home, client } = await startUnlocked(t, granting(''));
  const plaintext = new TextEncoder().encode('of acme');
  const { handle } = await client.call('crypto.encrypt', { ...place, tenant: 'acme', plaintext });
  const denied = { code: 'ACCESS_DENIED' };
  let reloads = 0;
  const reload = async (tenants: string): Promise<void> => {
    home.configure(granting(tenants));
    daemon.signal('SIGHUP');
    reloads += 1;
    await daemon.logged(`"generation":${reloads + 1}`);
  };

  await reload(", tenants = ['acme']");
  assert.deepEqual((await client.call('crypto.decrypt', { ...place, handle })).plaintext.length, 7);
  assert.equal((await client.call('crypto.rotate', { ...place, handle })).handle.version, 2);
  await assert.rejects(client.call('crypto.encrypt', { ...place, plaintext }), denied);

  await reload(", tenants = ['', 'other']");
  await assert.rejects(client.call('crypto.decrypt', { ...place, handle }), denied);
  await assert.rejects(client.call('crypto.rotate', { ...place, handle }), denied);
  await assert.rejects(client.call('crypto.decrypt', { ...place, handle, tenant: 'acme' }), denied);
  await assert.rejects(client.call('crypto.decrypt', { ...place, handle, tenant: 'other' }), {
    code: 'INTEGRITY',
  });
});
