import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import {
  type HeaderBody,
  type Opener,
  parseHeader,
  serialiseHeader,
  verifyHeader,
} from '../../daemon/keys/header.ts';
import { makeGroupOpener } from '../../daemon/keys/opener.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  arena,
  argon2Queue,
  bytesOf,
  filled,
  flip,
  key,
  newProfileKeys,
  passphrase,
  textOf,
  withCode,
} from './fixtures.ts';

const macKey = filled(32, 42);
const made = await newProfileKeys([passphrase('correct horse'), key(7)]);
made.keyring.close();

const hexText = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const base64Text = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => Buffer.from(bytes).toString('base64'));
const time = fc
  .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const record = <Fields>(fields: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> }) =>
  fc.record<Fields>(fields, { noNullPrototype: true });
const slot = fc.oneof(
  record({
    id: hexText(16),
    kind: fc.constant('passphrase' as const),
    label: fc.string({ maxLength: 40, unit: 'grapheme' }),
    createdAt: time,
    public: base64Text(32),
    kdf: record({
      name: fc.constant('argon2id' as const),
      salt: base64Text(16),
      memoryKiB: fc.integer({ min: 19456, max: 4194304 }),
      passes: fc.integer({ min: 2, max: 16 }),
      lanes: fc.constant(1 as const),
    }),
  }),
  record({
    id: hexText(16),
    kind: fc.constantFrom('key' as const, 'recovery' as const),
    label: fc.string({ maxLength: 40, unit: 'grapheme' }),
    createdAt: time,
    public: base64Text(32),
    kdf: record({ name: fc.constant('hkdf-sha256' as const), salt: base64Text(32) }),
  }),
);
/** Headers with one opener a slot, and a group of all where there is more than one. */
const headers: fc.Arbitrary<HeaderBody> = record({
  vaultId: hexText(32),
  generation: fc.integer({ min: 1, max: 2 ** 40 }),
  createdAt: time,
  slots: fc.uniqueArray(slot, { minLength: 1, maxLength: 8, selector: ({ id }) => id }),
  sealed: base64Text(80),
  groupPublic: base64Text(32),
}).map(({ sealed, groupPublic, slots, ...rest }) => ({
  format: 1,
  ...rest,
  files: { vault: 'vault.db', keyset: 'keyset' },
  slots,
  openers: [
    ...slots.map((one) => ({ id: one.id, slots: [one.id], public: one.public, sealed })),
    ...(slots.length > 1
      ? [
          {
            id: 'ffffffffffffffff',
            slots: slots.map(({ id }) => id),
            public: groupPublic,
            shares: slots.map(({ id }) => ({ slot: id, sealed })),
            sealed,
          },
        ]
      : []),
  ],
}));

/** The file with another body or number, and a checksum that fits. */
function rechecksummed(file: Uint8Array, edit: (text: string) => string): Uint8Array {
  const text = edit(textOf(file));
  const summed = text.slice(0, text.lastIndexOf('checksum '));
  const checksum = createHash('sha256').update(summed).digest('hex');
  return bytesOf(`${summed}checksum ${checksum}\n`);
}

/** Every value in a JSON value, with the path to it. */
function leaves(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, [...path, name]));
}

function edited(
  value: unknown,
  [name, ...rest]: readonly string[],
  change: (leaf: unknown) => unknown,
): unknown {
  if (name === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.map((inner: unknown, index) =>
      String(index) === name ? edited(inner, rest, change) : inner,
    );
  }
  assert.ok(typeof value === 'object' && value !== null);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, key === name ? edited(inner, rest, change) : inner]),
  );
}

/** Another value that is likely to be as valid as the first. */
function otherLeaf(leaf: unknown): unknown {
  if (typeof leaf === 'number') return leaf + 1;
  if (typeof leaf !== 'string') return leaf;
  if (/^[0-9a-f]{16,}$/.test(leaf)) return (leaf.startsWith('a') ? 'b' : 'a') + leaf.slice(1);
  if (leaf.length >= 24 && /^[A-Za-z0-9+/]+=*$/.test(leaf))
    return (leaf.startsWith('A') ? 'B' : 'A') + leaf.slice(1);
  if (/^\d{4}-/.test(leaf)) return `1999${leaf.slice(4)}`;
  return `${leaf}x`;
}

