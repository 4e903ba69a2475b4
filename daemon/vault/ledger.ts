import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { HushError } from '../../protocol/errors.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import { dekOf, fingerprintOf, fingerprintSize, idOf, stateOf, versionOf } from '../stores/fingerprint.ts';
import {
  rowState,
  type Changes,
  type CounterRow,
  type FactRow,
  type RowKey,
  type RowSummary,
  type SecretsStore,
  type StoredRow,
} from '../stores/store.ts';
import { createCurrentRows, type CurrentRows, type RowEntry } from './current-rows.ts';
import { sumSize, toggle, toggled, toggleText } from './freshness-sum.ts';
import type { IndexKeys } from './index-keys.ts';
import type { AuditHead, Root, RootCipher } from './root.ts';

/** A current row sealed anew, to take the place of the one that it was made from. */
export interface Replacement {
  readonly row: StoredRow;
  /** What is known of it once it is in place. */
  readonly entry: RowEntry;
  /** What the row was that it was made from. */
  readonly before: RowEntry;
}

/** The one way to a store: whatever comes out is the row that was last put in, and every commit moves the root. */
export interface Ledger {
  /** How many secrets there are. */
  size(): number;
  /** The number of the last commit. */
  commitCounter(): number;
  /** Throws LOCKED once closed, and UNAVAILABLE once a failed write left the store in an unknown state. */
  requireOpen(): void;
  /** How many messages are reserved for a key, by its id. */
  counter(key: string): number;
  /** The sealed fact of that name. */
  fact(name: string): FactRow | undefined;
  /** The audit head of the last commit. */
  auditHead(): AuditHead | undefined;
  /** Keeps a head for the next commit. */
  noteAuditHead(head: AuditHead): void;
  /** Whether a head was noted that the last commit does not hold. */
  hasNewAuditHead(): boolean;
  /** The current version of the secret with this id. */
  version(id: Uint8Array): number | undefined;
  /** Its current row; undefined if there is no such secret. Throws INTEGRITY if the store has another row, or none. */
  read(id: Uint8Array): StoredRow | undefined;
  /** As the store's `page`. Throws INTEGRITY for a row that is not the current one of its id. */
  page(after: Uint8Array | undefined, limit: number): RowSummary[];
  /** How many rows each data key seals, by its version; 0 stands for rows that were sealed without one. */
  counts(): ReadonlyMap<number, number>;
  /** As the store's `rows`. */
  rows(after: RowKey | undefined, limit: number): StoredRow[];
  /** What is known of this row, which `rows` gave in this turn. Throws INTEGRITY unless it is the current one of its id. */
  entryOf(row: StoredRow): RowEntry;
  /** The row sealed anew, for `replace`, in place of the one that had this entry. */
  replacement(row: StoredRow, before: RowEntry): Replacement;
  /**
   * Puts these rows in place of their originals in one commit, less those whose original was changed or dropped since
   * it was read, and answers how many that were. Throws as `commit`.
   */
  replace(replacements: readonly Replacement[]): number;
  /** Makes the changes durable and returns the commit's number. If it throws, nothing has changed. */
  commit(changes: Changes): number;
  /** Commits nothing under a number past this one: those up to it belong to a state that was given up. */
  goPast(commit: number): void;
  /** Whether the last commit holds this key set, of which these are all lines. */
  holdsKeyset(lines: readonly string[]): boolean;
  /** Makes the store forget for good what it no longer holds. Throws UNAVAILABLE. */
  forget(): void;
  /** Tells of what each commit has changed, until the function that it gives is called. One at a time. */
  watch(seen: (changes: Changes) => void): () => void;
  /** How many rows there are, and the freshness sum of them alone. */
  rowTotals(): { readonly rows: number; readonly sum: Uint8Array };
  /**
   * Goes on in another store that holds the same rows: commits counters, facts, these lines as its whole key set and the
   * next root to it, then runs `commitPoint`, and only when that has returned leaves the present store, which is the
   * caller's to close. If either throws, nothing has changed here.
   */
  moveTo(next: SecretsStore, keysetLines: readonly string[], commitPoint: () => void): void;
  /** What is on the disk is not known any more: from here on `requireOpen` throws. */
  distrust(): void;
  /** Closes the store; a second call does nothing. */
  close(): void;
}

const rowsPerTurn = 4_096;

/** The ledger of a new store; `first` is its first commit. */
export function createLedger(
  store: SecretsStore,
  keys: IndexKeys,
  cipher: RootCipher,
  first: Changes,
): Ledger {
  if (store.root() !== undefined) throw new HushError('EXISTS', 'the store holds a vault already');
  const empty: Root = {
    commit: 0,
    rows: 0,
    counters: 0,
    facts: 0,
    sum: '0'.repeat(2 * sumSize),
    keyset: keysetHead([]),
  };
  const ledger = ledgerOf(store, keys, cipher, {
    root: empty,
    sealed: undefined,
    rows: createCurrentRows(),
    counters: new Map(),
    facts: new Map(),
  });
  ledger.commit(first);
  return ledger;
}

