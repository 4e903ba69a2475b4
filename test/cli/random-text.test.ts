import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { alphabet, indexFor, randomText } from '../../cli/random-text.ts';

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('a generated value', () => {
  test('has the length that was asked for, and only letters and digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2048 }), (length) => {
        assert.match(textOf(randomText(length)), new RegExp(`^[A-Za-z0-9]{${length}}$`));
      }),
    );
  });

  test('draws each character from the same number of random bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), (size) => {
        const counts = new Array<number>(size).fill(0);
        for (let byte = 0; byte < 256; byte++) {
          const index = indexFor(byte, size);
          if (index !== undefined) counts[index] = (counts[index] ?? 0) + 1;
        }
        assert.deepEqual(counts, new Array<number>(size).fill(Math.floor(256 / size)));
      }),
    );
  });

  test('uses the whole alphabet, and is another one each time', () => {
    assert.equal(new Set(alphabet).size, alphabet.length);
    assert.equal(new Set(textOf(randomText(4096))).size, alphabet.length);
    assert.equal(new Set(Array.from({ length: 100 }, () => textOf(randomText(32)))).size, 100);
  });
});
