import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { columns, countText, durationText, sizeText } from '../../cli/format.ts';

describe('figures for people', () => {
  test('a span of time shows its two largest units', () => {
    const spans = [0, 59_999, 60_000, 3_599_000, 3_600_000, 86_400_000 + 7_200_000];
    assert.deepEqual(spans.map(durationText), [
      '0 s',
      '59 s',
      '1 min 0 s',
      '59 min 59 s',
      '1 h 0 min',
      '1 d 2 h',
    ]);
  });

  test('a size shows a unit that fits it', () => {
    assert.deepEqual([0, 1, 1023, 1024, 1536, 1024 ** 2 * 90].map(sizeText), [
      '0 bytes',
      '1 byte',
      '1023 bytes',
      '1.0 KiB',
      '1.5 KiB',
      '90.0 MiB',
    ]);
  });

  test('one thing is one, and the rest are many', () => {
    assert.deepEqual([countText(0, 'secret'), countText(1, 'secret')], ['0 secrets', '1 secret']);
    assert.equal(countText(2, 'miss', 'misses'), '2 misses');
  });

  test('columns stand under each other', () => {
    assert.deepEqual(
      columns([
        ['a', 'bb', 'c'],
        ['aaa', 'b', ''],
      ]),
      ['a    bb  c', 'aaa  b   '],
    );
    assert.deepEqual(columns([]), []);
  });

  test('columns of very many rows are made in one pass', () => {
    const rows = Array.from({ length: 200_000 }, (_, index) => [String(index), 'x']);
    assert.deepEqual(columns(rows).slice(-1), ['199999  x']);
    assert.deepEqual(columns(rows).slice(0, 1), ['0       x']);
  });
});