/**
 * Checks all of a store against its root and gives the ledger over it. Throws INTEGRITY if a row, a counter, a fact or
 * a line of the key set is missing, added, moved, or of another time than the rest. Yields to other work between blocks.
 */
export async function openLedger(store: SecretsStore, keys: IndexKeys, cipher: RootCipher): Promise<Ledger> {
  const sealed = store.root();
  if (sealed === undefined) throw tampered('its root is gone');
  const root = cipher.open(sealed);
  const rows = createCurrentRows();
  const sum = new Uint8Array(sumSize);
  let count = 0;
  let sinceYield = 0;
  for (const block of store.fingerprints()) {
    for (let at = 0; at < block.length; at += fingerprintSize) {
      const fingerprint = block.subarray(at, at + fingerprintSize);
      const item = keys.rowItem(fingerprint);
      toggle(sum, item);
      count++;
      const dek = dekOf(fingerprint);
      if (stateOf(fingerprint) === rowState.current) {
        rows.put(idOf(fingerprint), { version: versionOf(fingerprint), dek, item: textOf(item) });
      } else rows.countOther(dek);
    }
    sinceYield += block.length / fingerprintSize;
    if (sinceYield >= rowsPerTurn) {
      sinceYield = 0;
      await nextTurn();
    }
  }
  const counters = new Map(store.counters().map(({ key, reserved }) => [key, reserved]));
  for (const [key, reserved] of counters) toggle(sum, keys.counterItem({ key, reserved }));

  const facts = new Map(store.facts().map((fact) => [fact.name, fact]));
  for (const fact of facts.values()) toggle(sum, keys.factItem(fact));

  const isWhole = count === root.rows && counters.size === root.counters && facts.size === root.facts;
  if (!isWhole || hexOf(sum) !== root.sum) {
    throw tampered('its rows are not those of its last commit');
  }
  const { lines, hash } = keysetHead(store.keysetLines());
  if (lines !== root.keyset.lines || hash !== root.keyset.hash) {
    throw tampered('its key set is not that of its last commit');
  }
  return ledgerOf(store, keys, cipher, { root, sealed, rows, counters, facts });
}

interface State {
  readonly root: Root;
  readonly sealed: Uint8Array | undefined;
  readonly rows: CurrentRows;
  readonly counters: Map<string, number>;
  readonly facts: Map<string, FactRow>;
}

