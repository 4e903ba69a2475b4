import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import {
  decryptCredentials,
  encryptCredentials,
  generateKeyBase64,
  HushError,
  isEncrypted,
  keyringFromDaemon,
  keyringFromEnv,
} from '../../client/credentials/index.ts';
import type { DaemonKeyring, DaemonKeyringOptions } from '../../client/credentials/index.ts';
import { coded } from '../client/coded.ts';
import { makeHome, passphraseCredential, startDaemon, startUnlocked } from '../support/daemon.ts';
import type { TestDaemon } from '../support/daemon.ts';

const credentials = { user: 'app', password: 'hunter2' };

async function keyringOf(
  t: TestContext,
  daemon: TestDaemon,
  options: DaemonKeyringOptions = {},
): Promise<DaemonKeyring> {
  const keyring = await keyringFromDaemon({ socket: daemon.socket, env: {}, deadlineMs: 20_000, ...options });
  t.after(() => {
    keyring.close();
  });
  return keyring;
}

describe('a keyring in the daemon', () => {
  test('with a daemon that serves', async (t) => {
    const { daemon, client, home } = await startUnlocked(t);
    const keyring = await keyringOf(t, daemon);
    const envelope = await encryptCredentials(credentials, keyring);

    await t.test(
      'gives envelopes of the same four fields, under a key that the daemon alone has',
      async () => {
        assert.deepEqual(Object.keys(envelope), ['__enc', 'kid', 'iv', 'ct']);
        assert.match(envelope.kid, new RegExp(`^hush:${keyring.vaultId}:default:v1/sec_[0-9a-f]{32}$`));
        assert.equal(Buffer.from(envelope.iv, 'base64').length, 12);
        const plainLength = JSON.stringify(credentials).length;
        assert.equal(Buffer.from(envelope.ct, 'base64').length, plainLength + 16);
        assert(isEncrypted(envelope));
        const stored: unknown = JSON.parse(JSON.stringify(envelope));
        assert.deepEqual(await decryptCredentials(stored, keyring), credentials);
        assert.deepEqual(await keyring.decryptCredentials(stored), credentials);
      },
    );

    await t.test('gives back any JSON value, with and without a tenant', async () => {
      const ofTenant = await keyringOf(t, daemon, { tenantId: 'acmé' });
      const property = fc.asyncProperty(
        fc.jsonValue(),
        fc.constantFrom(keyring, ofTenant),
        async (value, one) => {
          const opened = await decryptCredentials(await encryptCredentials(value, one), one);
          assert.deepEqual(opened, JSON.parse(JSON.stringify(value)));
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });

    await t.test('returns an envelope unchanged, and passes through what is none', async () => {
      assert.equal(await encryptCredentials(envelope, keyring), envelope);
      assert.equal(await decryptCredentials(credentials, keyring), credentials);
      assert.equal(await decryptCredentials(undefined, keyring), undefined);
      const marked = { __enc: 1, password: 'hunter2' };
      await assert.rejects(encryptCredentials(marked, keyring), coded('DAMAGED'));
      await assert.rejects(encryptCredentials(undefined, keyring), coded('BAD_REQUEST', /JSON/));
    });

    await t.test('opens after a rotation', async () => {
      await client.call('keys.rotate', {});
      const next = await encryptCredentials(credentials, keyring);
      assert.match(next.kid, /:default:v2\//);
      for (const one of [envelope, next])
        assert.deepEqual(await decryptCredentials(one, keyring), credentials);
    });

    await t.test('refuses an envelope with anything changed', async () => {
      const change = (text: string): string => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
      const other = await encryptCredentials({ another: 'value' }, keyring);
      const wrong = [
        { ...envelope, iv: change(envelope.iv) },
        { ...envelope, ct: change(envelope.ct) },
        { ...envelope, kid: other.kid },
        { ...envelope, kid: envelope.kid.replace(':v1/', ':v2/') },
        { ...envelope, kid: `${envelope.kid.slice(0, -1)}${envelope.kid.endsWith('0') ? '1' : '0'}` },
      ];
      for (const one of wrong) await assert.rejects(decryptCredentials(one, keyring), coded('INTEGRITY'));
      const never = { ...envelope, kid: envelope.kid.replace(':v1/', ':v77/') };
      await assert.rejects(decryptCredentials(never, keyring), HushError);
      for (const one of [
        { ...envelope, ct: 'AAAA' },
        { ...envelope, iv: 1 },
        { ...envelope, more: 1 },
      ])
        await assert.rejects(decryptCredentials(one, keyring), coded('DAMAGED'));
    });

    await t.test('refuses envelopes of other keyrings, vaults, tenants and places', async () => {
      const local = keyringFromEnv({ CONNECTOR_CRED_KEY: generateKeyBase64() });
      const kids = [
        encryptCredentials(credentials, local).kid,
        envelope.kid.replace(/[0-9a-f]{32}/, '0'.repeat(32)),
        envelope.kid.replace(':default:', ':other:'),
        envelope.kid.replace(/\/.*/, ''),
        envelope.kid.replace(':v1/', ':v0/'),
        envelope.kid.replace(':v1/', ':v4294967296/'),
      ];
      for (const kid of kids)
        await assert.rejects(decryptCredentials({ ...envelope, kid }, keyring), coded('WRONG_KEY'));
      assert.throws(() => decryptCredentials(envelope, local), coded('WRONG_KEY', /hush:/));
      for (const options of [{ tenantId: 'acmé' }, { namespace: 'other' }, { key: 'other' }]) {
        const other = await keyringOf(t, daemon, options);
        await assert.rejects(decryptCredentials(envelope, other), coded('INTEGRITY'));
      }
    });

    await t.test(
      'is refused by name while the daemon is locked or gone, and opens again after a restart',
      async () => {
        await client.lock();
        await assert.rejects(encryptCredentials(credentials, keyring), coded('LOCKED'));
        await assert.rejects(keyringFromDaemon({ socket: daemon.socket, env: {} }), coded('LOCKED'));
        await daemon.stop();
        await assert.rejects(decryptCredentials(envelope, keyring), coded('UNREACHABLE'));
        const again = await startDaemon(t, home);
        const operator = await again.connect();
        await operator.unlock([passphraseCredential()]);
        assert.deepEqual(await decryptCredentials(envelope, await keyringOf(t, again)), credentials);
      },
    );
  });

  test('is refused at once to a client whose grant does not reach the place of its envelopes', async (t) => {
    const home = makeHome(t);
    await home.init();
    home.configure(
      [
        '[clients.connector]',
        `uid = ${String(process.getuid?.() ?? 0)}`,
        '[profiles.default.grants.connector]',
        'unlock = true',
        "crypto = ['default/connectors/*']",
      ].join('\n'),
    );
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    await assert.rejects(
      keyringFromDaemon({ socket: daemon.socket, env: {} }),
      coded('ACCESS_DENIED', /proof/),
    );
    const keyring = await keyringOf(t, daemon, { namespace: 'connectors', key: 'github' });
    const envelope = await keyring.encryptCredentials(credentials);
    assert.deepEqual(await keyring.decryptCredentials(envelope), credentials);
  });
});
