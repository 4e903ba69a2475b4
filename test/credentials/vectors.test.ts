import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { decryptCredentials, keyringFromEnv } from '../../client/credentials/index.ts';
import { joinSealedHandle, splitSealedHandle } from '../../protocol/sealed-handle.ts';
import { parseSealedHandle } from '../../daemon/keys/sealed.ts';
import { inPython } from '../support/sealed-values.ts';
import { vector } from '../support/vectors.ts';

const envelope = z.strictObject({ __enc: z.literal(1), kid: z.string(), iv: z.string(), ct: z.string() });

test('the envelope of docs/formats.md opens, here and in Python', () => {
  const given = vector('credential-envelope', { key: z.string(), json: z.string(), envelope });
  const keyring = keyringFromEnv({ CONNECTOR_CRED_KEY: given.key });
  const value: unknown = JSON.parse(given.json);
  assert.deepEqual(decryptCredentials(given.envelope, keyring), value);
  const job = { do: 'open envelope', keys: { v1: given.key }, envelope: given.envelope };
  assert.deepEqual(inPython([job]), [value]);
});

test('the envelope of the daemon in docs/formats.md is its handle in other clothes', () => {
  const { tenant, handle, ...given } = vector('daemon-envelope', {
    tenant: z.string(),
    handle: z.strictObject({
      id: z.string(),
      kmsKeyId: z.string(),
      version: z.int(),
      ciphertext: z.string(),
    }),
    envelope,
  });
  const bytes = Buffer.from(handle.ciphertext, 'base64');
  const parts = splitSealedHandle(bytes) ?? assert.fail('it is a handle of the daemon');
  const asDaemon = parseSealedHandle(handle.ciphertext);
  const { dekVersion, revision } = parts;
  assert.deepEqual(
    [dekVersion, revision, parts.tenant],
    [asDaemon.dekVersion, asDaemon.revision, asDaemon.tenant],
  );
  assert.deepEqual([revision, parts.tenant], [handle.version, tenant]);
  assert.deepEqual(given.envelope, {
    __enc: 1,
    kid: `${handle.kmsKeyId}/${handle.id}`,
    iv: Buffer.from(parts.nonce).toString('base64'),
    ct: Buffer.from(parts.sealed).toString('base64'),
  });
  assert.deepEqual(Buffer.from(joinSealedHandle(parts)), bytes);
  for (let length = 0; length < 12 + 5 + 28; length += 1)
    assert.equal(splitSealedHandle(bytes.subarray(0, length)), undefined);
});
