import assert from 'node:assert/strict';
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomFillSync,
} from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';
import sodium from 'sodium-native';

import { copyBytes, newBytes } from '../../daemon/memory/plain-bytes.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import type { SecureArenaKind, SecureBytes } from '../../daemon/memory/secure-bytes.ts';

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const fullError = { code: 'UNAVAILABLE', message: /memory for keys is full/ };
const kinds: readonly SecureArenaKind[] = ['memfd_secret', 'sodium_malloc'];

test('without memfd_secret the arena is one sodium_malloc, and says so', () => {
  assert.equal(createSecureArena({ prefer: 'sodium_malloc' }).kind, 'sodium_malloc');
});

for (const prefer of kinds) {
  describe(`an arena of ${prefer}`, () => {
    const sized = (bytes: number) => createSecureArena({ bytes, prefer });

    test('gives zero bytes on a 16-byte boundary', () => {
      const arena = sized(4096);
      for (const length of [0, 1, 16, 17, 32, 100]) {
        const { bytes } = arena.allocate(length);
        assert.equal(bytes.length, length);
        assert.equal(bytes.byteOffset % 16, 0);
        assert.ok(isZero(bytes));
      }
    });

    test('wiped bytes are zero, cannot be reached by their old owner, and are given out again', () => {
      const arena = sized(4096);
      const secret = arena.allocate(4096);
      const { bytes } = secret;
      bytes.fill(7);
      assert.throws(() => arena.allocate(1), fullError);
      secret.wipe();
      assert.ok(isZero(bytes));
      assert.throws(() => secret.bytes, { code: 'UNAVAILABLE' });
      assert.equal(arena.used, 0);
      assert.equal(arena.allocate(4096).bytes.length, 4096);
    });

    test('wiping twice does not free what another owner has got meanwhile', () => {
      const arena = sized(4096);
      const first = arena.allocate(32);
      first.wipe();
      const second = arena.allocate(32);
      second.bytes.fill(1);
      first.wipe();
      assert.ok(second.bytes.every((byte) => byte === 1));
      assert.equal(arena.used, 32);
    });

    test('a length that is no length is refused', () => {
      const arena = sized(4096);
      for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        assert.throws(() => arena.allocate(length), { code: 'UNAVAILABLE' });
      }
      assert.equal(arena.used, 0);
    });

    test('closing wipes everything and ends the arena', () => {
      const arena = sized(4096);
      const { bytes } = arena.allocate(64);
      bytes.fill(7);
      arena.close();
      assert.ok(isZero(bytes));
      assert.equal(arena.used, 0);
      assert.throws(() => arena.allocate(1), { code: 'UNAVAILABLE' });
    });

    test('its bytes are keys, inputs and outputs of node:crypto', () => {
      const arena = sized(4096);
      const key = arena.allocate(32).bytes;
      const data = arena.allocate(48).bytes;
      randomFillSync(key);
      randomFillSync(data);
      const [plainKey, plainData] = [copyBytes(key), copyBytes(data)];
      const nonce = newBytes(12);
      const hmac = (k: Uint8Array, d: Uint8Array) => createHmac('sha256', k).update(d).digest('hex');
      const sha = (d: Uint8Array) => createHash('sha256').update(d).digest('hex');
      const hkdf = (k: Uint8Array, d: Uint8Array) =>
        Buffer.from(hkdfSync('sha256', k, d, d, 32)).toString('hex');
      assert.equal(hmac(key, data), hmac(plainKey, plainData));
      assert.equal(sha(data), sha(plainData));
      assert.equal(hkdf(key, data), hkdf(plainKey, plainData));
      assert.deepEqual(createSecretKey(key).export(), Buffer.from(plainKey));
      const sealed = createCipheriv('aes-256-gcm', key, nonce).update(data);
      assert.deepEqual(
        createDecipheriv('aes-256-gcm', createSecretKey(plainKey), nonce).update(sealed),
        Buffer.from(plainData),
      );
    });

    test('its bytes are keys, inputs and outputs of libsodium', async () => {
      const arena = sized(4096);
      const [secret, point, shared] = [arena.allocate(32), arena.allocate(32), arena.allocate(32)];
      sodium.randombytes_buf(secret.bytes);
      sodium.crypto_scalarmult_base(point.bytes, secret.bytes);
      sodium.crypto_scalarmult(shared.bytes, secret.bytes, point.bytes);
      const [plainPoint, plainShared] = [newBytes(32), newBytes(32)];
      sodium.crypto_scalarmult_base(plainPoint, copyBytes(secret.bytes));
      sodium.crypto_scalarmult(plainShared, copyBytes(secret.bytes), plainPoint);
      assert.deepEqual([...shared.bytes], [...plainShared]);

      const derive = async (out: Uint8Array, password: Uint8Array) => {
        const algorithm = sodium.crypto_pwhash_ALG_ARGON2ID13;
        await sodium.crypto_pwhash_async(out, password, newBytes(16), 1, 8 * 1024 * 1024, algorithm);
        return [...out];
      };
      assert.deepEqual(
        await derive(arena.allocate(32).bytes, secret.bytes),
        await derive(newBytes(32), copyBytes(secret.bytes)),
      );
    });

    test('allocations never overlap, and all places come back', () => {
      const size = 4096;
      const step = fc.record({ length: fc.nat(400), wipe: fc.boolean(), which: fc.nat() });
      const arena = sized(size);
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const live: { secret: SecureBytes; mark: number }[] = [];
          for (const [index, { length, wipe, which }] of steps.entries()) {
            if (wipe && live.length > 0) {
              for (const { secret } of live.splice(which % live.length, 1)) secret.wipe();
              continue;
            }
            const secret = allocateIfRoom(() => arena.allocate(length));
            if (secret === undefined) continue;
            assert.ok(isZero(secret.bytes));
            const mark = (index % 255) + 1;
            secret.bytes.fill(mark);
            live.push({ secret, mark });
          }
          for (const { secret, mark } of live) assert.ok(secret.bytes.every((byte) => byte === mark));
          for (const { secret } of live) secret.wipe();
          assert.equal(arena.used, 0);
          arena.allocate(size).wipe();
        }),
      );
    });
  });
}

function allocateIfRoom(allocate: () => SecureBytes): SecureBytes | undefined {
  try {
    return allocate();
  } catch (error) {
    assert.match(String(error), fullError.message);
    return undefined;
  }
}
