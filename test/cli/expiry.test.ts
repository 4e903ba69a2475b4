import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { expiryOf, expiryText } from '../../cli/expiry.ts';

const now = new Date('2026-11-22T12:00:00.000Z');

describe('an expiry', () => {
  test('is so long from now, a time, or the end of a day here', () => {
    assert.equal(expiryOf('30d', now), '2026-12-22T12:00:00.000Z');
    assert.equal(expiryOf('90m', now), '2026-11-22T13:30:00.000Z');
    assert.equal(expiryOf('2027-01-31T08:00:00Z', now), '2027-01-31T08:00:00.000Z');
    assert.equal(expiryOf('2027-01-31T08:00+01:00', now), '2027-01-31T07:00:00.000Z');
    assert.equal(expiryOf('2027-01-31', now), new Date(2027, 1, 1).toISOString());
    assert.equal(expiryOf('2027-01-31 08:00', now), new Date(2027, 0, 31, 8).toISOString());
  });

  test('is to come, on a day that there is, and within what a date can say', () => {
    const refused = [
      ['2026-11-22T12:00:00Z', 'that time is over'],
      ['2020-01-01', 'that time is over'],
      ['0d', 'that is no time'],
      ['-1d', 'that is no time'],
      ['tomorrow', 'that is no time'],
      ['', 'that is no time'],
      ['2027-02-30', 'that is no time'],
      ['2027-02-29T00:00:00Z', 'that is no time'],
      ['2027-01-31T25:00', 'that is no time'],
      ['999999999d', 'that time is too far away'],
    ];
    for (const [text = '', message = ''] of refused) {
      assert.throws(() => expiryOf(text, now), { code: 'BAD_REQUEST', message }, text);
    }
  });

  test('of any text is a moment to come, or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          assert.ok(Date.parse(expiryOf(text, now)) > now.getTime());
        } catch (error) {
          assert.equal(error instanceof Error && 'code' in error ? error.code : error, 'BAD_REQUEST');
        }
      }),
    );
  });

  test('is told with the time that is left where that is at most a week', () => {
    assert.equal(expiryText('2026-11-22T11:00:00Z', now), 'expired 2026-11-22T11:00:00Z');
    assert.equal(expiryText('2026-11-24T13:00:00Z', now), 'expires 2026-11-24T13:00:00Z, in 2 d 1 h');
    assert.equal(expiryText('2027-11-24T13:00:00Z', now), 'expires 2027-11-24T13:00:00Z');
  });
});
