import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { HushError } from '../../protocol/errors.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import { fingerprintOf, fingerprintSize, idOf, stateOf, versionOf } from '../stores/fingerprint.ts';
import {
  rowState,
  type Changes,
  type CounterRow,
  type RowSummary,
  type SecretsStore,
  type StoredRow,
} from '../stores/store.ts';
import { sumSize, toggle, toggled } from './freshness-sum.ts';
import type { IndexKeys } from './index-keys.ts';
import type { AuditHead, Root, RootCipher } from './root.ts';

/** What the vault knows of the current row of one secret. */
interface Entry {
  readonly version: number;
  /** The row's item of the freshness sum, one byte a character: 100,000 short strings cost less than as many arrays. */
  readonly item: string;
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
  /** Makes the changes durable and returns the commit's number. If it throws, nothing has changed. */
  commit(changes: Changes): number;
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
    sum: '0'.repeat(2 * sumSize),
    keyset: keysetHead([]),
  };
  const ledger = ledgerOf(store, keys, cipher, {
    root: empty,
    sealed: undefined,
    rows: new Map(),
    counters: new Map(),
  });
  ledger.commit(first);
  return ledger;
}

/**
 * Checks all of a store against its root and gives the ledger over it. Throws INTEGRITY if a row, a counter or a
 * line of the key set is missing, added, moved, or of another time than the rest. Yields to other work between blocks.
 */
export async function openLedger(store: SecretsStore, keys: IndexKeys, cipher: RootCipher): Promise<Ledger> {
  const sealed = store.root();
  if (sealed === undefined) throw tampered('its root is gone');
  const root = cipher.open(sealed);
  const rows = new Map<string, Entry>();
  const sum = new Uint8Array(sumSize);
  let count = 0;
  let sinceYield = 0;
  for (const block of store.fingerprints()) {
    for (let at = 0; at < block.length; at += fingerprintSize) {
      const fingerprint = block.subarray(at, at + fingerprintSize);
      const item = keys.rowItem(fingerprint);
      toggle(sum, item);
      count++;
      if (stateOf(fingerprint) === rowState.current) {
        rows.set(textOf(idOf(fingerprint)), { version: versionOf(fingerprint), item: textOf(item) });
      }
    }
    sinceYield += block.length / fingerprintSize;
    if (sinceYield >= rowsPerTurn) {
      sinceYield = 0;
      await nextTurn();
    }
  }
  const counters = new Map(store.counters().map(({ key, reserved }) => [key, reserved]));
  for (const [key, reserved] of counters) toggle(sum, keys.counterItem({ key, reserved }));

  if (count !== root.rows || counters.size !== root.counters || hexOf(sum) !== root.sum) {
    throw tampered('its rows are not those of its last commit');
  }
  const { lines, hash } = keysetHead(store.keysetLines());
  if (lines !== root.keyset.lines || hash !== root.keyset.hash) {
    throw tampered('its key set is not that of its last commit');
  }
  return ledgerOf(store, keys, cipher, { root, sealed, rows, counters });
}

interface State {
  readonly root: Root;
  readonly sealed: Uint8Array | undefined;
  readonly rows: Map<string, Entry>;
  readonly counters: Map<string, number>;
}

function ledgerOf(store: SecretsStore, keys: IndexKeys, cipher: RootCipher, state: State): Ledger {
  const { rows, counters } = state;
  let { root, sealed } = state;
  let auditHead = root.audit;
  let isKnown = true;
  let isOpen = true;

  const itemOf = (id: Uint8Array): Uint8Array[] => {
    const entry = rows.get(textOf(id));
    return entry === undefined ? [] : [Buffer.from(entry.item, 'latin1')];
  };

  const counterItems = ({ key, reserved }: CounterRow): Uint8Array[] => {
    const before = counters.get(key);
    const after = keys.counterItem({ key, reserved });
    return before === undefined ? [after] : [keys.counterItem({ key, reserved: before }), after];
  };

  const nextRoot = (changes: Changes, put: ReadonlyMap<StoredRow, Uint8Array>): Root => {
    const { drop = [], counters: counted = [], keyset } = changes;
    const dropped = drop.flatMap(({ id }) => itemOf(id));
    const items = [...dropped, ...put.values(), ...counted.flatMap(counterItems)];
    return {
      commit: root.commit + 1,
      rows: root.rows - dropped.length + put.size,
      counters: root.counters + counted.filter(({ key }) => !counters.has(key)).length,
      sum: hexOf(toggled(Buffer.from(root.sum, 'hex'), items)),
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

  function requireOpen(): void {
    if (!isOpen) throw new HushError('LOCKED');
    if (isKnown) return;
    throw new HushError('UNAVAILABLE', 'a write to the vault failed half-way, and its state is unknown', {
      hint: 'hush lock, then hush unlock',
    });
  }

  function commit(changes: Changes): number {
    requireOpen();
    const put = new Map((changes.put ?? []).map((row) => [row, keys.rowItem(fingerprintOf(row))]));
    const next = nextRoot(changes, put);
    const nextSealed = cipher.seal(next);
    try {
      store.commit(changes, nextSealed);
    } catch (error) {
      isKnown = isUnchanged();
      throw error;
    }
    for (const { id } of changes.drop ?? []) rows.delete(textOf(id));
    for (const [{ id, version }, item] of put) rows.set(textOf(id), { version, item: textOf(item) });
    for (const { key, reserved } of changes.counters ?? []) counters.set(key, reserved);
    root = next;
    sealed = nextSealed;
    return root.commit;
  }

  return {
    size: () => rows.size,
    commitCounter: () => root.commit,
    requireOpen,
    counter: (key) => counters.get(key) ?? 0,
    auditHead: () => root.audit,
    noteAuditHead: (head) => {
      auditHead = head;
    },
    hasNewAuditHead: () => auditHead?.seq !== root.audit?.seq || auditHead?.hash !== root.audit?.hash,
    version: (id) => rows.get(textOf(id))?.version,
    read: (id) => {
      const entry = rows.get(textOf(id));
      if (entry === undefined) return undefined;
      const row = store.read(id, entry.version);
      if (row === undefined) throw tampered('a row is gone');
      if (textOf(keys.rowItem(fingerprintOf(row))) !== entry.item) throw tampered('a row was replaced');
      return row;
    },
    page: (after, limit) => {
      requireOpen();
      const page = store.page(after, limit);
      if (after === undefined && page.length < Math.min(limit, rows.size)) throw tampered('a row is gone');
      for (const { id, version } of page) {
        if (rows.get(textOf(id))?.version !== version) throw tampered('a row was put in or replaced');
      }
      return page;
    },
    commit,
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
const keysetHead = (lines: readonly string[], from = 0): Root['keyset'] => ({
  lines: from + lines.length,
  hash: createHash('sha256')
    .update(lines.at(-1) ?? '')
    .digest('hex'),
});

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
