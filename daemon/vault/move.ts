import { HushError } from '../../protocol/errors.ts';
import { fingerprintOf, fingerprintSize } from '../stores/fingerprint.ts';
import type { SqlcipherStore } from '../stores/sqlcipher-store.ts';
import type { Changes, RowKey, StoredRow } from '../stores/store.ts';
import { sumSize, toggle } from './freshness-sum.ts';
import type { IndexKeys } from './index-keys.ts';
import type { Ledger } from './ledger.ts';
import { inSlices } from './slices.ts';

/**
 * The way of a vault into another file while it goes on being used: `copyTo`, `verify`, `catchUp`, `complete`, in this
 * order, and `end` whatever comes of it. What is committed meanwhile to rows that are copied already is copied again.
 * All work beside others in short slices, except `complete`. All throw LOCKED once the vault is closed, INTEGRITY when
 * the rows that were read are not those of the vault's last commit, and as the stores do.
 */
export interface VaultMove {
  /** Copies all rows; `told` hears how many are done. */
  copyTo(target: SqlcipherStore, told: (rows: number) => void): Promise<void>;
  /** Reads all rows of the target back, from its file opened anew; nothing is copied meanwhile. */
  verify(target: SqlcipherStore, told: (rows: number) => void): Promise<void>;
  /** Copies what was changed since, until little is left. */
  catchUp(target: SqlcipherStore): Promise<void>;
  /**
   * In one go: copies what is left, checks that the target holds what the vault's root says, commits these lines as its
   * key set, and, once `commitPoint` has returned, goes on in it. If that throws the vault stays where it is.
   */
  complete(target: SqlcipherStore, keysetLines: readonly string[], commitPoint: () => void): void;
  end(): void;
}

/** What a move works on. */
interface MoveParts {
  readonly ledger: Ledger;
  readonly keys: IndexKeys;
  /** The store that the ledger stands on. */
  readonly source: SqlcipherStore;
  /** What it throws ends the move. */
  readonly requireGoing: () => void;
}

const rowsPerStep = 8;
/** A final step that copies so many rows takes a few milliseconds. */
const littleLeft = 64;
/** How often the rest is tried to be made small while others change rows without a pause. */
const mostSteps = 2_000;

/** A move that watches the ledger from here on. */
export function createVaultMove({ ledger, keys, source, requireGoing }: MoveParts): VaultMove {
  /** Rows that are to be copied again, by key. */
  const changed = new Map<string, RowKey>();
  let copied: RowKey | undefined;
  let isAllCopied = false;
  /** Of the rows of the target, from `verify` on. */
  let found: { readonly sum: Uint8Array; rows: number } | undefined;

  const isCopied = (key: RowKey): boolean =>
    isAllCopied || (copied !== undefined && compareKeys(key, copied) <= 0);

  const unwatch = ledger.watch(({ drop = [], put = [], replace = [] }: Changes) => {
    for (const { id, version } of [...drop, ...put, ...replace]) {
      if (isCopied({ id, version })) changed.set(textOf({ id, version }), { id: id.slice(), version });
    }
  });

  const requireStep = (): void => {
    ledger.requireOpen();
    requireGoing();
  };

  /** Every commit puts a root; the one that counts comes last. */
  const passingRoot = (): Uint8Array => source.root() ?? new Uint8Array(0);

  const count = (row: StoredRow, by: 1 | -1): void => {
    if (found === undefined) return;
    toggle(found.sum, keys.rowItem(fingerprintOf(row)));
    found.rows += by;
  };

  /** Copies some of the changed rows again. */
  const copyChanged = (target: SqlcipherStore, most: number): void => {
    const drop: StoredRow[] = [];
    const put: StoredRow[] = [];
    for (const [text, { id, version }] of changed) {
      if (drop.length + put.length >= most) break;
      changed.delete(text);
      const before = target.read(id, version);
      const now = source.read(id, version);
      if (before !== undefined) drop.push(before);
      if (now !== undefined) put.push(now);
    }
    if (drop.length + put.length === 0) return;
    target.commit({ drop, put }, passingRoot());
    for (const row of drop) count(row, -1);
    for (const row of put) count(row, 1);
  };

  return {
    async copyTo(target, told) {
      let done = 0;
      await inSlices(() => {
        requireStep();
        if (changed.size > 0) copyChanged(target, rowsPerStep);
        const rows = source.rows(copied, rowsPerStep);
        const last = rows.at(-1);
        if (last === undefined) {
          isAllCopied = true;
          return false;
        }
        target.commit({ put: rows }, passingRoot());
        copied = last;
        done += rows.length;
        told(done);
        return true;
      });
    },

    async verify(target, told) {
      const sum = new Uint8Array(sumSize);
      let rows = 0;
      const blocks = target.fingerprints(rowsPerStep)[Symbol.iterator]();
      await inSlices(() => {
        requireStep();
        const next: IteratorResult<Uint8Array, unknown> = blocks.next();
        if (next.done === true) return false;
        const block = next.value;
        for (let at = 0; at < block.length; at += fingerprintSize) {
          toggle(sum, keys.rowItem(block.subarray(at, at + fingerprintSize)));
          rows++;
        }
        told(rows);
        return true;
      });
      found = { sum, rows };
    },

    async catchUp(target) {
      let steps = 0;
      await inSlices(() => {
        requireStep();
        if (changed.size <= littleLeft || ++steps > mostSteps) return false;
        // More of them where others change more: the rest has to shrink.
        copyChanged(target, Math.max(rowsPerStep, changed.size >> 2));
        return true;
      });
    },

    complete(target, keysetLines, commitPoint) {
      requireStep();
      copyChanged(target, Infinity);
      const { sum, rows } = ledger.rowTotals();
      if (found?.rows !== rows || Buffer.compare(found.sum, sum) !== 0) {
        throw new HushError('INTEGRITY', 'the copy of the vault is not what its last commit says', {
          hint: 'hush lock, then hush unlock: that checks the vault itself',
        });
      }
      ledger.moveTo(target, keysetLines, commitPoint);
    },

    end: unwatch,
  };
}

const compareKeys = (a: RowKey, b: RowKey): number => Buffer.compare(a.id, b.id) || a.version - b.version;

const textOf = ({ id, version }: RowKey): string => `${Buffer.from(id).toString('latin1')}/${version}`;
