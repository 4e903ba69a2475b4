import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import argon2 from 'argon2';
import fc from 'fast-check';

import { calibrate, costFor, createArgon2Queue, isBoundedCost } from '../../daemon/keys/passphrase.ts';
import { argon2Queue, bytesOf, filled, leastCost, withCode } from './fixtures.ts';

const salt = filled(16, 8);

describe('Argon2id', () => {
  test('gives the bytes of the argon2 package', async () => {
    const out = new Uint8Array(32);
    await argon2Queue.derive(bytesOf('pässphrase'), salt, { memoryKiB: 20000, passes: 3 }, out);
    const expected = await argon2.hash(Buffer.from('pässphrase'), {
      raw: true,
      type: argon2.argon2id,
      salt: Buffer.from(salt),
      hashLength: 32,
      memoryCost: 20000,
      timeCost: 3,
      parallelism: 1,
    });
    assert.deepEqual(Buffer.from(out), expected);
  });

  test('runs one at a time, in the order of asking, and goes on after a failure', async () => {
    const queue = createArgon2Queue();
    const order: string[] = [];
    const run = (name: string, secret: Uint8Array) =>
      queue.derive(secret, salt, leastCost, new Uint8Array(32)).then(
        () => order.push(name),
        () => order.push(`${name} failed`),
      );
    await Promise.all([run('a', bytesOf('a')), run('b', filled(0, 0)), run('c', bytesOf('c'))]);
    assert.deepEqual(order, ['b failed', 'a', 'c']);
  });

  test('takes a passphrase of 1 to 4096 bytes', async () => {
    for (const length of [0, 4097]) {
      const derived = argon2Queue.derive(filled(length, 65), salt, leastCost, new Uint8Array(32));
      await assert.rejects(derived, withCode('BAD_REQUEST'));
    }
    await argon2Queue.derive(filled(4096, 65), salt, leastCost, new Uint8Array(32));
  });

  test('refuses a cost out of bounds, or over the cap, before it takes any memory', async () => {
    const costs = [
      { memoryKiB: 19455, passes: 2 },
      { memoryKiB: 19456, passes: 1 },
      { memoryKiB: 4 * 1024 * 1024 + 1, passes: 2 },
      { memoryKiB: 19456, passes: 17 },
      { memoryKiB: 19456.5, passes: 2 },
    ];
    for (const cost of costs) {
      const derived = argon2Queue.derive(bytesOf('p'), salt, cost, new Uint8Array(32));
      await assert.rejects(derived, withCode('BAD_REQUEST'));
    }
    const overCap = argon2Queue.derive(
      bytesOf('p'),
      salt,
      { memoryKiB: 2 * 1024 * 1024, passes: 2 },
      new Uint8Array(32),
    );
    await assert.rejects(overCap, withCode('LIMIT_EXCEEDED'));
  });

  test('is calibrated within the bounds, to more work on a faster machine', () => {
    const speeds = fc.double({ min: 0.01, max: 100_000, noNaN: true });
    fc.assert(
      fc.property(speeds, fc.integer({ min: 19456, max: 4 * 1024 * 1024 }), (measuredMs, cap) => {
        const cost = costFor(measuredMs, 500, cap);
        assert.ok(isBoundedCost(cost), JSON.stringify(cost));
        assert.ok(cost.memoryKiB <= cap);
      }),
    );
    assert.deepEqual(costFor(500, 500, 1 << 20), { memoryKiB: 65536, passes: 3 });
    assert.deepEqual(costFor(125, 500, 1 << 20), { memoryKiB: 262144, passes: 3 });
    assert.deepEqual(costFor(50, 500, 1 << 20), { memoryKiB: 262144, passes: 8 });
    assert.deepEqual(costFor(5000, 500, 1 << 20), { memoryKiB: 19456, passes: 2 });
  });

  test('calibrates on this machine', async () => {
    assert.ok(isBoundedCost(await calibrate(createArgon2Queue())));
    const capped = await calibrate(createArgon2Queue({ memoryCapKiB: 19456 }));
    assert.equal(capped.memoryKiB, 19456);
  });
});
