import { HushError } from '../../protocol/errors.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import { fingerprintOf } from '../stores/fingerprint.ts';
import {
  rowState,
  type Changes,
  type FactRow,
  type RowKey,
  type RowSummary,
  type SecretsStore,
  type StoredRow,
} from '../stores/store.ts';
import { toggled } from './freshness-sum.ts';
import type { IndexKeys } from './index-keys.ts';
import {
  checkedState,
  emptyState,
  enter,
  replacementOf,
  rootAfter,
  stepOf,
  tampered,
  textOf,
  type LedgerState,
  type Replacement,
} from './ledger-state.ts';
import { keysetHead, type AuditHead, type RootCipher } from './root.ts';
import type { RowEntry } from './row-index.ts';

/** The one way to a store: whatever comes out is the row that was last put in, and every commit moves the root. */
export interface Ledger {
  /** How many secrets there are. */
  size(): number;
  /** How many rows there are, of whatever state. */
  rowCount(): number;
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
  /** Its row of that version, in whatever state; otherwise as `read`. */
  readVersion(id: Uint8Array, version: number): StoredRow | undefined;
  /** As `readVersion`, without the value; an older seal of the same row shows at the next unlock. */
  summary(id: Uint8Array, version: number): RowSummary | undefined;
  /** What is known of its rows, the oldest first. */
  entries(id: Uint8Array): readonly RowEntry[];
  /** The deleted rows in the order of their ids, from the first one after `after`; never their values. */
  deletedPage(after: Uint8Array | undefined, limit: number): RowSummary[];
  /** As the store's `page`. Throws INTEGRITY for a row that is not the current one of its id. */
  page(after: Uint8Array | undefined, limit: number): RowSummary[];
  /** How many rows each data key seals, by its version; 0 stands for rows that were sealed without one. */
  counts(): ReadonlyMap<number, number>;
  /** As the store's `rows`. */
  rows(after: RowKey | undefined, limit: number): StoredRow[];
  /** What is known of this row, which `rows` gave in this turn. Throws INTEGRITY for one that the vault does not know. */
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
  /** Makes the store forget for good what it no longer holds; see its own. Throws UNAVAILABLE. */
  forget: SecretsStore['forget'];
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

/** The ledger of a new store; `first` is its first commit. */
export function createLedger(
  store: SecretsStore,
  keys: IndexKeys,
  cipher: RootCipher,
  first: Changes,
): Ledger {
  if (store.root() !== undefined) throw new HushError('EXISTS', 'the store holds a vault already');
  const ledger = ledgerOf(store, keys, cipher, emptyState());
  ledger.commit(first);
  return ledger;
}

/** The ledger over a store, all of which has proved to be of its last commit. Throws as `checkedState`. */
export async function openLedger(store: SecretsStore, keys: IndexKeys, cipher: RootCipher): Promise<Ledger> {
  return ledgerOf(store, keys, cipher, await checkedState(store, keys, cipher));
}

function ledgerOf(first: SecretsStore, keys: IndexKeys, cipher: RootCipher, opened: LedgerState): Ledger {
  const { rows, counters, facts } = opened;
  let state = opened;
  let store = first;
  let watcher: ((changes: Changes) => void) | undefined;
  let auditHead = state.root.audit;
  let past = 0;
  let isKnown = true;
  let isOpen = true;

  /** The number of the next commit. */
  const nextNumber = (): number => Math.max(state.root.commit, past) + 1;

  /** Whether a commit that failed left the store as it was; if it cannot be asked, nobody can tell what it holds. */
  const isUnchanged = (): boolean => {
    const { sealed } = state;
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

  function rowOf(id: Uint8Array, entry: RowEntry | undefined): StoredRow | undefined {
    if (entry === undefined) return undefined;
    const row = store.read(id, entry.version);
    if (row === undefined) throw tampered('a row is gone');
    requireItem(row, entry);
    return row;
  }

  function summaryOf(id: Uint8Array, version: number): RowSummary | undefined {
    const entry = rows.entry(id, version);
    if (entry === undefined) return undefined;
    const row = store.summary(id, version);
    if (row === undefined) throw tampered('a row is gone');
    if (row.state !== entry.state || row.dek !== entry.dek) throw tampered('a row was replaced');
    return row;
  }

  function commit(changes: Changes, replaced?: readonly Replacement[]): number {
    requireOpen();
    const step = stepOf(keys, rows, changes, replaced);
    const root = rootAfter(state, keys, step, nextNumber(), auditHead);
    const sealed = cipher.seal(root);
    try {
      store.commit(changes, sealed);
    } catch (error) {
      isKnown = isUnchanged();
      throw error;
    }
    enter(state, step);
    state = { ...state, root, sealed };
    watcher?.(changes);
    return root.commit;
  }

  return {
    size: rows.size,
    rowCount: () => state.root.rows,
    commitCounter: () => state.root.commit,
    requireOpen,
    counter: (key) => counters.get(key) ?? 0,
    fact: (name) => facts.get(name),
    auditHead: () => state.root.audit,
    noteAuditHead: (head) => {
      auditHead = head;
    },
    hasNewAuditHead: () => {
      const { audit } = state.root;
      return auditHead?.seq !== audit?.seq || auditHead?.hash !== audit?.hash;
    },
    version: (id) => rows.get(id)?.version,
    read: (id) => rowOf(id, rows.get(id)),
    readVersion: (id, version) => rowOf(id, rows.entry(id, version)),
    summary: summaryOf,
    entries: (id) => {
      const current = rows.get(id);
      const others = rows.others(id);
      return current === undefined ? others : [...others, current];
    },
    deletedPage: (after, limit) => {
      requireOpen();
      return rows.deletedIds(after, limit).flatMap((id) => {
        const entry = rows.others(id).find(({ state }) => state === rowState.deleted);
        return (entry === undefined ? undefined : summaryOf(id, entry.version)) ?? [];
      });
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
      const entry = rows.entry(row.id, row.version);
      if (entry === undefined) throw tampered('a row was put in or replaced');
      requireItem(row, entry);
      return entry;
    },
    replacement: (row, before) => replacementOf(keys, row, before),
    replace: (replacements) => {
      const current = replacements.filter(({ row, before }) => rows.entry(row.id, row.version) === before);
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
      const { keyset } = state.root;
      return head.lines === keyset.lines && head.hash === keyset.hash;
    },
    forget: (what) => {
      requireOpen();
      store.forget(what);
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
      const { root } = state;
      return { rows: root.rows, sum: toggled(Buffer.from(root.sum, 'hex'), others) };
    },
    moveTo: (next, keysetLines, commitPoint) => {
      requireOpen();
      const keyset = { from: 0, lines: keysetLines };
      const root = rootAfter(state, keys, stepOf(keys, rows, { keyset }), nextNumber(), auditHead);
      const sealed = cipher.seal(root);
      const counted = [...counters].map(([key, reserved]) => ({ key, reserved }));
      next.commit({ keyset, counters: counted, facts: [...facts.values()] }, sealed);
      commitPoint();
      store = next;
      state = { ...state, root, sealed };
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
