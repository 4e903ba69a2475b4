/** The states that a stored row can be in. */
export const rowState = { current: 0, superseded: 1, deleted: 2 } as const;

/** What names one row: the keyed hash of its path (32 bytes) and its version (1 or more). */
export interface RowKey {
  readonly id: Uint8Array;
  readonly version: number;
}

/** All of a row but its value. `dek` is the version of the data key that seals it; 0 if it was sealed without one. */
export interface RowSummary extends RowKey {
  readonly state: number;
  readonly dek: number;
  /** Name and times, sealed. */
  readonly meta: Uint8Array;
}

/** One row, as it is kept. */
export interface StoredRow extends RowSummary {
  /** The value, sealed. */
  readonly value: Uint8Array;
}

/** How many messages may have been sealed under one data key. */
export interface CounterRow {
  /** The id of the data key, in hex. */
  readonly key: string;
  readonly reserved: number;
}

/** Something small that the vault remembers beside secrets. */
export interface FactRow {
  readonly name: string;
  /** Its value, sealed; empty in a change that deletes the fact. */
  readonly sealed: Uint8Array;
}

/** Lines of the key set, without their line ends, that take the place of all lines from one number on. */
export interface KeysetLines {
  /** The number of the first of them; the first line of a key set is 0. */
  readonly from: number;
  readonly lines: readonly string[];
}

/** What one commit changes. Rows are dropped before rows are put. */
export interface Changes {
  readonly drop?: readonly RowKey[];
  readonly put?: readonly StoredRow[];
  /** Rows that take the place of those with the same id and version. */
  readonly replace?: readonly StoredRow[];
  readonly counters?: readonly CounterRow[];
  readonly keyset?: KeysetLines;
  /** Each name at most once. */
  readonly facts?: readonly FactRow[];
}

/**
 * Where a vault keeps its rows. A store is not trusted: it sees keyed hashes and sealed bytes only, and whatever
 * it gives back is checked by the vault. All methods are synchronous and throw HushError: UNAVAILABLE when the
 * disk refuses (the change is then undone), DAMAGED when the file cannot be read, INTEGRITY when it was tampered with.
 */
export interface SecretsStore {
  /** The row with this id and version. */
  read(id: Uint8Array, version: number): StoredRow | undefined;
  /** As `read`, without the value. */
  summary(id: Uint8Array, version: number): RowSummary | undefined;
  /** Current rows in the order of their ids, from the first one after `after`; never their values. */
  page(after: Uint8Array | undefined, limit: number): RowSummary[];
  /** Rows of whatever state in the order of their keys, from the first one after `after`. */
  rows(after: RowKey | undefined, limit: number): StoredRow[];
  /**
   * The fingerprints of all rows, in blocks of many (see `fingerprintSize`), in the order of their keys; a store may
   * leave `rowsPerBlock` out of account.
   */
  fingerprints(rowsPerBlock?: number): Iterable<Uint8Array>;
  counters(): CounterRow[];
  /** All lines of the key set, in their order. */
  keysetLines(): string[];
  /** All facts, in the order of their names. */
  facts(): FactRow[];
  /** The sealed freshness root; undefined before the first commit. */
  root(): Uint8Array | undefined;
  /**
   * Makes the changes and puts the new root in one transaction; it is on the disk when this returns. A row to be
   * dropped or replaced that is not there is INTEGRITY, and nothing is changed.
   */
  commit(changes: Changes, root: Uint8Array): void;
  /** Leaves nothing on the disk, in no log either, of what was dropped or replaced; `what` says that to whoever reads along. */
  forget(what: 'keys' | 'versions'): void;
  /** Ends the store; a second call does nothing. */
  close(): void;
}
