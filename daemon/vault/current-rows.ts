/** What the vault knows of the current row of one secret; another row of it has another entry. */
export interface RowEntry {
  readonly version: number;
  /** The version of the data key that seals it; 0 if it was sealed without one. */
  readonly dek: number;
  /** The row's item of the freshness sum, one byte a character: 100,000 short strings cost less than as many arrays. */
  readonly item: string;
}

/** The current rows of a vault by id, and how many rows each data key seals. */
export interface CurrentRows {
  size(): number;
  get(id: Uint8Array): RowEntry | undefined;
  put(id: Uint8Array, entry: RowEntry): void;
  drop(id: Uint8Array): void;
  /** Counts a row that is not the current one of its id. */
  countOther(dek: number): void;
  /** How many rows each data key seals, by its version; none that seals none. */
  counts(): ReadonlyMap<number, number>;
  clear(): void;
}

/** No rows at first. */
export function createCurrentRows(): CurrentRows {
  const rows = new Map<string, RowEntry>();
  const counts = new Map<number, number>();

  const count = (dek: number, by: 1 | -1): void => {
    const present = (counts.get(dek) ?? 0) + by;
    if (present === 0) counts.delete(dek);
    else counts.set(dek, present);
  };

  const drop = (key: string): void => {
    const entry = rows.get(key);
    if (entry === undefined) return;
    rows.delete(key);
    count(entry.dek, -1);
  };

  return {
    size: () => rows.size,
    get: (id) => rows.get(keyOf(id)),
    put(id, entry) {
      const key = keyOf(id);
      const before = rows.get(key);
      if (before !== undefined) count(before.dek, -1);
      rows.set(key, entry);
      count(entry.dek, 1);
    },
    drop: (id) => {
      drop(keyOf(id));
    },
    countOther: (dek) => {
      count(dek, 1);
    },
    counts: () => counts,
    clear: () => {
      rows.clear();
      counts.clear();
    },
  };
}

const keyOf = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
