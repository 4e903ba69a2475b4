import { setImmediate as nextTurn } from 'node:timers/promises';

import { HushError } from '../../protocol/errors.ts';
import { dekOf, fingerprintOf, fingerprintSize, idOf, stateOf, versionOf } from '../stores/fingerprint.ts';
import {
  rowState,
  type Changes,
  type CounterRow,
  type FactRow,
  type RowKey,
  type SecretsStore,
  type StoredRow,
} from '../stores/store.ts';
import { createRowIndex, type RowEntry, type RowIndex } from './row-index.ts';
import { sumSize, toggle, toggled, toggleText } from './freshness-sum.ts';
import type { IndexKeys } from './index-keys.ts';
import { keysetHead, type AuditHead, type Root, type RootCipher } from './root.ts';

/** What is known of a store: all that its last commit says, less names and values. */
export interface LedgerState {
  readonly root: Root;
  /** The root as it is stored; undefined before the first commit. */
  readonly sealed: Uint8Array | undefined;
  readonly rows: RowIndex;
  readonly counters: Map<string, number>;
  readonly facts: Map<string, FactRow>;
}

/** A row sealed anew or in another state, to take the place of the one that it was made from. */
export interface Replacement {
  readonly row: StoredRow;
  /** What is known of it once it is in place. */
  readonly entry: RowEntry;
  /** What the row was that it was made from. */
  readonly before: RowEntry;
}

/** What one commit changes, with what it adds to the freshness sum. */
export interface Step {
  readonly changes: Changes;
  readonly put: ReadonlyMap<StoredRow, Uint8Array>;
  readonly replaced: readonly Replacement[];
}

/** The state of a store in which nothing was ever committed. */
export const emptyState = (): LedgerState => ({
  root: {
    commit: 0,
    rows: 0,
    counters: 0,
    facts: 0,
    sum: '0'.repeat(2 * sumSize),
    keyset: keysetHead([]),
  },
  sealed: undefined,
  rows: createRowIndex(),
  counters: new Map(),
  facts: new Map(),
});

const rowsPerTurn = 4_096;

/**
 * The state of a store, all of which is checked against its root. Throws INTEGRITY if a row, a counter, a fact or a line
 * of the key set is missing, added, moved, or of another time than the rest. Yields to other work between blocks.
 */
export async function checkedState(
  store: SecretsStore,
  keys: IndexKeys,
  cipher: RootCipher,
): Promise<LedgerState> {
  const sealed = store.root();
  if (sealed === undefined) throw tampered('its root is gone');
  const root = cipher.open(sealed);
  const rows = createRowIndex();
  const sum = new Uint8Array(sumSize);
  let count = 0;
  let sinceYield = 0;
  for (const block of store.fingerprints()) {
    for (let at = 0; at < block.length; at += fingerprintSize) {
      const fingerprint = block.subarray(at, at + fingerprintSize);
      const item = keys.rowItem(fingerprint);
      toggle(sum, item);
      count++;
      const id = idOf(fingerprint);
      const state = stateOf(fingerprint) ?? rowState.superseded;
      if (state === rowState.current && rows.get(id) !== undefined) throw tampered('two rows are current');
      rows.put(id, {
        version: versionOf(fingerprint),
        state,
        dek: dekOf(fingerprint),
        item: textOf(item),
      });
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
  return { root, sealed, rows, counters, facts };
}

/** The step of these changes; `replaced` says of the rows to replace what is known of them already. */
export const stepOf = (
  keys: IndexKeys,
  rows: RowIndex,
  changes: Changes,
  replaced: readonly Replacement[] = (changes.replace ?? []).map((row) => {
    const before = rows.entry(row.id, row.version);
    if (before === undefined) throw tampered('a row is gone');
    return replacementOf(keys, row, before);
  }),
): Step => ({
  changes,
  put: new Map((changes.put ?? []).map((row) => [row, keys.rowItem(fingerprintOf(row))])),
  replaced,
});

/** The row in place of the one that had the entry `before`. */
export const replacementOf = (keys: IndexKeys, row: StoredRow, before: RowEntry): Replacement => ({
  row,
  before,
  entry: entryFor(row, keys.rowItem(fingerprintOf(row))),
});

/** The root of a state after a step, as the commit of this number. */
export function rootAfter(
  { root, rows, counters, facts }: LedgerState,
  keys: IndexKeys,
  { changes, put, replaced }: Step,
  commit: number,
  audit: AuditHead | undefined,
): Root {
  const { drop = [], counters: counted = [], facts: noted = [], keyset } = changes;
  const itemOf = ({ id, version }: RowKey): Uint8Array[] => {
    const entry = rows.entry(id, version);
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

  const dropped = drop.flatMap(itemOf);
  const items = [...dropped, ...put.values(), ...counted.flatMap(counterItems), ...noted.flatMap(factItems)];
  const sum = toggled(Buffer.from(root.sum, 'hex'), items);
  for (const { before, entry } of replaced) {
    toggleText(sum, before.item);
    toggleText(sum, entry.item);
  }
  return {
    commit,
    rows: root.rows - dropped.length + put.size,
    counters: root.counters + counted.filter(({ key }) => !counters.has(key)).length,
    facts: noted.reduce((count, fact) => count + growth(fact), root.facts),
    sum: hexOf(sum),
    keyset: keyset === undefined ? root.keyset : keysetHead(keyset.lines, keyset.from),
    ...(audit === undefined ? {} : { audit }),
  };
}

/** Takes over what a step has changed, once it is committed. */
export function enter({ rows, counters, facts }: LedgerState, { changes, put, replaced }: Step): void {
  for (const { id, version } of changes.drop ?? []) rows.drop(id, version);
  // Before the rows that take their place as the current ones.
  for (const { row, entry } of replaced) rows.put(row.id, entry);
  for (const [row, item] of put) rows.put(row.id, entryFor(row, item));
  for (const { key, reserved } of changes.counters ?? []) counters.set(key, reserved);
  for (const fact of changes.facts ?? []) {
    if (fact.sealed.length === 0) facts.delete(fact.name);
    else facts.set(fact.name, fact);
  }
}

/** What is known of a row that adds this item to the freshness sum. */
export const entryFor = ({ version, state, dek }: StoredRow, item: Uint8Array): RowEntry => ({
  version,
  state,
  dek,
  item: textOf(item),
});

/** INTEGRITY, saying what of a vault cannot be an accident. */
export const tampered = (what: string): HushError =>
  new HushError('INTEGRITY', `the vault was tampered with: ${what}`);

/** An item of the freshness sum as it is kept in a `RowEntry`. */
export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
