import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { printable, printableJson } from '../../protocol/printable.ts';

const anyText = fc.string({ unit: 'binary' });
const steering = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

describe('A18: what a terminal is shown', () => {
  test('text from a store never steers a terminal', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        assert.doesNotMatch(printable(text), steering);
        assert.doesNotMatch(printableJson({ [text]: text }), steering);
      }),
    );
  });

  test('escape sequences, line ends, bidi marks and half surrogates are shown as what they are', () => {
    assert.equal(printable('\x1b[2J\x9b1m\x7f'), '\\x1b[2J\\x9b1m\\x7f');
    assert.equal(printable('a\nb\r\u2028'), 'a\\nb\\x0d\\u{2028}');
    assert.equal(printable('\u202egnp.exe'), '\\u{202e}gnp.exe');
    assert.equal(printable('\ud800'), '\\u{d800}');
  });

  test('names that hushd accepts, and words in any script, pass unchanged', () => {
    for (const text of ['ws:42/API-token_1.old', 'Grüße, 世界', '$(rm -rf /)'])
      assert.equal(printable(text), text);
  });

  test('JSON with escapes parses to the same value', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        assert.deepEqual(JSON.parse(printableJson({ value: text })), { value: text });
      }),
    );
    assert.equal(printableJson('\u{e0001}'), '"\\udb40\\udc01"');
  });
});
