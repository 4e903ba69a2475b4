import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { structuralFault } from '../../protocol/structure.ts';

const packr = new Packr({ useRecords: false });
const fault = (bytes: Uint8Array): string | undefined => structuralFault(bytes, 0, bytes.length);
const of = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'grapheme' }),
  fc.uint8Array(),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 6 }),
    fc.dictionary(
      fc.string({ maxLength: 20 }).filter((key) => key !== '__proto__'),
      tie('tree'),
      { maxKeys: 6 },
    ),
  ),
}));
const message = fc.dictionary(
  fc.string({ maxLength: 20 }).filter((key) => key !== '__proto__'),
  tree,
  { maxKeys: 6 },
);

test('whatever the packer makes of a plain map is well formed', () => {
  fc.assert(
    fc.property(message, (value) => {
      assert.equal(fault(packr.pack(value)), undefined);
    }),
    { numRuns: 1000 },
  );
});

test('a message cut at any byte, or with bytes after it, is refused', () => {
  fc.assert(
    fc.property(message, fc.nat(), (value, at) => {
      const bytes = packr.pack(value);
      assert.ok(fault(bytes.subarray(0, at % bytes.length)) !== undefined);
      assert.equal(fault(Buffer.concat([bytes, Buffer.of(0)])), 'bytes follow the message');
    }),
  );
});

test('random bytes never make it throw, or read past the end of the message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 8 }), (bytes, behind) => {
      const whole = Uint8Array.from([...bytes, ...behind]);
      assert.equal(structuralFault(whole, 0, bytes.length), fault(bytes));
    }),
    { numRuns: 5000 },
  );
});

test('each thing that could hurt a decoder has its own refusal', () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['it is not a map', of()],
    ['it is not a map', of(0x90)],
    ['it is not a map', of(0xa1, 0x61)],
    ['it ends too early', of(0x81, 0xa1, 0x61, 0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['it ends too early', of(0x81, 0xa1, 0x61, 0xc6, 0xff, 0xff, 0xff, 0xff)],
    ['it ends too early', of(0x81, 0xa1, 0x61, 0xdb, 0xff, 0xff, 0xff, 0xff)],
    ['it ends too early', of(0x81, 0xd9)],
    ['a map has too many keys', of(0xdf, 0xff, 0xff, 0xff, 0xff)],
    ['a key stands twice in a map', of(0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02)],
    ['a key stands twice in a map', of(0x82, 0xa1, 0x61, 0x01, 0xd9, 0x01, 0x61, 0x02)],
    ['a key of a map is not a short string', of(0x81, 0x01, 0x01)],
    ['a key of a map is not a short string', of(0x81, 0xc4, 0x01, 0x61, 0x01)],
    ['a key is not allowed', of(0x81, 0xa9, ...Buffer.from('__proto__'), 0x01)],
    ['a key is not allowed', of(0x81, 0xd9, 0x09, ...Buffer.from('__proto__'), 0x01)],
    ['its text is not UTF-8', of(0x81, 0xa1, 0x61, 0xa1, 0xff)],
    ['its text is not UTF-8', of(0x81, 0xa1, 0xff, 0x01)],
    ['a number is not finite', of(0x81, 0xa1, 0x61, 0xca, 0x7f, 0xc0, 0, 0)],
    ['a number is not finite', of(0x81, 0xa1, 0x61, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0)],
    ['it uses an extension type', of(0x81, 0xa1, 0x61, 0xd4, 0x00, 0x00)],
    ['it uses an extension type', of(0x81, 0xa1, 0x61, 0xc7, 0x00, 0x00)],
    ['it uses an extension type', of(0x81, 0xa1, 0x61, 0xc1)],
    ['it is nested too deeply', of(0x81, 0xa1, 0x61, ...Array<number>(9).fill(0x91), 0xc0)],
    [
      'it holds too many values',
      Buffer.concat([of(0x81, 0xa1, 0x61, 0xdd, 0x00, 0x04, 0x00, 0x00), Buffer.alloc(0x40000)]),
    ],
  ];
  for (const [expected, bytes] of cases) assert.equal(fault(bytes), expected);
});
