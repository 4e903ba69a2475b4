import type { Dek } from '../keys/dek-index.ts';
import { rowState, type RowKey, type StoredRow } from '../stores/store.ts';
import type { Ledger } from './ledger.ts';
import type { RowEntry } from './row-index.ts';
import type { Rows } from './rows.ts';
import type { VersionMarks } from './version-marks.ts';

/** What becomes of the rows of a secret when another one becomes its current row. */
export interface Succession {
  readonly drop: readonly RowKey[];
  readonly replace: readonly StoredRow[];
}

/** The versions of the secrets of an open vault. */
export interface Versions {
  /** The highest version that the path of this id has ever had; 0 if none. */
  highest(id: Uint8Array): number;
  /** The row that is current or, where the secret is deleted, that was; undefined where there is neither. */
  head(id: Uint8Array): StoredRow | undefined;
  /**
   * Makes room for another current row and `added` further earlier ones: the head becomes an earlier version, and of
   * those the oldest go that are too many. May seal one row anew, which takes two messages of the data key.
   */
  succession(id: Uint8Array, head: StoredRow | undefined, dek: Dek, added?: number): Succession;
  /** The earlier versions of a secret that are too many beside `added` others, the oldest first. */
  tooMany(id: Uint8Array, added: number): readonly RowEntry[];
}

/** What versions are worked out from. */
export interface VersionsParts {
  readonly ledger: Ledger;
  readonly rows: Rows;
  readonly marks: VersionMarks;
  /** How many earlier versions of a secret stay. */
  readonly keptVersions: () => number;
}

/** The versions of the secrets that a ledger holds. */
export function createVersions({ ledger, rows, marks, keptVersions }: VersionsParts): Versions {
  const isHead = ({ state }: RowEntry): boolean => state !== rowState.superseded;

  const tooMany = (id: Uint8Array, added: number): readonly RowEntry[] => {
    const earlier = ledger.entries(id).filter((entry) => !isHead(entry));
    return earlier.slice(0, Math.max(0, earlier.length + added - keptVersions()));
  };

  return {
    highest: (id) => Math.max(marks.last(id), ledger.entries(id).at(-1)?.version ?? 0),
    head(id) {
      const entry = ledger.entries(id).findLast(isHead);
      return entry === undefined ? undefined : ledger.readVersion(id, entry.version);
    },
    succession(id, head, dek, added = 0) {
      const isKept = head !== undefined && keptVersions() > added;
      const drop = tooMany(id, added + (isKept ? 1 : 0)).map(({ version }) => ({ id, version }));
      if (head === undefined) return { drop, replace: [] };
      return isKept
        ? { drop, replace: [rows.changed(dek, head, rowState.superseded)] }
        : { drop: [...drop, head], replace: [] };
    },
    tooMany,
  };
}
