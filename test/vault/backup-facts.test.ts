import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addEntries,
  emptyKeyset,
  type Keyset,
  type KeyUse,
  type NewEntry,
} from '../../daemon/keys/keyset.ts';
import {
  backupsHolding,
  backupsOf,
  backupState,
  withBackup,
  withoutBackup,
  type BackupFact,
} from '../../daemon/vault/backup-facts.ts';

const macKey = new Uint8Array(32).fill(1);
const at = '2025-01-02T03:04:05.678Z';
const idOf = (number: number): string => number.toString(16).padStart(16, '0');

const keyEntry = (number: number, use: KeyUse, tenant: string, version: number): NewEntry => ({
  type: 'key',
  id: idOf(number),
  use,
  keyring: use === 'dek' ? 'default' : '',
  tenant,
  version,
  wrapped: Buffer.alloc(60).toString('base64'),
  createdAt: at,
  by: 'test',
});

const destroyed = (number: number): NewEntry => ({
  type: 'state',
  key: idOf(number),
  state: 'destroyed',
  at,
  by: 'test',
});

const keysetOf = (entries: readonly NewEntry[]): Keyset =>
  addEntries(emptyKeyset('0'.repeat(32), 1, macKey), entries, macKey).keyset;

/** Keys 1 (stored), 2 (digest), 3 (tenant acme), 4 (tenant other), 5 (stored, version 2). */
const entries = [
  keyEntry(1, 'dek', '', 1),
  keyEntry(2, 'digest', '', 1),
  keyEntry(3, 'dek', 'acme', 1),
  keyEntry(4, 'dek', 'other', 1),
  keyEntry(5, 'dek', '', 2),
];

const backup = (id: string, keys: number, kept = true): BackupFact => ({
  id,
  at,
  commit: keys,
  keysetGeneration: 1,
  keysetLines: keys + 1,
  keys,
  kept,
});

const idsOf = (records: readonly { readonly entry: { readonly id: string } }[]): string[] =>
  records.map(({ entry }) => entry.id);

describe('what a vault remembers of its backups', () => {
  test('without one that was kept, every data key that can open something is in none', () => {
    const { last, newer } = backupState(keysetOf(entries), [backup('a', 5, false)]);
    assert.equal(last, undefined);
    assert.deepEqual(idsOf(newer), [1, 3, 4, 5].map(idOf));
  });

  test('the newest that was kept counts, and data keys that were born after it are in none', () => {
    const list = [backup('a', 1), backup('b', 3), backup('c', 5, false)];
    const { last, newer } = backupState(keysetOf(entries), list);
    assert.equal(last?.id, 'b');
    assert.deepEqual(idsOf(newer), [4, 5].map(idOf));
    assert.deepEqual(backupState(keysetOf(entries), [backup('a', 5)]).newer, []);
  });

  test('a destroyed key is missed by nobody, nor is one that is no data key', () => {
    const keyset = keysetOf([...entries, destroyed(5), keyEntry(6, 'audit', '', 1)]);
    assert.deepEqual(idsOf(backupState(keyset, [backup('a', 3)]).newer), [idOf(4)]);
  });

  test('the backups that may hold a key are those from after its birth, kept or not', () => {
    const list = [backup('a', 2), backup('b', 3, false), backup('c', 5)];
    const holding = (...ids: number[]): string[] =>
      backupsHolding(keysetOf(entries), list, new Set(ids.map(idOf))).map(({ id }) => id);
    assert.deepEqual(holding(3), ['b', 'c']);
    assert.deepEqual(holding(5), ['c']);
    assert.deepEqual(holding(5, 1), ['a', 'b', 'c']);
    assert.deepEqual(holding(9), []);
    assert.deepEqual(holding(), []);
  });

  test('one that was taken after a key was destroyed does not hold it, unless its bytes were still there', () => {
    const later = '2025-01-03T00:00:00.000Z';
    const keyset = keysetOf([...entries, destroyed(3), keyEntry(6, 'dek', 'acme', 2)]);
    const taken = (id: string, keysetLines: number, when: string, more: Partial<BackupFact> = {}) => ({
      ...backup(id, 5),
      keysetLines,
      at: when,
      ...more,
    });
    const list = [
      taken('before', 6, at),
      taken('after', 7, later),
      taken('after, by a clock that was set back', 7, '2025-01-01T00:00:00.000Z'),
      taken('after, of another past', 6, later),
      taken('after, not erased', 7, later, { unerased: true }),
      taken('last', 8, later, { keys: 6 }),
    ];
    const holding = (...ids: number[]): string[] =>
      backupsHolding(keyset, list, new Set(ids.map(idOf))).map(({ id }) => id);
    assert.deepEqual(holding(3), [
      'before',
      'after, by a clock that was set back',
      'after, of another past',
      'after, not erased',
    ]);
    assert.deepEqual(holding(6), ['last']);
    assert.equal(holding(1).length, 6);
  });

  test('the list has each backup once, the newest last, and at most 32 of those that were kept and of those that were not', () => {
    let list: readonly BackupFact[] = [];
    for (let number = 0; number < 40; number++) list = withBackup(list, backup(String(number), 1, false));
    assert.deepEqual([list.length, list[0]?.id, list.at(-1)?.id], [32, '8', '39']);
    list = withBackup(list, backup('20', 1, true));
    assert.deepEqual([list.length, list.at(-1)?.id, list.at(-1)?.kept], [32, '20', true]);
    assert.equal(withoutBackup(list, '20').length, 31);
    for (let number = 40; number < 80; number++) list = withBackup(list, backup(String(number), 1, false));
    assert.deepEqual(
      [list.length, list[0]?.id],
      [33, '20'],
      'those that were not kept push none out that was',
    );
    for (let number = 80; number < 120; number++) list = withBackup(list, backup(String(number), 1));
    assert.deepEqual([list.length, list[0]?.id, list.at(-1)?.id], [64, '48', '119']);
  });

  test('what is no such list is tampering, and nothing at all is an empty one', () => {
    assert.deepEqual(backupsOf(undefined), []);
    assert.deepEqual(backupsOf([backup('a', 1)]), [backup('a', 1)]);
    for (const wrong of [{}, 'x', [1], [{ id: 'a' }]])
      assert.throws(() => backupsOf(wrong), { code: 'INTEGRITY' });
  });
});
