import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';

import fc from 'fast-check';

import { fingerprintOf } from '../../daemon/stores/fingerprint.ts';
import { createMemoryStore } from './memory-store.ts';
import { createSqlcipherStore } from '../../daemon/stores/sqlcipher.ts';
import type { RowKey, SecretsStore, StoredRow } from '../../daemon/stores/store.ts';
import { vaultFile } from './files.ts';

const root = new Uint8Array([1, 2, 3]);

function rowOf(id: Uint8Array, version = 1, state = 0): StoredRow {
  return { id, version, state, dek: 7, meta: randomBytes(40), value: randomBytes(60) };
}

const idWith = (first: number): Uint8Array => new Uint8Array(32).fill(9).fill(first, 0, 1);

/** The same with plain arrays in place of the store's own kinds of bytes. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, item: unknown) => {
      if (item instanceof Uint8Array) return Buffer.from(item).toString('hex');
      // A Buffer has become this by the time it gets here.
      if (typeof item === 'object' && item !== null && 'data' in item && Array.isArray(item.data)) {
        return Buffer.from(item.data as number[]).toString('hex');
      }
      return item;
    }),
  );

const stores: [name: string, make: (t: TestContext) => SecretsStore][] = [
  [
    'SQLCipher',
    (t) => {
      const store = createSqlcipherStore(vaultFile(t));
      t.after(() => {
        store.close();
      });
      return store;
    },
  ],
  ['memory', createMemoryStore],
];

for (const [name, make] of stores) {
  describe(`the ${name} store`, () => {
    test('is empty at first', (t) => {
      const store = make(t);
      assert.equal(store.root(), undefined);
      assert.deepEqual(store.page(undefined, 10), []);
      assert.deepEqual([...store.fingerprints()], []);
      assert.deepEqual(store.counters(), []);
      assert.deepEqual(store.keysetLines(), []);
      assert.deepEqual(store.facts(), []);
    });

    test('puts, replaces and deletes facts, and gives them in the order of their names', (t) => {
      const store = make(t);
      const fact = (name: string, ...sealed: number[]) => ({ name, sealed: Uint8Array.from(sealed) });
      store.commit({ facts: [fact('b', 1, 2), fact('a', 3)] }, root);
      assert.deepEqual(plain(store.facts()), plain([fact('a', 3), fact('b', 1, 2)]));
      store.commit({ facts: [fact('b', 4), fact('a'), fact('c', 5), fact('never there')] }, root);
      assert.deepEqual(plain(store.facts()), plain([fact('b', 4), fact('c', 5)]));
    });

    test('gives back what was committed, byte for byte', (t) => {
      const store = make(t);
      const row = rowOf(idWith(1));
      const keyset = { from: 0, lines: ['first', 'second', 'third'] };
      store.commit({ put: [row], counters: [{ key: 'ab', reserved: 65536 }], keyset }, root);
      assert.deepEqual(plain(store.read(row.id, 1)), plain(row));
      assert.equal(store.read(row.id, 2), undefined);
      assert.equal(store.read(idWith(2), 1), undefined);
      assert.deepEqual(plain(store.counters()), [{ key: 'ab', reserved: 65536 }]);
      assert.deepEqual(store.keysetLines(), keyset.lines);
      assert.deepEqual(plain(store.root()), plain(root));
    });

    test('puts lines of the key set after those that are there, or in the place of the last ones, or of all', (t) => {
      const store = make(t);
      const put = (from: number, ...lines: string[]): string[] => {
        store.commit({ keyset: { from, lines } }, root);
        return store.keysetLines();
      };
      assert.deepEqual(put(0, 'a', 'b'), ['a', 'b']);
      assert.deepEqual(put(2, 'c'), ['a', 'b', 'c']);
      assert.deepEqual(put(1, 'd', 'e'), ['a', 'd', 'e']);
      assert.deepEqual(put(0, 'f'), ['f']);
    });

    test('replaces a row by dropping the old version and putting the new one', (t) => {
      const store = make(t);
      const next = rowOf(idWith(1), 2);
      store.commit({ put: [rowOf(idWith(1))] }, root);
      store.commit({ drop: [{ id: idWith(1), version: 1 }], put: [next] }, root);
      assert.equal(store.read(idWith(1), 1), undefined);
      assert.deepEqual(plain(store.read(idWith(1), 2)), plain(next));
    });

    test('refuses to drop a row that is not there, and then changes nothing', (t) => {
      const store = make(t);
      store.commit({ put: [rowOf(idWith(1))] }, root);
      const change = {
        drop: [
          { id: idWith(1), version: 1 },
          { id: idWith(2), version: 1 },
        ],
        put: [rowOf(idWith(3))],
      };
      assert.throws(
        () => {
          store.commit(change, new Uint8Array([9]));
        },
        { code: 'INTEGRITY' },
      );
      assert.ok(store.read(idWith(1), 1));
      assert.equal(store.read(idWith(3), 1), undefined);
      assert.deepEqual(plain(store.root()), plain(root));
    });

    test('pages through current rows in the order of their ids, without their values', (t) => {
      const store = make(t);
      const rows = [3, 1, 2, 5, 4].map((first) => rowOf(idWith(first)));
      store.commit({ put: [...rows, rowOf(idWith(6), 1, 2), rowOf(idWith(1), 9, 1)] }, root);
      const first = store.page(undefined, 2);
      const second = store.page(first[1]?.id, 10);
      assert.deepEqual(
        [...first, ...second].map(({ id }) => id[0]),
        [1, 2, 3, 4, 5],
      );
      assert.ok(second.every((row) => !('value' in row)));
      assert.deepEqual(store.page(second[2]?.id, 10), []);
    });

    test('tells the fingerprints of all rows, of whatever state, in the order of their keys', (t) => {
      const rows = fc.uniqueArray(
        fc.record({
          id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
          version: fc.integer({ min: 1, max: 2 ** 40 }),
          state: fc.integer({ min: 0, max: 2 }),
          dek: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
          meta: fc.uint8Array({ minLength: 16, maxLength: 40 }),
          value: fc.uint8Array({ minLength: 16, maxLength: 3000 }),
        }),
        {
          minLength: 1,
          maxLength: 30,
          selector: ({ id, version }) => `${Buffer.from(id).toString('hex')}${version}`,
        },
      );
      const inOrder = (a: RowKey, b: RowKey): number => Buffer.compare(a.id, b.id) || a.version - b.version;
      fc.assert(
        fc.property(rows, (rows) => {
          const store = make(t);
          store.commit({ put: rows }, root);
          assert.deepEqual(
            Buffer.concat([...store.fingerprints()]),
            Buffer.concat([...rows].sort(inOrder).map(fingerprintOf)),
          );
        }),
        { numRuns: 20 },
      );
    });

    test('tells the fingerprints of more rows than fit in one block', (t) => {
      const store = make(t);
      const rows = Array.from({ length: 1_200 }, () => rowOf(randomBytes(32)));
      store.commit({ put: rows }, root);
      const expected = rows.map((row) => Buffer.from(fingerprintOf(row))).sort((a, b) => a.compare(b));
      assert.deepEqual(Buffer.concat([...store.fingerprints()]), Buffer.concat(expected));
    });
  });
}
