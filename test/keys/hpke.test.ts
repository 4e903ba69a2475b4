import assert from 'node:assert/strict';
import type { webcrypto } from 'node:crypto';
import { describe, test } from 'node:test';

import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';

import { hkdfSha256 } from '../../daemon/keys/hmac.ts';
import { decapsulate, hpkeOpen, hpkeSeal, publicKeyOf } from '../../daemon/keys/hpke.ts';
import { bytesOf, filled, flip, withCode } from './fixtures.ts';

declare global {
  /** The types of @hpke/core name it as a browser has it. */
  type CryptoKey = webcrypto.CryptoKey;
}

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const owned = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;
const privateKey = hex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8');

describe('HPKE', () => {
  test('the shared secret of RFC 9180 A.1.1 comes out of its enc', () => {
    const publicKey = hex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d');
    const enc = hex('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431');
    const out = new Uint8Array(32);
    assert.deepEqual(Uint8Array.from(publicKeyOf(privateKey)), publicKey);
    assert.ok(decapsulate(privateKey, publicKey, enc, out));
    assert.deepEqual(out, hex('fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc'));
  });

  test('another implementation opens what we seal', async () => {
    const sealed = hpkeSeal(publicKeyOf(privateKey), 'some info', bytesOf('a vault key'));
    const recipientKey = await suite.kem.importKey('raw', owned(privateKey), false);
    const opened = await suite.open(
      { recipientKey, enc: owned(sealed.subarray(0, 32)), info: owned(bytesOf('some info')) },
      owned(sealed.subarray(32)),
    );
    assert.deepEqual(new Uint8Array(opened), bytesOf('a vault key'));
  });

  test('we open what another implementation seals', async () => {
    const recipientPublicKey = await suite.kem.importKey('raw', owned(publicKeyOf(privateKey)), true);
    const info = owned(bytesOf('some info'));
    const { enc, ct } = await suite.seal({ recipientPublicKey, info }, owned(filled(32, 9)));
    const out = new Uint8Array(32);
    assert.ok(hpkeOpen(privateKey, 'some info', Buffer.concat([Buffer.from(enc), Buffer.from(ct)]), out));
    assert.deepEqual(out, filled(32, 9));
  });

  test('one changed byte, another info or another key do not open, and leave zeros', () => {
    const sealed = hpkeSeal(publicKeyOf(privateKey), 'info', filled(32, 9));
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const out = filled(32, 1);
        assert.equal(hpkeOpen(privateKey, 'info', flip(sealed, index, mask), out), false);
      }),
      { numRuns: 300 },
    );
    const out = filled(32, 1);
    assert.equal(hpkeOpen(privateKey, 'other', sealed, out), false);
    assert.deepEqual(out, filled(32, 0));
    assert.equal(hpkeOpen(filled(32, 5), 'info', sealed, out), false);
    assert.equal(hpkeOpen(privateKey, 'info', sealed.subarray(1), out), false);
  });

  test('a public key of low order, which gives an all-zero secret, is refused', () => {
    const lowOrder = [filled(32, 0), Uint8Array.of(1, ...filled(31, 0))];
    for (const point of lowOrder) {
      assert.throws(() => hpkeSeal(point, 'info', filled(32, 1)), withCode('INTEGRITY'));
      const sealed = Buffer.concat([point, new Uint8Array(48)]);
      assert.equal(hpkeOpen(privateKey, 'info', sealed, new Uint8Array(32)), false);
    }
  });

  test('any 32 bytes are a private key, with the public half that noble gives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        assert.deepEqual(Uint8Array.from(publicKeyOf(bytes)), x25519.getPublicKey(bytes));
      }),
      { numRuns: 50 },
    );
  });

  test('HKDF-SHA-256 is the one of noble', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 32 }), (secret, salt, info, length) => {
        const out = new Uint8Array(length);
        hkdfSha256(secret, salt, info, out);
        assert.deepEqual(out, hkdf(sha256, secret, salt, info, length));
      }),
    );
  });
});
