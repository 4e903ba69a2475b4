import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBech32, encodeBech32, upperCase } from '../../../cli/doors/age/bech32.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What may stand before the last `1` of a text in lower case. */
const prefixes = fc.stringMatching(/^[!-@[-`{-~a-z]{1,20}$/);

describe('Bech32', () => {
  test('reads the valid texts of BIP-173, but for those that are no whole bytes', () => {
    const valid = [
      '?1ezyfcl',
      'A12UEL5L',
      'a12uel5l',
      'an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs',
      'abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw',
      'split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w',
    ];
    for (const text of valid) {
      const { prefix, data } = decodeBech32(ascii(text));
      assert.equal(prefix, text.slice(0, text.lastIndexOf('1')).toLowerCase());
      assert.equal(textOf(encodeBech32(prefix, data)), text.toLowerCase());
    }
  });

  test('refuses the invalid texts of BIP-173', () => {
    const invalid = [
      '\u00201nwldj5',
      '\u007f1axkwrx',
      'pzry9x0s0muk',
      '1pzry9x0s0muk',
      'x1b4n0q5v',
      'li1dgmt3',
      'A1G7SGD8',
      '10a06t8',
      '1qzzfhee',
      // Mixed case.
      'A12uEL5L',
    ];
    for (const text of [...invalid, '', '1', 'a1'])
      assert.throws(() => decodeBech32(ascii(text)), { code: 'BAD_REQUEST' }, text);
  });

  test('gives every bytes back, in either case, and notices any one character that is another', () => {
    fc.assert(
      fc.property(prefixes, fc.uint8Array({ maxLength: 100 }), fc.nat(), fc.nat(), (prefix, data, at, by) => {
        const text = encodeBech32(prefix, data);
        const back = decodeBech32(text);
        assert.equal(back.prefix, prefix);
        assert.deepEqual([...back.data], [...data]);
        assert.deepEqual([...decodeBech32(upperCase(text.slice())).data], [...data]);
        const wrong = text.slice();
        const place = prefix.length + 1 + (at % (text.length - prefix.length - 1));
        const digits = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
        const digit = digits.indexOf(String.fromCharCode(text[place] ?? 0));
        wrong[place] = digits.charCodeAt((digit + 1 + (by % 31)) % 32);
        assert.throws(() => decodeBech32(wrong), { code: 'BAD_REQUEST' });
      }),
    );
  });

  test('refuses any other text by the same error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeBech32(bytes);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, 'BAD_REQUEST');
        }
      }),
    );
  });
});