describe('the header', () => {
  test('is read back as it was written, and its MAC fits', () => {
    fc.assert(
      fc.property(headers, (body) => {
        const header = parseHeader(serialiseHeader(body, macKey));
        assert.deepEqual(header.body, body);
        verifyHeader(header, macKey);
        assert.throws(() => {
          verifyHeader(header, filled(32, 1));
        }, withCode('INTEGRITY'));
      }),
    );
  });

  test('B3: with any one byte changed is DAMAGED, or newer where the byte is the format number', () => {
    const file = made.headerBytes;
    const numberAt = 'hushd-header '.length;
    for (let index = 0; index < file.length; index += 1) {
      for (const mask of [0x01, 0x02, 0x80, 0xff]) {
        const codes = index === numberAt && mask === 0x02 ? ['NEWER_FORMAT' as const] : ['DAMAGED' as const];
        assert.throws(() => parseHeader(flip(file, index, mask)), withCode(...codes), `byte ${index}`);
      }
    }
  });

  test('cut short anywhere, or longer than it was, is DAMAGED', () => {
    const file = made.headerBytes;
    for (let length = 0; length < file.length; length += 1) {
      assert.throws(() => parseHeader(file.subarray(0, length)), withCode('DAMAGED'));
    }
    assert.throws(() => parseHeader(Uint8Array.of(...file, 10)), withCode('DAMAGED'));
    assert.throws(() => parseHeader(new Uint8Array(300 * 1024)), withCode('DAMAGED'));
  });

  test('of a newer format is refused by name', () => {
    const newer = rechecksummed(made.headerBytes, (text) =>
      text.replace('hushd-header 1', 'hushd-header 12'),
    );
    assert.throws(() => parseHeader(newer), withCode('NEWER_FORMAT'));
  });

  test('with any field edited and the checksum made to fit is tampering, or opens nothing', async () => {
    const text = textOf(made.headerBytes);
    const body: unknown = JSON.parse(text.split('\n')[1] ?? '');
    const found = new Set<string>();
    for (const path of leaves(body)) {
      const changed = JSON.stringify(edited(body, path, otherLeaf));
      const file = rechecksummed(made.headerBytes, (whole) => whole.replace(/^\{.*$/m, () => changed));
      for (const credential of [key(7), passphrase('correct horse')]) {
        const opened = (async () => openHeader(parseHeader(file), [credential], arena, argon2Queue))();
        await assert.rejects(opened, (error) => {
          assert.ok(error instanceof HushError);
          found.add(error.code);
          return withCode('INTEGRITY', 'WRONG_PASSPHRASE', 'WRONG_KEY')(error);
        });
      }
    }
    assert.deepEqual([...found].sort(), ['INTEGRITY', 'WRONG_KEY', 'WRONG_PASSPHRASE']);
  });

  test('whose content is none of ours under a right checksum is tampering', () => {
    const edits: ((body: string) => string)[] = [
      () => '{}',
      () => '{"format":1}',
      (body) => body.replace('"format":1', '"format":1,"format":1,"more":2'),
      (body) => body.replace('"openers":[', '"openers":[],"x":['),
      (body) => body.replace(/"passes":\d+/, '"passes":1'),
      (body) => body.replace(/"memoryKiB":\d+/, '"memoryKiB":99999999'),
      (body) => body.replace('"vault.db"', '"../vault.db"'),
      (body) => body.replace('"keyset":"keyset"', '"keyset":"a/b"'),
      (body) => body.replace('"kind":"key"', '"kind":"passphrase"'),
      (body) => `${body.slice(0, -1)},"a":`.padEnd(10) + '}',
    ];
    for (const edit of edits) {
      const file = rechecksummed(made.headerBytes, (text) => text.replace(/^\{.*$/m, edit));
      assert.throws(() => parseHeader(file), withCode('INTEGRITY'));
    }
  });

  test('is not written when it could not be read again', () => {
    const nobody = { ...made.header, openers: [] };
    assert.throws(() => serialiseHeader(nobody, macKey), withCode('INTEGRITY'));
  });

  test('takes at most eight passphrase slots', () => {
    const [first] = made.header.slots;
    assert.ok(first !== undefined);
    const slots = Array.from({ length: 9 }, (_, index) => ({ ...first, id: `000000000000000${index}` }));
    const openers = slots.map(({ id }) => ({
      ...made.header.openers[0],
      id,
      slots: [id],
      public: first.public,
      sealed: made.header.openers[0]?.sealed ?? '',
    }));
    assert.throws(() => serialiseHeader({ ...made.header, slots, openers }, macKey), withCode('INTEGRITY'));
    const eight = { ...made.header, slots: slots.slice(1), openers: openers.slice(1) };
    parseHeader(serialiseHeader(eight, macKey));
  });

  test('with a group says so, share by share', () => {
    const opener = makeGroupOpener(made.header.vaultId, made.header.slots, filled(32, 1));
    const body = { ...made.header, openers: [opener] };
    assert.deepEqual(parseHeader(serialiseHeader(body, macKey)).body, body);
    const without: Opener = {
      id: opener.id,
      slots: opener.slots,
      public: opener.public,
      sealed: opener.sealed,
    };
    assert.throws(() => serialiseHeader({ ...body, openers: [without] }, macKey), withCode('INTEGRITY'));
  });
});
