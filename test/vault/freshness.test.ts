import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { fingerprintOf, idOf, stateOf, versionOf } from '../../daemon/stores/fingerprint.ts';
import { sumSize, toggled } from '../../daemon/vault/freshness-sum.ts';
import { createIndexKeys } from '../../daemon/vault/index-keys.ts';
import { createRootCipher, type Root } from '../../daemon/vault/root.ts';

const item = fc.uint8Array({ minLength: sumSize, maxLength: sumSize });
const empty = new Uint8Array(sumSize);
const arena = createSecureArena({ bytes: 16 * 1024, prefer: 'sodium_malloc' });

/** A copy whose last byte differs. */
const lastFlipped = (bytes: Uint8Array): Uint8Array => {
  const copy = bytes.slice();
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
};

const rootOf = (commit: number): Root => ({
  commit,
  rows: 3,
  counters: 1,
  facts: 0,
  sum: 'ab'.repeat(32),
  keyset: { lines: 5, hash: 'cd'.repeat(32) },
});

describe('the freshness sum', () => {
  test('does not depend on the order, and taking out undoes putting in', () => {
    fc.assert(
      fc.property(fc.array(item), (items) => {
        assert.deepEqual(toggled(empty, [...items].reverse()), toggled(empty, items));
        assert.deepEqual(toggled(toggled(empty, items), items), empty);
      }),
    );
  });
});

describe('the fingerprint of a row', () => {
  test('tells id, version and state, and changes with each of them and with both tags', () => {
    const row = fc.record({
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      version: fc.integer({ min: 2, max: Number.MAX_SAFE_INTEGER }),
      state: fc.integer({ min: 0, max: 255 }),
      dek: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      meta: fc.uint8Array({ minLength: 16, maxLength: 20 }),
      value: fc.uint8Array({ minLength: 16, maxLength: 20 }),
    });
    fc.assert(
      fc.property(row, (one) => {
        const fingerprint = fingerprintOf(one);
        assert.deepEqual(Buffer.from(idOf(fingerprint)), Buffer.from(one.id));
        assert.equal(versionOf(fingerprint), one.version);
        assert.equal(stateOf(fingerprint), one.state);
        const others = [
          { ...one, id: lastFlipped(one.id) },
          { ...one, version: one.version - 1 },
          { ...one, state: one.state ^ 1 },
          { ...one, dek: (one.dek ^ 1) >>> 0 },
          { ...one, meta: lastFlipped(one.meta) },
          { ...one, value: lastFlipped(one.value) },
        ].map((row) => Buffer.from(fingerprintOf(row)).toString('hex'));
        assert.equal(new Set([...others, Buffer.from(fingerprint).toString('hex')]).size, 7);
      }),
    );
  });
});

describe('the sealed root', () => {
  const keys = createIndexKeys(new Uint8Array(32).fill(1), arena);
  const cipher = createRootCipher(keys, 'a'.repeat(32));

  test('opens to what was sealed, in every epoch of commits', () => {
    for (const commit of [1, 2 ** 24 - 1, 2 ** 24, 2 ** 40, 5]) {
      assert.deepEqual(cipher.open(cipher.seal(rootOf(commit))), rootOf(commit));
    }
    const audited = { ...rootOf(1), audit: { seq: 9, hash: 'ef'.repeat(32) } };
    assert.deepEqual(cipher.open(cipher.seal(audited)), audited);
  });

  test('counts no facts when vault format 1 sealed it, which knew none', () => {
    const { facts, ...rest } = rootOf(1);
    assert.equal(facts, 0);
    // What an earlier release sealed has no such field, whatever the type of today says.
    assert.deepEqual(cipher.open(cipher.seal(rest as Root)), rootOf(1));
  });

  test('is refused with any byte changed, in another vault, and under another key', () => {
    const sealed = cipher.seal(rootOf(7));
    for (let at = 1; at < sealed.length; at++) {
      const changed = sealed.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(() => cipher.open(changed), { code: 'INTEGRITY' });
    }
    for (let length = 0; length < sealed.length; length++) {
      assert.throws(() => cipher.open(sealed.subarray(0, length)), { code: 'INTEGRITY' });
    }
    assert.throws(() => createRootCipher(keys, 'b'.repeat(32)).open(sealed), { code: 'INTEGRITY' });
    const others = createIndexKeys(new Uint8Array(32).fill(2), arena);
    assert.throws(() => createRootCipher(others, 'a'.repeat(32)).open(sealed), { code: 'INTEGRITY' });
    const newer = sealed.slice();
    newer[0] = 2;
    assert.throws(() => cipher.open(newer), { code: 'NEWER_FORMAT' });
  });
});
