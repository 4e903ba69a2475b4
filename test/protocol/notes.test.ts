import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { isMoment, isNote, mostNoteBytes, tagPattern } from '../../protocol/notes.ts';

test('a note is text of at most 1,024 bytes without control characters but newline', () => {
  for (const note of ['', 'one line', 'two\nlines', 'ω'.repeat(512), '👩‍🚀', ' '.repeat(mostNoteBytes)])
    assert.ok(isNote(note), JSON.stringify(note));
  for (const note of [
    '\r\n',
    '\t',
    '\u0000',
    '\u001b[31m',
    '\u007f',
    '\u0085',
    '\u2028',
    '\ud800',
    'x'.repeat(1025),
    'ω'.repeat(513),
  ])
    assert.ok(!isNote(note), JSON.stringify(note));
});

test('a note that is taken comes back from UTF-8 as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      if (isNote(text)) assert.equal(new TextDecoder().decode(new TextEncoder().encode(text)), text);
    }),
  );
});

test('a moment is a time in UTC with seconds, on a day that there is', () => {
  for (const text of ['2026-12-31T23:59:59Z', '2024-02-29T00:00:00.5Z', '0001-01-01T00:00:00.000Z'])
    assert.ok(isMoment(text), text);
  for (const text of [
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T23:59:60Z',
    '2026-01-01T00:00:00+00:00',
    '2026-01-01T00:00:00',
    '2026-01-01',
    '2026-01-01T00:00:00.0000Z',
    '+012026-01-01T00:00:00Z',
    'tomorrow',
    '',
  ])
    assert.ok(!isMoment(text), text);
});

test('every date of the calendar that JavaScript writes is a moment', () => {
  const years = {
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  };
  fc.assert(fc.property(fc.date(years), (date) => assert.ok(isMoment(date.toISOString()))));
});

test('a tag is 1 to 64 of letters, digits, dot, underscore and hyphen', () => {
  for (const tag of ['a', 'A.b_c-9', 'x'.repeat(64)]) assert.match(tag, tagPattern);
  for (const tag of ['', ' ', 'a b', 'a,b', 'ä', 'a\n', 'x'.repeat(65)]) assert.doesNotMatch(tag, tagPattern);
});
