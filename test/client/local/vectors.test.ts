import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { LocalCryptoProvider } from '../../../client/index.ts';
import {
  deriveLocalKey,
  localKmsKeyId,
  openLocalHandle,
  sealLocalHandle,
} from '../../../protocol/local-handle.ts';
import type { Gcm } from '../../../protocol/local-handle.ts';
import { bytesOfHex, hex, hexOf, vector } from '../../support/vectors.ts';
import { nobleGcm } from './noble-gcm.ts';

test('the local handle of docs/formats.md opens, and sealing gives the same bytes', async () => {
  const given = vector('local-handle', {
    secret: hex,
    keyId: hex,
    sealingKey: hex,
    digestKey: hex,
    handleId: z.string(),
    namespace: z.string(),
    key: z.string(),
    tenant: z.string(),
    revision: z.int(),
    aad: hex,
    plain: hex,
    ciphertext: z.string(),
  });
  const { handleId: id, namespace, key: name, tenant, revision, ciphertext } = given;
  const keys: string[] = [];
  const aads: string[] = [];
  const key = deriveLocalKey(bytesOfHex(given.secret), (bytes): Gcm => {
    keys.push(hexOf(bytes));
    const cipher = nobleGcm(bytes);
    return {
      ...cipher,
      seal(nonce, aad, plain, out) {
        aads.push(hexOf(aad));
        cipher.seal(nonce, aad, plain, out);
      },
    };
  });
  assert.deepEqual(keys, [given.sealingKey, given.secret]);
  assert.deepEqual([key.id, hexOf(key.digestKey)], [given.keyId, given.digestKey]);

  const place = { namespace, key: name };
  const handle = { id, kmsKeyId: localKmsKeyId(key), alg: 'aes-256-gcm', version: 1, ciphertext };
  const opened = openLocalHandle(key, handle, place);
  assert.deepEqual(
    { ...opened, plaintext: hexOf(opened.plaintext) },
    { plaintext: given.plain, tenant, revision },
  );
  const body = 16 + Buffer.byteLength(tenant);
  const nonce = Buffer.from(ciphertext, 'base64').subarray(body, body + 12);
  const sealed = sealLocalHandle(key, { ...place, id, tenant, revision }, nonce, bytesOfHex(given.plain));
  assert.deepEqual([sealed, ...aads], [ciphertext, given.aad]);

  const provider = new LocalCryptoProvider({ env: { OS_SECRET_KEY: given.secret } });
  assert.equal(await provider.decrypt(handle, place), Buffer.from(given.plain, 'hex').toString());
});

test("the handle of the platform's default provider in docs/formats.md opens", async () => {
  const given = vector('platform-handle', {
    secret: hex,
    namespace: z.string(),
    key: z.string(),
    plain: hex,
    ciphertext: z.string(),
  });
  const { namespace, key, ciphertext } = given;
  const handle = { id: 'sec_any', kmsKeyId: 'local:v1', alg: 'aes-256-gcm', version: 1, ciphertext };
  const provider = new LocalCryptoProvider({ key: bytesOfHex(given.secret) });
  assert.equal(
    await provider.decrypt(handle, { namespace, key }),
    Buffer.from(given.plain, 'hex').toString(),
  );
});
