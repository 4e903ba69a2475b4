import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { alphabetOf, alphabets, bitsOf } from '../../cli/alphabets.ts';
import { indexFor, randomText } from '../../cli/random-text.ts';

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('a generated value', () => {
  test('has the length that was asked for, and only characters of its alphabet', () => {
    const names = fc.constantFrom(...Object.keys(alphabets));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2048 }), names, (length, name) => {
        const text = textOf(randomText(length, alphabetOf(name)));
        assert.equal(text.length, length);
        assert.ok(Array.from(text).every((character) => alphabetOf(name).includes(character)));
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
    for (const alphabet of Object.values(alphabets)) {
      assert.equal(new Set(alphabet).size, alphabet.length);
      assert.equal(new Set(textOf(randomText(4096, alphabet))).size, alphabet.length);
    }
    const alphabet = alphabetOf('alnum');
    assert.match(alphabet, /^[A-Za-z0-9]{62}$/);
    assert.equal(new Set(Array.from({ length: 100 }, () => textOf(randomText(32, alphabet)))).size, 100);
  });

  test('is made of characters that were named, each of them once and typed on a keyboard', () => {
    assert.equal(alphabetOf('ab !'), 'ab !');
    for (const text of ['acgt', 'ABCDEF0123', '01', 'aeiouAEIOU', '9x']) assert.equal(alphabetOf(text), text);
    for (const text of ['', 'a', 'abca', 'toString', 'a\n', 'a\x7f', 'aé', 'constru']) {
      assert.throws(() => alphabetOf(text), { code: 'BAD_REQUEST' }, text);
    }
  });

  test('is not made of the letters of a name that no alphabet has', () => {
    for (const text of ['base64', 'base32', 'HEX', 'ALNUM', 'numbers', 'digts']) {
      assert.throws(() => alphabetOf(text), { message: 'there is no alphabet of that name' }, text);
    }
  });

  test('says how hard it is to guess', () => {
    assert.equal(bitsOf(32, alphabetOf('alnum')), 190);
    assert.equal(bitsOf(4, alphabetOf('digits')), 13);
  });
});
