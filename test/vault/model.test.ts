import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { compact, createSecretModel, step, type Step, type Told } from '../support/secret-model.ts';
import { newProfile, noCache, roomyCache, type StoreKind } from './profile.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function ask(vault: Vault, step: Exclude<Step, { op: 'reopen' }>): Told {
  switch (step.op) {
    case 'set': {
      const { path, value, ...options } = step;
      const { version, created } = vault.set(parseSecretPath(path), bytes(value), options);
      return { version, created };
    }
    case 'get': {
      const { value, version } = vault.get(parseSecretPath(step.path), { version: step.version });
      return { value: new TextDecoder().decode(value), version };
    }
    case 'history': {
      const { versions } = vault.history(parseSecretPath(step.path));
      return { versions: versions.map((one) => [one.version, one.state, one.bytes]) };
    }
    case 'restore': {
      const { path, version: from, ifVersion } = step;
      const { version, created } = vault.restore(parseSecretPath(path), from, { by: 'test', ifVersion });
      return { version, created };
    }
    case 'delete':
      vault.remove(parseSecretPath(step.path), { ifVersion: step.ifVersion });
      return {};
    case 'purge':
      return { purged: vault.purge(parseSecretPath(step.path), step.version).purged };
    case 'rename':
      return { version: vault.rename(parseSecretPath(step.from), parseSecretPath(step.to)).version };
    case 'copy': {
      const options = { by: 'test', ifVersion: step.ifVersion, tellsVersion: true };
      const stored = vault.copy(parseSecretPath(step.from), parseSecretPath(step.to), options);
      return { version: stored.version, created: stored.created };
    }
    case 'list': {
      const { entries } = vault.list({ limit: 1000, deleted: step.deleted, visible: () => true });
      const told = entries.map((one) => [one.path, one.version, one.note ?? '', (one.tags ?? []).join()]);
      return { entries: told.sort() };
    }
  }
}

function told(vault: Vault, step: Exclude<Step, { op: 'reopen' }>): Told {
  try {
    return ask(vault, step);
  } catch (error) {
    if (error instanceof HushError) return error.code;
    throw error;
  }
}

const runs: [kind: StoreKind, numRuns: number][] = [
  ['memory', 80],
  ['SQLCipher', 15],
];

describe('secrets and their versions are what they ought to be, and survive being closed', () => {
  for (const [kind, numRuns] of runs) {
    test(`over the ${kind} store`, async (t) => {
      const steps = fc.array(step, { maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(steps, fc.integer({ min: 0, max: 3 }), async (given, kept) => {
          const profile = await newProfile(t, kind);
          const keptVersions = () => kept;
          const model = createSecretModel(kept);
          let vault = await profile.open({ keptVersions });
          for (const [at, one] of given.map(compact).entries()) {
            if (one.op === 'reopen') {
              if (at % 3 === 0) await vault.rotateKeys('default', 'test');
              vault = await profile.open({ keptVersions, cache: at % 2 === 0 ? noCache : roomyCache });
            } else assert.deepEqual(told(vault, one), model.take(one), JSON.stringify(one));
          }
          vault = await profile.open({ keptVersions });
          for (const deleted of [false, true]) {
            const list = { op: 'list', deleted } as const;
            assert.deepEqual(told(vault, list), model.take(list));
          }
          profile.close();
        }),
        { numRuns },
      );
    });
  }
});
