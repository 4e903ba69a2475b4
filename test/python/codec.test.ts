import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';

const client = fileURLToPath(new URL('hush_client.py', import.meta.url));
const packr = new Packr({ useRecords: false, variableMapSize: true });
const packrOfWideMaps = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

/** What the Python client makes of messages: decoded, and encoded again. */
function throughPython(messages: readonly Uint8Array[]): Buffer[] {
  const input = messages.map((message) => Buffer.from(message).toString('hex')).join('\n');
  const { status, stdout, stderr } = spawnSync('python3', [client, '-', 'codec'], {
    input,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line, 'hex'));
}

const text = fc.string({ unit: 'binary', maxLength: 300 }).filter((value) => value.isWellFormed());
const scalar = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.maxSafeInteger(),
  fc.integer({ min: -40_000, max: 70_000 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
  text,
  fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
);
const key = fc.string({ maxLength: 40 }).filter((name) => name !== '__proto__');
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}));

describe('the MessagePack of the Python client', () => {
  test('whatever msgpackr encodes comes back as the same value', () => {
    const values = fc.sample(anything, { numRuns: 500, seed: 1 });
    for (const packer of [packr, packrOfWideMaps]) {
      const messages = values.map((value) => Buffer.from(packer.pack(value)));
      const back = throughPython(messages).map((message): unknown => unpackr.unpack(message));
      assert.deepEqual(back, values);
    }
  });

  test('every length and number on the edge between two forms comes back as the same value', () => {
    const lengths = [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536];
    const numbers = [
      0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, -1, -32, -33, -128, -129, -32_768,
      -32_769, -2_147_483_648, -2_147_483_649,
    ];
    const values = [
      ...numbers,
      ...lengths.map((length) => 'a'.repeat(length)),
      ...lengths.map((length) => Buffer.alloc(length, 7)),
      ...lengths.map((length) => new Array<number>(length).fill(1)),
      Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`key ${index}`, index])),
    ];
    const back = throughPython(values.map((value) => Buffer.from(packr.pack(value))));
    assert.deepEqual(
      back.map((message): unknown => unpackr.unpack(message)),
      values,
    );
  });

  test('integers of 64 bits keep every bit', () => {
    const messages = ['cfffffffffffffffff', 'cf0000000100000000', 'd38000000000000000', 'd3ffffffff7fffffff'];
    const back = throughPython(messages.map((message) => Buffer.from(message, 'hex')));
    assert.deepEqual(
      back.map((message) => message.toString('hex')),
      messages,
    );
  });

  test('what is not one message is refused', () => {
    for (const message of ['c1', '81a161', 'd40100', '0101', '82a16101a16102']) {
      const { status, stderr } = spawnSync('python3', [client, '-', 'codec'], {
        input: message,
        encoding: 'utf8',
      });
      assert.equal(status, 1, message);
      assert.match(stderr, /^codec: /);
    }
  });
});
