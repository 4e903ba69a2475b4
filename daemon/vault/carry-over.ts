import { setImmediate as nextTurn } from 'node:timers/promises';

import { HushError } from '../../protocol/errors.ts';
import { storedLine } from '../keys/create.ts';
import type { Keyring } from '../keys/keyring.ts';
import { parseLegacyForm } from '../keys/legacy-value.ts';
import { parseSealedValue } from '../keys/sealed.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { fingerprintOf } from '../stores/fingerprint.ts';
import type { SqlcipherStore } from '../stores/sqlcipher-store.ts';
import type { CounterRow, FactRow, RowKey, StoredRow } from '../stores/store.ts';
import { backupsFact } from './backup-facts.ts';
import { sumSize, toggle } from './freshness-sum.ts';
import { createIndexKeys } from './index-keys.ts';
import { lastDecryptsFact } from './key-use.ts';
import { createRootCipher, keysetHead } from './root.ts';
import { noDek } from './rows.ts';

/** What a vault remembers that an older state of it must not take back. */
export interface Remembered {
  readonly counters: readonly CounterRow[];
  /** Undefined where the source knows better. */
  readonly facts: readonly FactRow[] | undefined;
}

/** What was carried over. */
export interface CarriedOver {
  readonly rows: number;
  /** Rows that were left out, because a key that they need was destroyed. */
  readonly unreadable: number;
}

interface CarryOverParts {
  /** A store that has proved whole (`checkVault`); nothing of it is changed. */
  readonly source: SqlcipherStore;
  /** An empty store, which gets all of it. */
  readonly target: SqlcipherStore;
  /** The keys that the target is to go on with: those of the source, and perhaps newer ones. */
  readonly keyring: Keyring;
  readonly arena: SecureArena;
  /** What the vault knows that takes the place of the source, where that can be read and is newer. */
  readonly newer: Remembered | undefined;
}

/** Facts of which the newest is true whatever the rows are. */
const lasting: ReadonlySet<string> = new Set([backupsFact, lastDecryptsFact]);

const rowsPerStep = 256;

/**
 * Puts all that a vault holds into an empty store, row by row as it is sealed, with the key set of `keyring` and as of
 * the same commit: an unlock is to see that it is the older state. Message counts never go down. Throws INTEGRITY,
 * UNAVAILABLE; the target is then rubbish.
 */
export async function carryOver({
  source,
  target,
  keyring,
  arena,
  newer,
}: CarryOverParts): Promise<CarriedOver> {
  const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
  const cipher = createRootCipher(keys, keyring.vaultId);
  try {
    const sealed = source.root();
    if (sealed === undefined)
      throw new HushError('INTEGRITY', 'the vault was tampered with: its root is gone');
    const before = cipher.open(sealed);
    const sum = new Uint8Array(sumSize);
    let rows = 0;
    let unreadable = 0;
    for (let after: RowKey | undefined; ;) {
      const found = source.rows(after, rowsPerStep);
      const put = found.filter((row) => !isUnreadable(row, keyring));
      // The root that counts comes last.
      target.commit({ put }, sealed);
      for (const row of put) toggle(sum, keys.rowItem(fingerprintOf(row)));
      rows += put.length;
      unreadable += found.length - put.length;
      after = found.at(-1);
      if (after === undefined) break;
      await nextTurn();
    }
    const counters = highest([...source.counters(), ...(newer?.counters ?? [])]);
    const facts = merged(source.facts(), newer?.facts);
    for (const counter of counters) toggle(sum, keys.counterItem(counter));
    for (const fact of facts) toggle(sum, keys.factItem(fact));
    const { lines } = keyring.keyset();
    const root = cipher.seal({
      ...before,
      rows,
      counters: counters.length,
      facts: facts.length,
      sum: Buffer.from(sum.buffer).toString('hex'),
      keyset: keysetHead(lines),
    });
    target.commit({ counters, facts, keyset: { from: 0, lines } }, root);
    return { rows, unreadable };
  } finally {
    cipher.close();
    keys.close();
  }
}

/** Whether a key that the row needs was destroyed. */
function isUnreadable(row: StoredRow, keyring: Keyring): boolean {
  try {
    const { keyring: name, tenant } = storedLine;
    keyring.dek(name, tenant, parseSealedValue(row.meta).dekVersion);
    if (row.dek === noDek) keyring.legacyKey(parseLegacyForm(row.value).keyVersion);
    else keyring.dek(name, tenant, row.dek);
    return false;
  } catch (error) {
    if (error instanceof HushError && error.code === 'KEY_DESTROYED') return true;
    throw error;
  }
}

function highest(counters: readonly CounterRow[]): readonly CounterRow[] {
  const reserved = new Map<string, number>();
  for (const counter of counters) {
    reserved.set(counter.key, Math.max(counter.reserved, reserved.get(counter.key) ?? 0));
  }
  return [...reserved].map(([key, most]) => ({ key, reserved: most }));
}

function merged(own: readonly FactRow[], newer: readonly FactRow[] | undefined): readonly FactRow[] {
  if (newer === undefined) return own;
  const isLasting = ({ name }: FactRow): boolean => lasting.has(name);
  return [...own.filter((fact) => !isLasting(fact)), ...newer.filter(isLasting)];
}
