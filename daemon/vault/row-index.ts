import { rowState } from '../stores/store.ts';

/** What the vault knows of one row; another row in its place has another entry. */
export interface RowEntry {
  readonly version: number;
  readonly state: number;
  /** The version of the data key that seals it; 0 if it was sealed without one. */
  readonly dek: number;
  /** The row's item of the freshness sum, one byte a character: 100,000 short strings cost less than as many arrays. */
  readonly item: string;
}

/** All rows of a vault by id and version, and how many of them each data key seals. */
export interface RowIndex {
  /** How many current rows there are. */
  size(): number;
  /** The current row of an id. */
  get(id: Uint8Array): RowEntry | undefined;
  /** The row of an id and a version, in whatever state. */
  entry(id: Uint8Array, version: number): RowEntry | undefined;
  /** The rows of an id that are not current, the oldest first. */
  others(id: Uint8Array): readonly RowEntry[];
  /** The ids of which a row is deleted, in their order, from the first one after `after`. */
  deletedIds(after: Uint8Array | undefined, limit: number): readonly Uint8Array[];
  /** Takes a row in, in place of the one of its id and version. */
  put(id: Uint8Array, entry: RowEntry): void;
  drop(id: Uint8Array, version: number): void;
  /** How many rows each data key seals, by its version; none that seals none. */
  counts(): ReadonlyMap<number, number>;
  clear(): void;
}

const none: readonly RowEntry[] = [];

/** No rows at first. */
export function createRowIndex(): RowIndex {
  const current = new Map<string, RowEntry>();
  const others = new Map<string, readonly RowEntry[]>();
  const deleted = new Set<string>();
  const counts = new Map<number, number>();
  /** `deleted` in order; undefined once it has changed. */
  let inOrder: readonly string[] | undefined;

  const count = (dek: number, by: 1 | -1): void => {
    const present = (counts.get(dek) ?? 0) + by;
    if (present === 0) counts.delete(dek);
    else counts.set(dek, present);
  };

  const setOthers = (key: string, entries: readonly RowEntry[]): void => {
    if (entries.length === 0) others.delete(key);
    else others.set(key, entries);
    const isDeleted = entries.some(({ state }) => state === rowState.deleted);
    if (isDeleted === deleted.has(key)) return;
    if (isDeleted) deleted.add(key);
    else deleted.delete(key);
    inOrder = undefined;
  };

  const drop = (key: string, version: number): void => {
    const present = current.get(key);
    if (present?.version === version) {
      current.delete(key);
      count(present.dek, -1);
      return;
    }
    const entries = others.get(key) ?? none;
    const found = entries.find((entry) => entry.version === version);
    if (found === undefined) return;
    setOthers(
      key,
      entries.filter((entry) => entry !== found),
    );
    count(found.dek, -1);
  };

  return {
    size: () => current.size,
    get: (id) => current.get(keyOf(id)),
    entry(id, version) {
      const key = keyOf(id);
      const present = current.get(key);
      return present?.version === version
        ? present
        : others.get(key)?.find((entry) => entry.version === version);
    },
    others: (id) => others.get(keyOf(id)) ?? none,
    deletedIds(after, limit) {
      inOrder ??= [...deleted].sort();
      const ids = inOrder;
      const from = after === undefined ? 0 : firstAfter(ids, keyOf(after));
      return ids.slice(from, from + limit).map(idOfKey);
    },
    put(id, entry) {
      const key = keyOf(id);
      drop(key, entry.version);
      count(entry.dek, 1);
      if (entry.state === rowState.current) current.set(key, entry);
      else setOthers(key, inVersionOrder(others.get(key) ?? none, entry));
    },
    drop: (id, version) => {
      drop(keyOf(id), version);
    },
    counts: () => counts,
    clear: () => {
      current.clear();
      others.clear();
      deleted.clear();
      counts.clear();
      inOrder = undefined;
    },
  };
}

/** Of the ordered keys the place of the first one that comes after this one. */
function firstAfter(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') > key) high = middle;
    else low = middle + 1;
  }
  return low;
}

function inVersionOrder(entries: readonly RowEntry[], added: RowEntry): readonly RowEntry[] {
  const at = entries.findIndex(({ version }) => version > added.version);
  return at < 0 ? [...entries, added] : entries.toSpliced(at, 0, added);
}

const keyOf = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');

const idOfKey = (key: string): Uint8Array => Buffer.from(key, 'latin1');
