import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { operations } from '../../protocol/operations.ts';

const bytes = fc.uint8Array({ maxLength: 8 });
const name = fc.oneof(
  fc.constantFrom('default', 'mail', 'x', '', 'a b', '-', 'constructor'),
  fc.string({ maxLength: 130 }),
);
const handle = fc.record(
  {
    id: name,
    kmsKeyId: name,
    alg: name,
    version: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 1.5, NaN, 2n)),
    ciphertext: name,
  },
  { noNullPrototype: true },
);
const batchItem = fc.oneof(
  fc.record(
    {
      op: name,
      params: fc.dictionary(fc.constantFrom('a', 'path', 'constructor'), fc.anything(), {
        noNullPrototype: true,
      }),
    },
    { noNullPrototype: true },
  ),
  fc.anything(),
);
const fields = {
  profile: name,
  path: name,
  keyring: name,
  namespace: name,
  key: name,
  tenant: fc.oneof(name, fc.constant(undefined)),
  plaintext: bytes,
  handle,
  items: fc.array(batchItem, { maxLength: 3 }),
};
const junk = fc.oneof(fc.anything(), fc.constantFrom(null, undefined, [], new Uint8Array(1), 'text', 7));

/** Parameters that are right in most fields, and lack some, have others, or hold something else in their place. */
const params = fc
  .tuple(
    fc.subarray(Object.keys(fields)),
    fc.record(fields),
    fc.option(fc.tuple(fc.string(), junk)),
    fc.boolean(),
  )
  .map(([keys, all, odd, inHandle]) => {
    const record: Record<string, unknown> = {};
    for (const key of keys) record[key] = all[key as keyof typeof all];
    if (odd === null) return record;
    if (inHandle && typeof record['handle'] === 'object')
      record['handle'] = { ...record['handle'], [odd[0]]: odd[1] };
    else Object.defineProperty(record, odd[0], { value: odd[1], enumerable: true });
    return record;
  });

const needed: Readonly<Record<string, readonly string[]>> = {
  'secret.get': ['profile', 'path'],
  'crypto.encrypt': ['profile', 'keyring', 'namespace', 'key', 'plaintext'],
  'crypto.decrypt': ['profile', 'keyring', 'namespace', 'key', 'handle'],
  'crypto.rotate': ['profile', 'keyring', 'namespace', 'key', 'handle'],
  batch: ['items'],
};

describe('the quick look at parameters', () => {
  for (const [op, entry] of Object.entries(operations)) {
    const accepts = 'accepts' in entry ? entry.accepts : undefined;
    if (accepts === undefined) continue;
    const wanted = needed[op] ?? [];

    test(`${op}: accepts what the schema accepts, and nothing else`, () => {
      const complete = fc
        .record(fields)
        .map((all) => Object.fromEntries(wanted.map((key) => [key, all[key as keyof typeof all]])));
      let accepted = 0;
      fc.assert(
        fc.property(fc.oneof(params, complete, junk), (given) => {
          const parsed = entry.params.safeParse(given);
          assert.equal(accepts(given), parsed.success);
          if (!parsed.success) return;
          accepted += 1;
          assert.deepEqual(parsed.data, given);
        }),
        { numRuns: 2_000 },
      );
      assert.ok(accepted > 20, `only ${accepted} were accepted`);
    });
  }

  test('is there for every operation that the platform asks often', () => {
    assert.deepEqual(
      Object.entries(operations).flatMap(([op, entry]) => ('accepts' in entry ? [op] : [])),
      Object.keys(needed),
    );
  });
});