function ledgerOf(first: SecretsStore, keys: IndexKeys, cipher: RootCipher, state: State): Ledger {
  const { rows, counters, facts } = state;
  let store = first;
  let watcher: ((changes: Changes) => void) | undefined;
  let { root, sealed } = state;
  let auditHead = root.audit;
  let past = 0;
  let isKnown = true;
  let isOpen = true;

  const itemOf = (id: Uint8Array): Uint8Array[] => {
    const entry = rows.get(id);
    return entry === undefined ? [] : [bytesOf(entry.item)];
  };

  const counterItems = ({ key, reserved }: CounterRow): Uint8Array[] => {
    const before = counters.get(key);
    const after = keys.counterItem({ key, reserved });
    return before === undefined ? [after] : [keys.counterItem({ key, reserved: before }), after];
  };

  const factItems = (fact: FactRow): Uint8Array[] => {
    const before = facts.get(fact.name);
    return [before, fact].flatMap((row) =>
      row === undefined || row.sealed.length === 0 ? [] : [keys.factItem(row)],
    );
  };

  /** By how many facts a change makes more of them. */
  const growth = ({ name, sealed }: FactRow): number => Number(sealed.length > 0) - Number(facts.has(name));

  const nextRoot = (
    changes: Changes,
    put: ReadonlyMap<StoredRow, Uint8Array>,
    replaced: readonly Replacement[],
  ): Root => {
    const { drop = [], counters: counted = [], facts: noted = [], keyset } = changes;
    const dropped = drop.flatMap(({ id }) => itemOf(id));
    const items = [
      ...dropped,
      ...put.values(),
      ...counted.flatMap(counterItems),
      ...noted.flatMap(factItems),
    ];
    const sum = toggled(Buffer.from(root.sum, 'hex'), items);
    for (const { before, entry } of replaced) {
      toggleText(sum, before.item);
      toggleText(sum, entry.item);
    }
    return {
      commit: Math.max(root.commit, past) + 1,
      rows: root.rows - dropped.length + put.size,
      counters: root.counters + counted.filter(({ key }) => !counters.has(key)).length,
      facts: noted.reduce((sum, fact) => sum + growth(fact), root.facts),
      sum: hexOf(sum),
      keyset: keyset === undefined ? root.keyset : keysetHead(keyset.lines, keyset.from),
      ...(auditHead === undefined ? {} : { audit: auditHead }),
    };
  };

  /** Whether a commit that failed left the store as it was; if it cannot be asked, nobody can tell what it holds. */
  const isUnchanged = (): boolean => {
    try {
      const found = store.root();
      return sealed === undefined ? found === undefined : found !== undefined && equalBytes(found, sealed);
    } catch {
      return false;
    }
  };

  function requireItem(row: StoredRow, { item }: RowEntry): void {
    if (textOf(keys.rowItem(fingerprintOf(row))) !== item) throw tampered('a row was replaced');
  }

  function requireOpen(): void {
    if (!isOpen) throw new HushError('LOCKED');
    if (isKnown) return;
    throw new HushError('UNAVAILABLE', 'a write to the vault failed half-way, and its state is unknown', {
      hint: 'hush lock, then hush unlock',
    });
  }

  function commit(changes: Changes, replaced: readonly Replacement[] = []): number {
    requireOpen();
    const put = new Map((changes.put ?? []).map((row) => [row, keys.rowItem(fingerprintOf(row))]));
    const next = nextRoot(changes, put, replaced);
    const nextSealed = cipher.seal(next);
    try {
      store.commit(changes, nextSealed);
    } catch (error) {
      isKnown = isUnchanged();
      throw error;
    }
    for (const { id } of changes.drop ?? []) rows.drop(id);
    for (const [row, item] of put) rows.put(row.id, entryFor(row, item));
    for (const { row, entry } of replaced) rows.put(row.id, entry);
    for (const { key, reserved } of changes.counters ?? []) counters.set(key, reserved);
    for (const fact of changes.facts ?? []) {
      if (fact.sealed.length === 0) facts.delete(fact.name);
      else facts.set(fact.name, fact);
    }
    root = next;
    sealed = nextSealed;
    watcher?.(changes);
    return root.commit;
  }

  return {
    size: rows.size,
    commitCounter: () => root.commit,
    requireOpen,
    counter: (key) => counters.get(key) ?? 0,
    fact: (name) => facts.get(name),
    auditHead: () => root.audit,
    noteAuditHead: (head) => {
      auditHead = head;
    },
    hasNewAuditHead: () => auditHead?.seq !== root.audit?.seq || auditHead?.hash !== root.audit?.hash,
    version: (id) => rows.get(id)?.version,
    read: (id) => {
      const entry = rows.get(id);
      if (entry === undefined) return undefined;
      const row = store.read(id, entry.version);
      if (row === undefined) throw tampered('a row is gone');
      requireItem(row, entry);
      return row;
    },
    page: (after, limit) => {
      requireOpen();
      const page = store.page(after, limit);
      if (after === undefined && page.length < Math.min(limit, rows.size())) throw tampered('a row is gone');
      for (const { id, version } of page) {
        if (rows.get(id)?.version !== version) throw tampered('a row was put in or replaced');
      }
      return page;
    },
    counts: rows.counts,
    rows: (after, limit) => {
      requireOpen();
      return store.rows(after, limit);
    },
    entryOf: (row) => {
      const entry = rows.get(row.id);
      if (entry?.version !== row.version) throw tampered('a row was put in or replaced');
      requireItem(row, entry);
      return entry;
    },
    replacement: (row, before) => ({ row, before, entry: entryFor(row, keys.rowItem(fingerprintOf(row))) }),
    replace: (replacements) => {
      const current = replacements.filter(({ row, before }) => rows.get(row.id) === before);
      if (current.length > 0) commit({ replace: current.map(({ row }) => row) }, current);
      return current.length;
    },
    commit: (changes) => commit(changes),
    goPast: (number) => {
      past = number;
      commit({});
    },
    holdsKeyset: (lines) => {
      const head = keysetHead(lines);
      return head.lines === root.keyset.lines && head.hash === root.keyset.hash;
    },
    forget: () => {
      requireOpen();
      store.forget();
    },
    watch: (seen) => {
      watcher = seen;
      return () => {
        if (watcher === seen) watcher = undefined;
      };
    },
    rowTotals: () => {
      const others = [
        ...[...counters].map(([key, reserved]) => keys.counterItem({ key, reserved })),
        ...[...facts.values()].map(keys.factItem),
      ];
      return { rows: root.rows, sum: toggled(Buffer.from(root.sum, 'hex'), others) };
    },
    moveTo: (next, keysetLines, commitPoint) => {
      requireOpen();
      const keyset = { from: 0, lines: keysetLines };
      const nextOne = nextRoot({ keyset }, new Map(), []);
      const nextSealed = cipher.seal(nextOne);
      const counted = [...counters].map(([key, reserved]) => ({ key, reserved }));
      next.commit({ keyset, counters: counted, facts: [...facts.values()] }, nextSealed);
      commitPoint();
      store = next;
      root = nextOne;
      sealed = nextSealed;
    },
    distrust: () => {
      isKnown = false;
    },
    close: () => {
      isOpen = false;
      rows.clear();
      store.close();
    },
  };
}

const tampered = (what: string): HushError =>
  new HushError('INTEGRITY', `the vault was tampered with: ${what}`);

/** How many lines the key set has, and the SHA-256 of its last one, whose MAC chains all of them. */
export const keysetHead = (lines: readonly string[], from = 0): Root['keyset'] => ({
  lines: from + lines.length,
  hash: createHash('sha256')
    .update(lines.at(-1) ?? '')
    .digest('hex'),
});

const entryFor = ({ version, dek }: StoredRow, item: Uint8Array): RowEntry => ({
  version,
  dek,
  item: textOf(item),
});

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
