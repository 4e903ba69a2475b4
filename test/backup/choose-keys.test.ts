import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chooseKeyset, covers } from '../../daemon/backup/choose-keys.ts';
import {
  addEntries,
  emptyKeyset,
  type Keyset,
  type KeyState,
  type NewEntry,
} from '../../daemon/keys/keyset.ts';

const macKey = new Uint8Array(32).fill(1);
const at = '2025-01-02T03:04:05.678Z';
const vaultId = '0'.repeat(32);

const key = (id: string, version: number): NewEntry => ({
  type: 'key',
  id: Buffer.from(id).toString('hex').padStart(16, '0'),
  use: 'dek',
  keyring: 'default',
  tenant: '',
  version,
  wrapped: Buffer.alloc(60).toString('base64'),
  createdAt: at,
  by: 'test',
});

const state = (id: string, to: KeyState): NewEntry => ({
  type: 'state',
  key: Buffer.from(id).toString('hex').padStart(16, '0'),
  state: to,
  at,
  by: 'test',
});

const keysetOf = (entries: readonly NewEntry[], generation = 1): Keyset =>
  addEntries(emptyKeyset(vaultId, generation, macKey), entries, macKey).keyset;

describe('the key set that a restored profile goes on with', () => {
  const one = [key('a', 1)];
  const two = [...one, key('b', 2)];

  test('is the one that has more keys, whichever side it is on', () => {
    assert.equal(chooseKeyset(keysetOf(two), keysetOf(one)), 'profile');
    assert.equal(chooseKeyset(keysetOf(one), keysetOf(two)), 'backup');
    assert.equal(chooseKeyset(keysetOf(one), keysetOf(one)), 'profile');
    assert.equal(chooseKeyset(undefined, keysetOf(one)), 'backup');
  });

  test('is the one with the mark of destruction', () => {
    const shredded = [...two, state('b', 'destroyed')];
    assert.equal(chooseKeyset(keysetOf(shredded), keysetOf(two)), 'profile');
    assert.equal(chooseKeyset(keysetOf(two), keysetOf(shredded)), 'backup');
  });

  test('is the one under the newer vault key, where both have the same keys', () => {
    assert.equal(chooseKeyset(keysetOf(two, 3), keysetOf(two, 1)), 'profile');
    assert.equal(chooseKeyset(keysetOf(two, 1), keysetOf(two, 3)), 'backup');
  });

  test('is neither, where each has what the other lacks', () => {
    const branch = [...one, key('c', 2)];
    assert.throws(() => chooseKeyset(keysetOf(two), keysetOf(branch)), { code: 'CONFLICT' });
    const marked = [...one, state('a', 'destroyed')];
    assert.throws(() => chooseKeyset(keysetOf(marked), keysetOf(two)), { code: 'CONFLICT' });
  });

  test('never lacks a key or a mark of either, whatever the two are', () => {
    const history = fc.array(
      fc.tuple(fc.nat({ max: 4 }), fc.constantFrom<KeyState>('active', 'retired', 'destroyed')),
      {
        maxLength: 6,
      },
    );
    const build = (steps: readonly (readonly [number, KeyState])[]): Keyset => {
      const states = new Map<number, KeyState>();
      for (const [id, to] of steps) states.set(id, to);
      const ids = [...states.keys()].sort((a, b) => a - b);
      const marks = ids.flatMap((id) =>
        states.get(id) === 'active' ? [] : [state(String(id), states.get(id) ?? 'active')],
      );
      return keysetOf([...ids.map((id, index) => key(String(id), index + 1)), ...marks]);
    };
    fc.assert(
      fc.property(history, history, (first, second) => {
        const [profile, backup] = [build(first), build(second)];
        let chosen: Keyset;
        try {
          chosen = chooseKeyset(profile, backup) === 'profile' ? profile : backup;
        } catch {
          assert.ok(!covers(profile, backup) && !covers(backup, profile));
          return;
        }
        assert.ok(covers(chosen, profile) && covers(chosen, backup));
      }),
      { numRuns: 500 },
    );
  });
});
