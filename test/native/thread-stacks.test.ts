import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import sodium from 'sodium-native';
import { sealOnce } from '../../daemon/keys/aes-gcm.ts';
import { newBytes } from '../../daemon/memory/plain-bytes.ts';
import { wipeFromMainStack, wipeFromThreadStacks } from '../../native/thread-stacks.ts';

const leastMemory = 8192;

test('what Argon2id leaves on the stack of its thread is wiped, all of it at the first time', async () => {
  let left = 0;
  for (let run = 0; run < 8; run += 1) {
    const out = newBytes(32);
    const salt = newBytes(16);
    salt.set(randomBytes(16));
    await sodium.crypto_pwhash_async(
      out,
      newBytes(8),
      salt,
      1,
      leastMemory,
      sodium.crypto_pwhash_ALG_ARGON2ID13,
    );
    left += wipeFromThreadStacks(out);
    assert.equal(wipeFromThreadStacks(out), 0);
  }
  assert.ok(left > 0, 'libsodium leaves copies; once it does not, this wiping can go');
});

test('a secret that is on no stack is found on none, nor on that of the main thread', () => {
  assert.equal(wipeFromThreadStacks(new Uint8Array(randomBytes(32))), 0);
  assert.equal(wipeFromMainStack(new Uint8Array(randomBytes(32))), 0);
});

test('what sealing a key leaves on the main thread’s stack is gone after the first wiping', () => {
  for (let run = 0; run < 20; run += 1) {
    const key = newBytes(32);
    key.set(randomBytes(32));
    sealOnce(key, newBytes(12), newBytes(0), key);
    wipeFromMainStack(key);
    assert.equal(wipeFromMainStack(key), 0);
  }
});
