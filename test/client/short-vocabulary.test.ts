import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { everyOperation } from '../../client/every-operation.ts';
import { shortVocabulary } from '../../client/short-vocabulary.ts';
import type { OperationName } from '../../protocol/operations.ts';

const at = '2026-01-01T00:00:00.000Z';
const stamps = { version: 1, createdAt: at, updatedAt: at };
const limits = {
  frameBytes: 1,
  valueBytes: 1,
  plaintextBytes: 1,
  connections: 1,
  inFlight: 1,
  helloMs: 1,
  frameMs: 1,
  idleMs: 1,
  writeBacklogBytes: 1,
  drainMs: 1,
  batchItems: 1,
};
const bytes = Uint8Array.of(1, 2);
const target = { profile: 'default', path: 'global/a' };

/** What the daemon answers, and what is asked in the plain manner. */
const known: Partial<Record<OperationName, { readonly results: object[]; readonly params: object[] }>> = {
  hello: {
    results: [{ version: 1, versions: [1], daemon: '0.1.0', limits, fieldEncryption: true }],
    params: [{ versions: [1], client: 'x' }],
  },
  handshake: { results: [{ message: bytes }], params: [{ pattern: 'NN', message: bytes }] },
  'secret.get': { results: [{ value: bytes, ...stamps, expiresAt: at }], params: [target] },
  'secret.set': { results: [{ ...stamps, created: true }], params: [{ ...target, value: bytes }] },
  'secret.delete': { results: [{}], params: [target, { ...target, ifVersion: 0 }] },
  'secret.list': {
    results: [
      { entries: [], next: 'x' },
      {
        entries: [
          { path: 'global/a', ...stamps, size: 1, expiresAt: at, note: 'n', tags: ['t'], deletedAt: at },
          { path: 'global/b', ...stamps, size: 1 },
        ],
      },
    ],
    params: [{ profile: 'default', prefix: 'global/', after: 'x', limit: 10 }],
  },
  'secret.paths': {
    results: [{ paths: [], next: 'x' }, { paths: ['global/a', 'global/b'] }],
    params: [{ profile: 'default', prefix: 'global/', after: 'x', limit: 10 }],
  },
  batch: {
    results: [
      {
        results: [{ ok: { a: 1 } }, { error: { code: 'LOCKED', message: 'm', hint: 'h', retryAfterMs: 1 } }],
      },
    ],
    params: [{ items: [{ op: 'secret.get', params: target }] }],
  },
};
const entries = Object.entries(known) as [OperationName, { results: object[]; params: object[] }][];

/** The value with one part of it replaced, left out, or joined by another: by what the wire can carry. */
function mutated(value: object): fc.Arbitrary<unknown> {
  const strange = fc.oneof(
    fc.constantFrom<unknown>(null, -1, 1.5, 2 ** 53, 0, '', 'x'.repeat(1025), true, [], {}, bytes),
    fc.string(),
    fc.integer(),
  );
  const places: (readonly string[])[] = [[]];
  const walk = (one: unknown, path: readonly string[]): void => {
    if (typeof one !== 'object' || one === null || one instanceof Uint8Array) return;
    for (const key of [...Object.keys(one), ...(Array.isArray(one) ? [] : ['more'])]) {
      places.push([...path, key]);
      walk(Reflect.get(one, key), [...path, key]);
    }
  };
  walk(value, []);
  return fc
    .record({ path: fc.constantFrom(...places), by: strange, drop: fc.boolean() })
    .map(({ path, by, drop }) => {
      const copy: unknown = structuredClone(value);
      const last = path.at(-1);
      if (last === undefined) return copy;
      let inner = copy as object;
      for (const key of path.slice(0, -1)) inner = Reflect.get(inner, key) as object;
      if (drop && Array.isArray(inner)) inner.splice(Number(last), 1);
      else if (drop) Reflect.deleteProperty(inner, last);
      else Reflect.set(inner, last, by);
      return copy;
    });
}

describe('the short vocabulary', () => {
  for (const [op, { results, params }] of entries) {
    test(`reads a result of ${op} as the table does, right or wrong`, () => {
      const short = shortVocabulary().known(op);
      const whole = everyOperation(op);
      assert.deepEqual([short.repeatable, short.profiled], [whole.repeatable, whole.profiled]);
      for (const result of results) assert.notEqual(whole.read(result), undefined);
      fc.assert(
        fc.property(fc.oneof(...results.map(mutated)), (result) => {
          assert.deepEqual(short.read(structuredClone(result)), whole.read(result));
        }),
      );
    });

    test(`sends ${op} by itself only where the table has nothing against it`, async () => {
      const whole = everyOperation(op);
      const isByItself = async (given: object): Promise<boolean> => {
        const vocabulary = shortVocabulary();
        await vocabulary.learn(op, given);
        try {
          vocabulary.known('status');
          return false;
        } catch {
          return true;
        }
      };
      for (const given of params) assert.equal(await isByItself(given), true);
      // These two are asked by the connection alone.
      if (op === 'hello' || op === 'handshake') return;
      await fc.assert(
        fc.asyncProperty(fc.oneof(...params.map(mutated)), async (given) => {
          if (!(await isByItself(given as object))) return;
          assert.deepEqual(
            shortVocabulary()
              .known(op)
              .sent(given as object),
            whole.sent(given as object),
          );
        }),
      );
    });
  }

  test('learns the table for any other operation', async () => {
    const { known: lookUp, learn } = shortVocabulary();
    assert.throws(() => lookUp('status'));
    await learn('status', {});
    assert.equal(lookUp('status'), everyOperation('status'));
  });
});
