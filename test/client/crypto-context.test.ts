import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { coordinateOf, plaintextOf, textOf } from '../../client/crypto-context.ts';
import { HushError } from '../../protocol/errors.ts';

const refused = (message: RegExp) => (error: unknown) => {
  assert(error instanceof HushError);
  assert.equal(error.code, 'BAD_REQUEST');
  assert.match(error.message, message);
  return true;
};

describe('a plaintext', () => {
  test('comes back the same, whatever well-formed Unicode it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        assert.equal(textOf(plaintextOf(text)), text);
      }),
    );
    for (const text of ['', '\uFEFFwith a mark', '\0', '{"json":true}', 'x'.repeat(1_000_000)]) {
      assert.equal(textOf(plaintextOf(text)), text);
    }
  });

  test('is off the heap of V8, whatever its size', () => {
    const bytes = plaintextOf('short');
    assert.equal(bytes.buffer.byteLength, 5);
  });

  test('with a lone surrogate, or that is no string, is refused before it is changed by the encoding', () => {
    assert.throws(() => plaintextOf('a\uD800b'), refused(/plaintext is not well-formed/));
    // @ts-expect-error: what JavaScript callers may pass
    assert.throws(() => plaintextOf(7), refused(/plaintext is not a string/));
  });

  test('that is not UTF-8 is not given out as something else', () => {
    assert.throws(() => textOf(Uint8Array.of(0xff, 0xfe)), { code: 'INTEGRITY' });
  });
});

describe('a coordinate', () => {
  test('is namespace, key, and the tenant where there is one', () => {
    assert.deepEqual(coordinateOf({ namespace: 'mail', key: 'token' }), { namespace: 'mail', key: 'token' });
    const ctx = { namespace: 'n'.repeat(128), key: 'ключ', tenantId: 't1' };
    assert.deepEqual(coordinateOf(ctx), { namespace: ctx.namespace, key: 'ключ', tenant: 't1' });
    // @ts-expect-error: what JavaScript callers may pass
    assert.deepEqual(coordinateOf({ namespace: 'a', key: 'b', tenantId: null }), {
      namespace: 'a',
      key: 'b',
    });
  });

  test('of a wrong type or size is refused by the name of its field, without its value', () => {
    const bad: [Record<string, unknown> | undefined, RegExp][] = [
      [undefined, /no crypto context/],
      [{ key: 'k' }, /^namespace is not a string/],
      [{ namespace: 'n', key: '' }, /^key is empty/],
      [{ namespace: 'n'.repeat(129), key: 'k' }, /^namespace has 129 characters, the limit is 128/],
      [{ namespace: 'n', key: 'k'.repeat(200) }, /^key has 200 characters/],
      [{ namespace: 'n', key: 'k', tenantId: 't'.repeat(129) }, /^tenantId has 129/],
      [{ namespace: 'n', key: 'k\uDC00' }, /^key is not well-formed/],
      [{ namespace: 'n', key: 'k', tenantId: 7 }, /^tenantId is not a string/],
    ];
    for (const [ctx, message] of bad) {
      // @ts-expect-error: what JavaScript callers may pass
      assert.throws(() => coordinateOf(ctx), refused(message));
    }
  });
});
