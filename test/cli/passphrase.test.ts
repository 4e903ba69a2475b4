import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { charactersOf, passphraseOf, utf8Of } from '../../cli/passphrase.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const refusal = (code: string) => ({ name: 'HushError', code });

describe('a passphrase', () => {
  test('becomes UTF-8 in NFKC, however it was typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        assert.deepEqual(passphraseOf(utf8(text)), passphraseOf(utf8(text.normalize('NFKC'))));
        assert.deepEqual(Buffer.from(passphraseOf(utf8(text))), Buffer.from(text.normalize('NFKC')));
      }),
    );
    assert.deepEqual(passphraseOf(utf8('e\u0301')), passphraseOf(utf8('é')));
  });

  test('keeps blanks, a byte order mark and control characters: nothing but NFKC changes it', () => {
    for (const text of [' a b ', '\ufeffa', 'a\tb', 'a\r']) {
      assert.deepEqual(Buffer.from(passphraseOf(utf8(text))), Buffer.from(text));
    }
  });

  test('is refused when it is empty or not UTF-8', () => {
    assert.throws(() => passphraseOf(utf8('')), refusal('BAD_REQUEST'));
    assert.throws(() => passphraseOf(Uint8Array.of(0x66, 0xff)), refusal('BAD_REQUEST'));
  });

  test('lies in memory of its own, off the heap of V8', () => {
    const typed = utf8('correct horse');
    const passphrase = passphraseOf(typed);
    typed.fill(0);
    assert.equal(new TextDecoder().decode(passphrase), 'correct horse');
    assert.equal(passphrase.buffer.byteLength, passphrase.length);
  });

  test('is counted in characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(charactersOf(utf8Of(text)), Array.from(text).length);
      }),
    );
  });
});
