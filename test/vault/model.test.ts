import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { parseSecretPath } from '../../protocol/names.ts';
import type { CacheOptions } from '../../daemon/cache/secret-cache.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { newProfile, noCache, roomyCache, type StoreKind } from './profile.ts';

interface Modelled {
  readonly value: Uint8Array;
  readonly version: number;
}

const path = fc.constantFrom('global/a', 'global/b', 'global/a.b', 'ws:a/a', 'pr:a/a').map(parseSecretPath);
const value = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(5_000).fill(7)));
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ set: path, value }) },
  { weight: 5, arbitrary: fc.record({ get: path }) },
  { weight: 2, arbitrary: fc.record({ remove: path }) },
  { weight: 1, arbitrary: fc.constant({ list: true }) },
  { weight: 1, arbitrary: fc.constant({ rotate: true }) },
  { weight: 1, arbitrary: fc.record({ reopen: fc.constantFrom<CacheOptions>(noCache, roomyCache) }) },
);

/** The error's code, or undefined if there was none. */
function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

function checkList(vault: Vault, model: ReadonlyMap<string, Modelled>): void {
  const { entries } = vault.list({ limit: 1000, visible: () => true });
  const told = entries.map((entry) => [entry.path, entry.version, entry.size]);
  const expected = [...model].map(([name, { version, value }]) => [name, version, value.length]);
  assert.deepEqual(told.sort(), expected.sort());
  assert.equal(vault.stats().secrets, model.size);
}

const runs: [kind: StoreKind, numRuns: number][] = [
  ['memory', 60],
  ['SQLCipher', 15],
];

describe('a vault behaves as a map that survives being closed', () => {
  for (const [kind, numRuns] of runs) {
    test(`over the ${kind} store`, async (t) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const profile = await newProfile(t, kind);
          const model = new Map<string, Modelled>();
          let vault = await profile.open();
          for (const step of steps) {
            if ('set' in step) {
              const version = (model.get(step.set.text)?.version ?? 0) + 1;
              assert.equal(vault.set(step.set, step.value).version, version);
              model.set(step.set.text, { value: step.value.slice(), version });
            } else if ('get' in step) {
              const expected = model.get(step.get.text);
              if (expected === undefined)
                assert.equal(
                  codeOf(() => vault.get(step.get)),
                  'NOT_FOUND',
                );
              else {
                const found = vault.get(step.get);
                assert.deepEqual([found.value, found.version], [expected.value, expected.version]);
              }
            } else if ('remove' in step) {
              const isThere = model.delete(step.remove.text);
              assert.equal(
                codeOf(() => vault.remove(step.remove)),
                isThere ? undefined : 'NOT_FOUND',
              );
            } else if ('list' in step) checkList(vault, model);
            else if ('rotate' in step) await vault.rotateKeys('default', 'test');
            else vault = await profile.open({ cache: step.reopen });
          }
          vault = await profile.open();
          checkList(vault, model);
          for (const [name, { value }] of model)
            assert.deepEqual(vault.get(parseSecretPath(name)).value, value);
          profile.close();
        }),
        { numRuns },
      );
    });
  }
});
