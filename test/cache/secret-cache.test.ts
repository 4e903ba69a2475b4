import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { createSecretCache, type CacheOptions, type Secret } from '../../daemon/cache/secret-cache.ts';

const roomy = { ttlSeconds: 300, entries: 100, bytes: 100_000 };

function secretOf(...content: number[]): Secret {
  return { value: new Uint8Array(content), version: 1, createdAt: 'then', updatedAt: 'later' };
}

const isWiped = ({ value }: Secret): boolean => value.every((byte) => byte === 0);

/** A cache whose clock moves only when told to. */
function clockedCache(options: CacheOptions) {
  const clock = { ms: 1_000 };
  return { clock, cache: createSecretCache({ ...options, now: () => clock.ms }) };
}

/** Resolves once the condition holds; rejects after ten seconds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition never came true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('the cache of opened secrets', () => {
  test('gives each caller an independent copy', () => {
    const cache = createSecretCache(roomy);
    cache.put('global/a', secretOf(1, 2, 3));
    const first = cache.get('global/a');
    assert.deepEqual(first, secretOf(1, 2, 3));
    first.value.fill(0);
    assert.deepEqual(cache.get('global/a'), secretOf(1, 2, 3));
    cache.flush();
  });

  test('wipes a value that is dropped, replaced, flushed, or pushed out', () => {
    const cache = createSecretCache({ ...roomy, entries: 2 });
    const [dropped, replaced, pushedOut, kept, flushed] = [1, 2, 3, 4, 5].map((first) => secretOf(first));
    assert.ok(dropped && replaced && pushedOut && kept && flushed);
    cache.put('dropped', dropped);
    cache.drop('dropped');
    assert.ok(isWiped(dropped));
    cache.put('a', replaced);
    cache.put('a', pushedOut);
    assert.ok(isWiped(replaced));
    cache.put('b', kept);
    cache.put('c', flushed);
    assert.ok(isWiped(pushedOut));
    assert.ok(!isWiped(kept));
    cache.flush();
    assert.ok(isWiped(kept) && isWiped(flushed));
    assert.equal(cache.stats().entries, 0);
  });

  test('never holds more bytes than it may, and wipes at once what is too large for it', () => {
    const cache = createSecretCache({ ...roomy, bytes: 10 });
    const huge = secretOf(...Array.from({ length: 11 }, () => 7));
    const small = secretOf(1, 2, 3, 4, 5, 6);
    const other = secretOf(1, 2, 3, 4, 5);
    cache.put('a', small);
    cache.put('b', other);
    assert.ok(isWiped(small));
    assert.equal(cache.stats().bytes, 5);
    cache.put('b', huge);
    assert.ok(isWiped(huge) && isWiped(other));
    assert.equal(cache.get('b'), undefined);
    cache.flush();
  });

  test('keeps nothing when its TTL is 0', () => {
    const cache = createSecretCache({ ...roomy, ttlSeconds: 0 });
    const secret = secretOf(1);
    cache.put('a', secret);
    assert.ok(isWiped(secret));
    assert.equal(cache.get('a'), undefined);
  });

  test('gives an expired value to nobody, however often it was read before', () => {
    const { clock, cache } = clockedCache({ ...roomy, ttlSeconds: 10 });
    cache.put('a', secretOf(1));
    clock.ms += 9_999;
    assert.ok(cache.get('a'));
    clock.ms += 2;
    assert.equal(cache.get('a'), undefined);
    cache.flush();
  });

  test('wipes expired values in a sweep, and only those', () => {
    const { clock, cache } = clockedCache({ ...roomy, ttlSeconds: 10 });
    const old = secretOf(1);
    const young = secretOf(2);
    cache.put('old', old);
    clock.ms += 6_000;
    cache.put('young', young);
    clock.ms += 6_000;
    cache.sweep();
    assert.ok(isWiped(old));
    assert.ok(!isWiped(young));
    cache.flush();
  });

  test('sweeps by itself, without being asked for the value', async () => {
    const cache = createSecretCache({ ...roomy, ttlSeconds: 0.1 });
    const secret = secretOf(1);
    cache.put('a', secret);
    await until(() => isWiped(secret));
    assert.equal(cache.stats().entries, 0);
  });

  test('counts hits and misses', () => {
    const cache = createSecretCache(roomy);
    cache.put('a', secretOf(1, 2));
    cache.get('a');
    cache.get('a');
    cache.get('b');
    assert.deepEqual(cache.stats(), { hits: 2, misses: 1, entries: 1, bytes: 2 });
    cache.flush();
  });

  test('behaves as a map that may forget, and wipes all that it forgets', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(
      fc.record({ put: key, value: fc.uint8Array({ maxLength: 8 }) }),
      fc.record({ get: key }),
      fc.record({ drop: key }),
      fc.record({ later: fc.integer({ min: 1, max: 900 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { clock, cache } = clockedCache({ ttlSeconds: 1, entries: 3, bytes: 16 });
        const model = new Map<string, Uint8Array>();
        const given: Secret[] = [];
        for (const step of steps) {
          if ('put' in step) {
            const secret = { ...secretOf(), value: step.value.slice() };
            given.push(secret);
            model.set(step.put, step.value);
            cache.put(step.put, secret);
          } else if ('get' in step) {
            const found = cache.get(step.get);
            if (found !== undefined) assert.deepEqual(found.value, model.get(step.get));
          } else if ('drop' in step) {
            model.delete(step.drop);
            cache.drop(step.drop);
          } else clock.ms += step.later;
          assert.ok(cache.stats().entries <= 3 && cache.stats().bytes <= 16);
        }
        cache.flush();
        assert.ok(given.every(isWiped));
      }),
    );
  });
});
