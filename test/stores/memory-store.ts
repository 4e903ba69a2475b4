import { HushError } from '../../protocol/errors.ts';
import { fingerprintOf } from '../../daemon/stores/fingerprint.ts';
import {
  rowState,
  type Changes,
  type CounterRow,
  type FactRow,
  type RowKey,
  type SecretsStore,
  type StoredRow,
} from '../../daemon/stores/store.ts';

/** A store that keeps everything in memory and nothing on the disk: what it holds ends with the process. */
export function createMemoryStore(): SecretsStore {
  const rows = new Map<string, StoredRow>();
  const counters = new Map<string, CounterRow>();
  const facts = new Map<string, FactRow>();
  let keyset: readonly string[] = [];
  let sealedRoot: Uint8Array | undefined;

  const inOrder = (): StoredRow[] => [...rows.values()].sort(orderOf);

  function commit(changes: Changes, root: Uint8Array): void {
    for (const key of [...(changes.drop ?? []), ...(changes.replace ?? [])]) {
      if (!rows.has(keyText(key)))
        throw new HushError('INTEGRITY', 'the store was tampered with: a row is gone');
    }
    for (const key of changes.drop ?? []) rows.delete(keyText(key));
    for (const row of [...(changes.put ?? []), ...(changes.replace ?? [])])
      rows.set(keyText(row), ownRow(row));
    for (const counter of changes.counters ?? []) counters.set(counter.key, counter);
    if (changes.keyset !== undefined)
      keyset = [...keyset.slice(0, changes.keyset.from), ...changes.keyset.lines];
    for (const { name, sealed } of changes.facts ?? []) {
      if (sealed.length === 0) facts.delete(name);
      else facts.set(name, { name, sealed: sealed.slice() });
    }
    sealedRoot = root.slice();
  }

  return {
    read: (id, version) => rows.get(keyText({ id, version })),
    summary: (id, version) => rows.get(keyText({ id, version })),
    page: (after, limit) =>
      inOrder()
        .filter(({ id, state }) => state === rowState.current && (!after || Buffer.compare(id, after) > 0))
        .slice(0, limit)
        .map(({ id, version, state, dek, meta }) => ({ id, version, state, dek, meta })),
    rows: (after, limit) =>
      inOrder()
        .filter((row) => after === undefined || orderOf(row, after) > 0)
        .slice(0, limit),
    fingerprints: () => inOrder().map(fingerprintOf),
    counters: () => [...counters.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    keysetLines: () => [...keyset],
    facts: () => [...facts.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    root: () => sealedRoot,
    commit,
    forget: () => undefined,
    close: () => undefined,
  };
}

const orderOf = (a: RowKey, b: RowKey): number => Buffer.compare(a.id, b.id) || a.version - b.version;

const keyText = ({ id, version }: RowKey): string => `${Buffer.from(id).toString('hex')}/${version}`;

const ownRow = ({ id, version, state, dek, meta, value }: StoredRow): StoredRow => ({
  id: id.slice(),
  version,
  state,
  dek,
  meta: meta.slice(),
  value: value.slice(),
});
