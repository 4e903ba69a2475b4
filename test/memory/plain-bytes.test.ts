import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { concatBytes, copyBytes, equalBytes, newBytes, wipe } from '../../daemon/memory/plain-bytes.ts';

describe('plain bytes', () => {
  test('new bytes are zero and have a buffer of their own, whatever their length', () => {
    for (const length of [0, 1, 32, 64, 65, 4096]) {
      const bytes = newBytes(length);
      assert.equal(bytes.buffer.byteLength, length);
      assert.ok(bytes.every((byte) => byte === 0));
    }
  });

  test('a copy is independent of its source', () => {
    const source = Uint8Array.of(1, 2, 3);
    const copy = copyBytes(source);
    source.fill(9);
    assert.deepEqual([...copy], [1, 2, 3]);
  });

  test('parts are joined in order', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (parts) => {
        assert.deepEqual(
          [...concatBytes(...parts)],
          parts.flatMap((part) => [...part]),
        );
      }),
    );
  });

  test('bytes are equal when length and content are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
        assert.ok(equalBytes(a, copyBytes(a)));
      }),
    );
  });

  test('wiping leaves zeros in every array', () => {
    const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    wipe(a, b);
    assert.deepEqual([...a, ...b], [0, 0, 0]);
  });
});
