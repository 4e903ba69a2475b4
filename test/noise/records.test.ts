import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { newBytes } from '../../noise/bytes.ts';
import {
  createRecordReader,
  longestHello,
  prologueOf,
  sealedLength,
  sealRecords,
} from '../../noise/records.ts';
import { longestPlaintext } from '../../noise/transport.ts';
import { createFrameEncoder, createFrameReader, decodeMessage } from '../../protocol/frames.ts';
import { bytesOf, connected, flipBit, hexOf, readAll, recordsOf, seal, withCode } from './fixtures.ts';

/** The bytes cut at the places given. */
function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...places.map((place) => place % (bytes.byteLength + 1)), bytes.byteLength].sort(
    (a, b) => a - b,
  );
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

describe('the records of an enrolled connection', () => {
  test('a stream arrives as it was, however long it is and however it is cut on the way', () => {
    const { client, daemon } = connected();
    const property = fc.property(
      fc.integer({ min: 0, max: 200_000 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.nat(255),
      (length, places, byte) => {
        const plain = newBytes(length).map((_, at) => (at * 31 + byte) & 0xff);
        const records = recordsOf(client, plain);
        assert.equal(records.byteLength, sealedLength(length));
        assert.ok(Buffer.from(readAll(daemon, cutAt(records, places))).equals(plain));
      },
    );
    fc.assert(property, { numRuns: 40 });
  });

  test('no record is longer than a Noise message, and only the last of a stream is shorter', () => {
    const { client } = connected();
    for (const [length, expected] of [
      [1, [17]],
      [longestPlaintext, [65_535]],
      [longestPlaintext + 1, [65_535, 17]],
      [3 * longestPlaintext, [65_535, 65_535, 65_535]],
    ] as const) {
      const lengths: number[] = [];
      createFrameReader(65_535).push(recordsOf(client, newBytes(length)), (_, start, end) => {
        lengths.push(end - start);
        return true;
      });
      assert.deepEqual(lengths, expected);
    }
  });

  test('frames come out of records whole: several in one, and one in several', () => {
    const { client, daemon } = connected();
    const encoder = createFrameEncoder();
    const messages = [
      { id: 1, op: 'a', params: {} },
      { id: 2, op: 'b', params: { value: newBytes(150_000).fill(1) } },
      { id: 3, op: 'c', params: { value: newBytes(10) } },
    ];
    const frames = messages.map((message) =>
      encoder.encode(message, 1 << 20, (frame) => Uint8Array.from(frame)),
    );
    const got: unknown[] = [];
    const inner = createFrameReader(1 << 20);
    createRecordReader(daemon).push(recordsOf(client, Buffer.concat(frames)), (plain) => {
      inner.push(plain, (bytes, start, end) => {
        got.push(decodeMessage(bytes, start, end)['id']);
        return true;
      });
      return true;
    });
    assert.deepEqual(got, [1, 2, 3]);
    assert.equal(inner.pending(), false);
  });

  test('a changed bit anywhere in a stream of records is refused, wherever it is', () => {
    const property = fc.property(fc.nat(), (place) => {
      const { client, daemon } = connected();
      const records = recordsOf(client, newBytes(100).fill(9));
      const changed = flipBit(records, place % (8 * records.byteLength));
      const reader = createRecordReader(daemon);
      try {
        reader.push(changed, () => assert.fail('a changed record was opened'));
        // A longer length is waited for; what comes then cannot be genuine either.
        assert.ok(reader.pending());
        assert.throws(() => reader.push(newBytes(65_535), () => true), withCode('UNIDENTIFIED'));
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        const isRefusal = [withCode('UNIDENTIFIED'), withCode('TOO_LARGE')].some((check) => {
          try {
            return check(error);
          } catch {
            return false;
          }
        });
        assert.ok(isRefusal, String(error));
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('a record of a length that none can have is refused at once', () => {
    for (const [prefix, code] of [
      [[0, 0, 0, 0], 'UNIDENTIFIED'],
      [[0, 0, 0, 16, ...new Uint8Array(16)], 'UNIDENTIFIED'],
      [[0, 1, 0, 0], 'TOO_LARGE'],
      [[255, 255, 255, 255], 'TOO_LARGE'],
    ] as const) {
      const { daemon } = connected();
      const reader = createRecordReader(daemon);
      assert.throws(() => reader.push(Uint8Array.from(prefix), () => true), withCode(code));
    }
    const { client, daemon } = connected();
    const empty = Buffer.concat([Uint8Array.of(0, 0, 0, 16), seal(client, newBytes(0))]);
    assert.throws(() => readAll(daemon, [empty]), withCode('UNIDENTIFIED'));
  });

  test('what was opened is wiped when it has been taken', () => {
    const { client, daemon } = connected();
    let kept: Uint8Array | undefined;
    createRecordReader(daemon).push(recordsOf(client, bytesOf('a secret')), (plain) => {
      kept = plain;
      assert.equal(hexOf(plain), hexOf(bytesOf('a secret')));
      return true;
    });
    assert.ok(kept?.every((byte) => byte === 0));
  });

  test('records that are put off come with the next call, and none after a wipe', () => {
    const { client, daemon } = connected();
    const three = Buffer.concat(['one', 'two', 'three'].map((text) => recordsOf(client, bytesOf(text))));
    const reader = createRecordReader(daemon);
    const got: string[] = [];
    const take = (goOn: boolean) => (plain: Uint8Array) => {
      got.push(Buffer.from(plain).toString());
      return goOn;
    };
    reader.push(three, take(false));
    assert.deepEqual(got, ['one']);
    assert.ok(reader.pending());
    reader.push(newBytes(0), take(false));
    assert.deepEqual(got, ['one', 'two']);
    reader.wipe();
    reader.push(recordsOf(client, bytesOf('four')), take(true));
    assert.deepEqual(got, ['one', 'two']);
  });

  test('records need all the room that they take', () => {
    const { client } = connected();
    assert.throws(() => sealRecords(client, newBytes(100), newBytes(119)), RangeError);
  });

  test('the prologue is both hellos, and a hello of more than 4,096 bytes is refused', () => {
    assert.equal(hexOf(prologueOf(bytesOf('ab'), bytesOf('cd'))), hexOf(bytesOf('abcd')));
    assert.equal(prologueOf(newBytes(4 + longestHello), newBytes(4 + longestHello)).byteLength, 8200);
    assert.throws(() => prologueOf(newBytes(5 + longestHello), newBytes(9)), withCode('BAD_REQUEST'));
    assert.throws(() => prologueOf(newBytes(9), newBytes(5 + longestHello)), withCode('BAD_REQUEST'));
  });
});
