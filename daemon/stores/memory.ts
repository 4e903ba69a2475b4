import { HushError } from '../../protocol/errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import {
  rowState,
  type Changes,
  type CounterRow,
  type RowKey,
  type SecretsStore,
  type StoredRow,
} from './store.ts';

/** A store that keeps everything in memory and nothing on the disk: what it holds ends with the process. */
export function createMemoryStore(): SecretsStore {
  const rows = new Map<string, StoredRow>();
  const counters = new Map<string, CounterRow>();
  let keyset: readonly string[] = [];
  let sealedRoot: Uint8Array | undefined;

  const inOrder = (): StoredRow[] =>
    [...rows.values()].sort((a, b) => Buffer.compare(a.id, b.id) || a.version - b.version);

  function commit(changes: Changes, root: Uint8Array): void {
    for (const key of changes.drop ?? []) {
      if (!rows.has(keyText(key)))
        throw new HushError('INTEGRITY', 'the store was tampered with: a row is gone');
    }
    for (const key of changes.drop ?? []) rows.delete(keyText(key));
    for (const row of changes.put ?? []) rows.set(keyText(row), ownRow(row));
    for (const counter of changes.counters ?? []) counters.set(counter.key, counter);
    if (changes.keyset !== undefined)
      keyset = [...keyset.slice(0, changes.keyset.from), ...changes.keyset.lines];
    sealedRoot = root.slice();
  }

  return {
    read: (id, version) => rows.get(keyText({ id, version })),
    page: (after, limit) =>
      inOrder()
        .filter(({ id, state }) => state === rowState.current && (!after || Buffer.compare(id, after) > 0))
        .slice(0, limit)
        .map(({ id, version, state, dek, meta }) => ({ id, version, state, dek, meta })),
    fingerprints: () => inOrder().map(fingerprintOf),
    counters: () => [...counters.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    keysetLines: () => [...keyset],
    root: () => sealedRoot,
    commit,
    close: () => undefined,
  };
}

const keyText = ({ id, version }: RowKey): string => `${Buffer.from(id).toString('hex')}/${version}`;

const ownRow = ({ id, version, state, dek, meta, value }: StoredRow): StoredRow => ({
  id: id.slice(),
  version,
  state,
  dek,
  meta: meta.slice(),
  value: value.slice(),
});
