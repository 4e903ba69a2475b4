import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBech32, encodeBech32, upperCase } from '../../../cli/doors/age/bech32.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const prefixOf = (text: string): string => text.slice(0, text.lastIndexOf('1')).toLowerCase();

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
      const data = decodeBech32(prefixOf(text), ascii(text));
      assert.ok(data !== undefined, text);
      assert.equal(textOf(encodeBech32(prefixOf(text), data)), text.toLowerCase());
    }
  });

  test('refuses the invalid texts of BIP-173, but for prefixes that nobody asks for', () => {
    const invalid = [
      'pzry9x0s0muk',
      'x1b4n0q5v',
      'li1dgmt3',
      'A1G7SGD8',
      // Mixed case.
      'A12uEL5L',
    ];
    for (const text of [...invalid, '', 'a', 'a1'])
      assert.equal(decodeBech32(prefixOf(text), ascii(text)), undefined, text);
  });

  test('gives every bytes back, in either case, and notices any one character that is another', () => {
    fc.assert(
      fc.property(prefixes, fc.uint8Array({ maxLength: 100 }), fc.nat(), fc.nat(), (prefix, data, at, by) => {
        const text = encodeBech32(prefix, data);
        assert.deepEqual(decodeBech32(prefix, text), new Uint8Array(data));
        assert.deepEqual(decodeBech32(prefix, upperCase(text.slice())), new Uint8Array(data));
        assert.equal(decodeBech32(`${prefix}a`, text), undefined);
        assert.equal(decodeBech32(prefix.slice(1), text), undefined);
        const wrong = text.slice();
        const place = prefix.length + 1 + (at % (text.length - prefix.length - 1));
        const digits = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
        const digit = digits.indexOf(String.fromCharCode(text[place] ?? 0));
        wrong[place] = digits.charCodeAt((digit + 1 + (by % 31)) % 32);
        assert.equal(decodeBech32(prefix, wrong), undefined);
      }),
    );
  });

  test('takes no other text, whatever it is and however long', () => {
    fc.assert(
      fc.property(prefixes, fc.uint8Array({ maxLength: 200 }), (prefix, bytes) => {
        assert.equal(decodeBech32(prefix, bytes), undefined);
      }),
    );
    assert.equal(decodeBech32('age', new Uint8Array(1 << 20).fill(0x31)), undefined);
  });
});
