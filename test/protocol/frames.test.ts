import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HushError } from '../../protocol/errors.ts';
import { createFrameEncoder, createFrameReader, decodeMessage } from '../../protocol/frames.ts';

const limit = 1_000_000;
const encoder = createFrameEncoder();
const frameOf = (message: object): Buffer => encoder.encode(message, limit, (frame) => Buffer.from(frame));
const read = (stream: Uint8Array, cuts: readonly number[], maxBytes = limit): Record<string, unknown>[] => {
  const reader = createFrameReader(maxBytes);
  const messages: Record<string, unknown>[] = [];
  let from = 0;
  for (const to of [...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]) {
    reader.push(stream.subarray(from, to), (bytes, start, end) => {
      messages.push(structuredClone(decodeMessage(Uint8Array.from(bytes), start, end)));
      return true;
    });
    from = to;
  }
  assert.equal(reader.pending(), false);
  return messages;
};

const message = fc.record({
  id: fc.nat(),
  op: fc.string({ unit: 'grapheme' }),
  params: fc.record({ value: fc.uint8Array({ maxLength: 3000 }), path: fc.string(), flag: fc.boolean() }),
});

test('messages come out of a stream as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(frameOf));
        const plain = read(stream, cuts).map((each) => JSON.stringify(each));
        assert.deepEqual(
          plain,
          messages.map((each) => JSON.stringify(each)),
        );
      },
    ),
  );
});

test('an integer is a number whatever width it was written in, and one that a number cannot hold is none', () => {
  const wide = (type: number, value: bigint): unknown => {
    const bytes = Buffer.from([0x81, 0xa1, 0x6e, type, ...new Uint8Array(8)]);
    bytes.writeBigUInt64BE(BigInt.asUintN(64, value), 4);
    return decodeMessage(bytes, 0, bytes.length)['n'];
  };
  for (const value of [0, 7, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    assert.equal(wide(0xcf, BigInt(value)), value);
    assert.equal(wide(0xd3, BigInt(value)), value);
  }
  assert.equal(wide(0xd3, -7n), -7);
  assert.equal(Number.isSafeInteger(wide(0xcf, 2n ** 53n)), false);
  assert.equal(Number.isSafeInteger(wide(0xcf, 2n ** 53n + 1n)), false);
  assert.equal(Number.isSafeInteger(wide(0xcf, 2n ** 64n - 1n)), false);
});

test('an encoder keeps nothing of a message, small or large', () => {
  for (const size of [10, 100_000, 700_000]) {
    let seen: Uint8Array | undefined;
    encoder.encode({ value: new Uint8Array(size).fill(7) }, limit, (frame) => {
      seen = frame;
      assert.ok(frame.includes(7));
    });
    assert.ok(seen !== undefined && !seen.some((byte) => byte !== 0));
  }
});

test('a frame whose prefix is over the limit is refused before a byte of it is taken', () => {
  const reader = createFrameReader(100);
  assert.throws(
    () => {
      reader.push(Buffer.of(0xff, 0xff, 0xff, 0xff), () => true);
    },
    (error: unknown) =>
      error instanceof HushError && error.code === 'TOO_LARGE' && error.limit === 'frameBytes',
  );
});

test('a reader that is told to wait hands over the rest later, in order', () => {
  const stream = Buffer.concat([1, 2, 3].map((id) => frameOf({ id })));
  const reader = createFrameReader(limit);
  const seen: unknown[] = [];
  const onFrame = (more: boolean) => (bytes: Uint8Array, start: number, end: number) => {
    seen.push(decodeMessage(bytes, start, end)['id']);
    return more;
  };
  reader.push(stream, onFrame(false));
  assert.deepEqual(seen, [1]);
  reader.push(new Uint8Array(0), onFrame(true));
  assert.deepEqual(seen, [1, 2, 3]);
});

test('a message over the limit is not encoded', () => {
  assert.throws(
    () => encoder.encode({ value: new Uint8Array(2000) }, 1000, () => undefined),
    (error: unknown) => error instanceof HushError && error.code === 'TOO_LARGE',
  );
});

test('a reader that is wiped in the middle of a chunk keeps nothing of it, and takes nothing any more', () => {
  const [first, second] = [1, 2].map((id) => frameOf({ id, filler: new Uint8Array(500) }));
  if (first === undefined || second === undefined) throw new Error('two frames were made');
  for (const cutAt of [0, 100]) {
    const reader = createFrameReader(limit);
    let seen = 0;
    const onFrame = (): boolean => {
      seen++;
      reader.wipe();
      return false;
    };
    const stream = Buffer.concat([first, second]);
    reader.push(stream.subarray(0, cutAt), onFrame);
    reader.push(stream.subarray(cutAt), onFrame);
    assert.equal(reader.pending(), false);
    reader.push(second, onFrame);
    assert.equal(seen, 1);
  }
});
