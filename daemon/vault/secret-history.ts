import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { rowState, type FactRow, type RowKey } from '../stores/store.ts';
import type { Meta } from './meta.ts';
import type { RowEntry } from './row-index.ts';
import { noVersion, type ExpectedVersion, type Secrets, type SecretsParts, type Stored } from './secrets.ts';
import type { VersionMarks } from './version-marks.ts';

/** What is told of one version of a secret. */
export interface VersionFacts {
  readonly version: number;
  readonly state: 'current' | 'superseded' | 'deleted';
  /** When this version was stored, and by whom where that is known. */
  readonly createdAt: string;
  readonly by?: string;
  readonly expiresAt?: string;
  /** The size of its value. */
  readonly bytes: number;
}

/** Who restores, and on what condition. */
export interface RestoreOptions extends ExpectedVersion {
  readonly by: string;
}

/** The versions of a secret, the newest first, and when it was deleted if it is. */
export interface History {
  readonly versions: VersionFacts[];
  readonly deletedAt?: string;
}

/** What became of versions that were to be destroyed. */
export interface Purged {
  /** How many there were. */
  readonly purged: number;
  /** Whether their bytes are gone from the disk too; else the next purge tries again. */
  readonly erased: boolean;
  readonly commit: number;
}

/** The earlier versions of a vault's secrets, and those of deleted ones. */
export interface SecretHistory {
  /** Throws NOT_FOUND. */
  history(path: SecretPath): History;
  /**
   * Makes the value of an earlier version the current one again, as a new version that ends when that one did: by default
   * the one that was deleted, else the newest that is not current. Throws NOT_FOUND, CONFLICT, which is also for the current one.
   */
  restore(path: SecretPath, version: number | undefined, options: RestoreOptions): Stored;
  /**
   * Destroys all versions of a secret, deleted or not, or one earlier version. Throws NOT_FOUND, CONFLICT for a single
   * version that is no earlier one.
   */
  purge(path: SecretPath, version: number | undefined): Purged;
}

/** What the history of an open vault's secrets is worked out from. */
export interface SecretHistoryParts extends Pick<SecretsParts, 'ledger' | 'keys' | 'rows' | 'cache'> {
  readonly marks: VersionMarks;
  readonly setAll: Secrets['setAll'];
}

const stateNames = new Map<number, VersionFacts['state']>([
  [rowState.current, 'current'],
  [rowState.deleted, 'deleted'],
]);

/** The history of the secrets of an open vault. */
export function createSecretHistory(parts: SecretHistoryParts): SecretHistory {
  const { ledger, keys, rows, cache, marks, setAll } = parts;

  function metaOf(path: SecretPath, id: Uint8Array, { version }: RowEntry): Meta {
    const row = ledger.summary(id, version);
    if (row === undefined) throw noVersion(path, version);
    return rows.metaOf(row);
  }

  function entriesOf(id: Uint8Array): readonly RowEntry[] {
    ledger.requireOpen();
    const entries = ledger.entries(id);
    if (entries.length === 0) throw new HushError('NOT_FOUND');
    return entries;
  }

  /** The version to restore. */
  function sourceOf(path: SecretPath, entries: readonly RowEntry[], version: number | undefined): RowEntry {
    const source =
      version === undefined
        ? entries.findLast(({ state }) => state !== rowState.current)
        : entries.find((entry) => entry.version === version);
    if (source === undefined) {
      throw version === undefined
        ? new HushError('NOT_FOUND', `no earlier version of ${path.text} is kept`, {
            hint: `hush history ${path.text}`,
          })
        : noVersion(path, version);
    }
    if (source.state !== rowState.current) return source;
    throw new HushError('CONFLICT', `version ${source.version} is the current one`, {
      hint: `hush history ${path.text}`,
    });
  }

  /** What to destroy. */
  function doomed(
    path: SecretPath,
    entries: readonly RowEntry[],
    version: number | undefined,
  ): readonly RowEntry[] {
    if (version === undefined) return entries;
    const one = entries.find((entry) => entry.version === version);
    if (one === undefined) throw noVersion(path, version);
    if (one.state === rowState.superseded) return [one];
    throw new HushError('CONFLICT', `version ${version} is the newest one, and goes only with all others`, {
      hint: `hush purge ${path.text}, without a version; or hush set ${path.text} first`,
    });
  }

  /** Whether nothing of what was dropped is left on the disk; what is stored is the same if it is. */
  function isErased(): boolean {
    try {
      ledger.forget('versions');
      return true;
    } catch (error) {
      if (error instanceof HushError && error.code === 'UNAVAILABLE') return false;
      throw error;
    }
  }

  return {
    history(path) {
      const id = keys.rowId(path);
      const entries = entriesOf(id).toReversed();
      const metas = entries.map((entry) => metaOf(path, id, entry));
      const versions = entries.map(({ version, state }, at): VersionFacts => {
        const { updatedAt = '', by, expiresAt, size = 0 } = metas[at] ?? {};
        return {
          version,
          state: stateNames.get(state) ?? 'superseded',
          createdAt: updatedAt,
          ...(by === undefined ? {} : { by }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
          bytes: size,
        };
      });
      const deletedAt = metas[entries.findIndex(({ state }) => state === rowState.deleted)]?.deletedAt;
      return { versions, ...(deletedAt === undefined ? {} : { deletedAt }) };
    },

    restore(path, version, options) {
      const id = keys.rowId(path);
      const entries = entriesOf(id);
      const source = sourceOf(path, entries, version);
      const row = ledger.readVersion(id, source.version);
      if (row === undefined) throw noVersion(path, source.version);
      const { expiresAt } = rows.metaOf(row);
      // What is said of the secret is what its newest version says.
      const { createdAt, note = '', tags = [] } = metaOf(path, id, entries.at(-1) ?? source);
      const value = rows.valueOf(row, path, newBytes);
      try {
        const [stored] = setAll([{ ...options, path, value, expiresAt, note, tags, createdAt }]);
        if (stored === undefined || stored instanceof HushError) throw stored ?? new HushError('UNAVAILABLE');
        return stored;
      } finally {
        wipe(value);
      }
    },

    purge(path, version) {
      const id = keys.rowId(path);
      const entries = entriesOf(id);
      const gone = doomed(path, entries, version);
      const newest = entries.at(-1)?.version ?? 0;
      const drop: readonly RowKey[] = gone.map((entry) => ({ id, version: entry.version }));
      const isWhole = gone.some((entry) => entry.version === newest);
      const facts: readonly FactRow[] = isWhole ? marks.rows([{ id, version: newest }]) : [];
      const commit = ledger.commit({ drop, facts });
      cache.drop(path.text);
      return { purged: gone.length, erased: isErased(), commit };
    },
  };
}
