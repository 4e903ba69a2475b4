import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { gcm } from '@noble/ciphers/aes.js';
import fc from 'fast-check';

import {
  type AesGcm,
  createNodeAesGcm,
  createOpensslAesGcm,
  openOnce,
  sealOnce,
} from '../../daemon/keys/aes-gcm.ts';
import { openssl } from '../../daemon/keys/openssl.ts';
import { filled, flip, withCode } from './fixtures.ts';

function opensslAesGcm(key: Uint8Array): AesGcm {
  assert.ok(openssl !== undefined, 'this build of Node hides its OpenSSL');
  return createOpensslAesGcm(key, openssl);
}

for (const [name, create] of [
  ['OpenSSL called on our memory', opensslAesGcm],
  ['node:crypto', createNodeAesGcm],
] as const) {
  describe(`AES-256-GCM by ${name}`, () => {
    test('seals to the bytes of noble and opens them, whatever was sealed or refused before', () => {
      const key = filled(32, 3);
      const cipher = create(key);
      const bytes = (least: number, most: number) => fc.uint8Array({ minLength: least, maxLength: most });
      fc.assert(
        fc.property(bytes(12, 12), bytes(0, 60), bytes(0, 300), fc.nat(), (nonce, aad, plain, place) => {
          const sealed = new Uint8Array(plain.length + 16);
          cipher.seal(nonce, aad, plain, sealed);
          assert.deepEqual(sealed, gcm(key, nonce, aad).encrypt(plain));

          const out = filled(plain.length, 1);
          assert.equal(cipher.open(nonce, aad, flip(sealed, place % sealed.length, 4), out), false);
          assert.deepEqual(out, filled(plain.length, 0));
          assert.equal(cipher.open(nonce, Uint8Array.of(...aad, 0), sealed, out), false);
          assert.equal(cipher.open(nonce, aad, sealed, out), true);
          assert.deepEqual(out, plain);
        }),
      );
      cipher.close();
    });

    test('carries a megabyte', () => {
      const cipher = create(filled(32, 4));
      const plain = filled(1 << 20, 5);
      const sealed = new Uint8Array(plain.length + 16);
      cipher.seal(filled(12, 0), filled(0, 0), plain, sealed);
      const out = new Uint8Array(plain.length);
      assert.ok(cipher.open(filled(12, 0), filled(0, 0), sealed, out));
      assert.deepEqual(out, plain);
      cipher.close();
    });

    test('neither seals nor opens once it is closed', () => {
      const cipher = create(filled(32, 4));
      cipher.close();
      cipher.close();
      const [nonce, none] = [filled(12, 0), filled(0, 0)];
      assert.throws(() => cipher.seal(nonce, none, none, filled(16, 0)), withCode('LOCKED'));
      assert.throws(() => cipher.open(nonce, none, filled(16, 0), none), withCode('LOCKED'));
    });

    test('refuses buffers that do not fit each other', () => {
      const cipher = create(filled(32, 4));
      const none = filled(0, 0);
      assert.throws(() => cipher.seal(filled(11, 0), none, none, filled(16, 0)), RangeError);
      assert.throws(() => cipher.seal(filled(12, 0), none, none, filled(15, 0)), RangeError);
      assert.throws(() => cipher.open(filled(12, 0), none, filled(17, 0), none), RangeError);
      cipher.close();
    });
  });
}

test('a message sealed once opens with its key and AAD only', () => {
  const sealed = sealOnce(filled(32, 1), filled(12, 2), filled(5, 3), filled(32, 4));
  const out = new Uint8Array(32);
  assert.ok(openOnce(filled(32, 1), filled(5, 3), sealed, out));
  assert.deepEqual(out, filled(32, 4));
  assert.equal(openOnce(filled(32, 2), filled(5, 3), sealed, out), false);
  assert.equal(openOnce(filled(32, 1), filled(6, 3), sealed, out), false);
  assert.equal(openOnce(filled(32, 1), filled(5, 3), sealed.subarray(1), out), false);
});
