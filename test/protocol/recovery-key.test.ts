import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HushError } from '../../protocol/errors.ts';
import { parseRecoveryKey, recoveryTextLength, writeRecoveryKey } from '../../protocol/recovery-key.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
const symbol = fc.nat({ max: 31 }).map((value) => alphabet.charAt(value));
/** Which of the 70 symbols after the prefix. */
const place = fc.nat({ max: 69 });

function textOf(key: Uint8Array): string {
  const text = new Uint8Array(recoveryTextLength);
  writeRecoveryKey(key, text);
  return Buffer.from(text).toString('latin1');
}

function keyOf(text: string): Uint8Array {
  const key = new Uint8Array(32);
  parseRecoveryKey(Buffer.from(text), key);
  return key;
}

/** The place in the text of a symbol after the prefix. */
const at = (index: number): number => 4 + Math.floor(index / 5) * 6 + (index % 5);
const groupOf = (index: number): number => Math.floor(index / 5) + 1;
const withSymbol = (text: string, index: number, other: string): string =>
  text.slice(0, at(index)) + other + text.slice(at(index) + 1);
const symbolOf = (text: string, index: number): string => text.charAt(at(index));

/** Refused as mistyped, with these words; the key is wiped, and nothing typed is repeated. */
function refused(text: string, ...words: (string | RegExp)[]): true {
  const key = new Uint8Array(32).fill(1);
  assert.throws(
    () => {
      parseRecoveryKey(Buffer.from(text), key);
    },
    (error) => {
      assert(error instanceof HushError, String(error));
      assert.equal(error.code, 'BAD_REQUEST');
      for (const word of words) assert.match(error.message, new RegExp(word));
      for (const group of text.split('-').slice(1)) {
        if (group.length > 2) assert.ok(!`${error.message} ${error.hint}`.includes(group));
      }
      return true;
    },
  );
  assert.ok(key.every((byte) => byte === 0));
  return true;
}

describe('the text of a recovery key', () => {
  test('is read back, whatever the case, the separators and the look-alikes', () => {
    const separators = fc.constantFrom('-', ' ', '', '\t', ' - ', '\r\n', '_');
    fc.assert(
      fc.property(keys, separators, fc.boolean(), (key, separator, lower) => {
        const text = textOf(key);
        assert.match(text, /^HR1(-[0-9A-HJKMNP-TV-Z]{5}){14}$/);
        assert.deepEqual(keyOf(text), key);
        const typed = text.replaceAll('-', separator).replaceAll('0', 'O').replaceAll('1', 'l');
        assert.deepEqual(keyOf(` ${lower ? typed.toLowerCase() : typed}\n`), key);
        assert.deepEqual(keyOf(text.replaceAll('1', 'I').replaceAll('0', 'o')), key);
      }),
    );
  });

  test('with one wrong character is always refused, and its group is named', () => {
    fc.assert(
      fc.property(keys, place, symbol, (key, index, other) => {
        const text = textOf(key);
        fc.pre(symbolOf(text, index) !== other);
        refused(withSymbol(text, index, other), `^group ${groupOf(index)} of .* is mistyped$`);
      }),
      { numRuns: 2000 },
    );
    const text = textOf(new Uint8Array(32).fill(0xa5));
    for (let index = 0; index < 70; index += 1) {
      for (const other of alphabet) {
        if (other !== symbolOf(text, index))
          refused(withSymbol(text, index, other), `^group ${groupOf(index)} `);
      }
    }
  });

  test('with two neighbours swapped is always refused, also across groups', () => {
    fc.assert(
      fc.property(keys, fc.nat({ max: 68 }), (key, index) => {
        const text = textOf(key);
        const [one, two] = [symbolOf(text, index), symbolOf(text, index + 1)];
        fc.pre(one !== two);
        refused(withSymbol(withSymbol(text, index, two), index + 1, one), `${groupOf(index)}.* mistyped$`);
      }),
      { numRuns: 2000 },
    );
  });

  test('with anything wrong within one group is always refused', () => {
    const group = fc.array(symbol, { minLength: 5, maxLength: 5 }).map((symbols) => symbols.join(''));
    fc.assert(
      fc.property(keys, fc.nat({ max: 13 }), group, (key, number, other) => {
        const groups = textOf(key).split('-');
        fc.pre(groups[number + 1] !== other);
        refused(groups.with(number + 1, other).join('-'), 'mistyped$');
      }),
      { numRuns: 2000 },
    );
  });

  test('with two groups swapped, one left out or one too many is refused', () => {
    fc.assert(
      fc.property(keys, fc.nat({ max: 13 }), fc.nat({ max: 13 }), (key, a, b) => {
        const groups = textOf(key).split('-');
        const [one = '', two = ''] = [groups[a + 1], groups[b + 1]];
        if (one !== two) {
          const [first, last] = [Math.min(a, b) + 1, Math.max(a, b) + 1];
          refused(
            groups
              .with(a + 1, two)
              .with(b + 1, one)
              .join('-'),
            `^groups ${first} and ${last} of .* are mistyped$`,
          );
        }
        refused(groups.toSpliced(a + 1, 1).join('-'), '73 characters .* 68 were given$');
        refused(groups.toSpliced(a + 1, 0, one).join('-'), '73 characters .* 78 were given$');
      }),
    );
  });

  test('with a character too few or too many names the group that has them', () => {
    const groups = textOf(new Uint8Array(32)).split('-');
    refused(groups.with(4, groups[4]?.slice(1) ?? '').join('-'), '^group 4 of');
    refused(groups.with(9, `${groups[9] ?? ''}7`).join('-'), '^group 9 of');
    refused(groups.with(9, `${groups[9]?.slice(1) ?? ''}U`).join('-'), '^group 9 of');
    refused(groups.join('').slice(0, -1), '73 characters .* 72 were given');
  });

  test('that is nothing, of another version, or far too long is refused', () => {
    const text = textOf(new Uint8Array(32));
    refused('', 'is empty');
    refused(' - \n', 'is empty');
    refused(text.replace('HR1', 'HR2'), 'begins with HR1');
    refused(text.replace('HR1-', ''), 'begins with HR1');
    refused('correct horse battery staple', 'begins with HR1');
    refused(`HR1-${'0'.repeat(100_000)}`, '73 characters');
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (typed) => refused(typed)));
    fc.assert(fc.property(fc.uint8Array(), (typed) => refused(Buffer.from(typed).toString('latin1'))));
  });

  test('takes keys of 32 bytes only', () => {
    assert.throws(() => textOf(new Uint8Array(31)), RangeError);
    assert.throws(() => {
      parseRecoveryKey(Buffer.from('HR1'), new Uint8Array(33));
    }, RangeError);
  });
});
