import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import { storedLine } from '../keys/create.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import type { StoredRow } from '../stores/store.ts';
import {
  messagesPerRow,
  type ExpectedVersion,
  type Secrets,
  type SecretsParts,
  type Stored,
} from './secrets.ts';
import type { VersionMarks } from './version-marks.ts';

/** Who copies, and on what condition; as of `SetOptions`, for the path that is copied to. */
export interface CopyOptions extends ExpectedVersion {
  readonly by: string;
}

/** The moves of a vault's secrets from path to path; the paths differ. */
export interface SecretMoves {
  /**
   * Moves a secret with all its versions, sealed anew for their new place. Where that had versions before, theirs are the
   * earlier ones, and the numbers of those that are moved go on from them. Throws NOT_FOUND, EXISTS.
   */
  rename(from: SecretPath, to: SecretPath): { readonly version: number; readonly commit: number };
  /** Stores the current value under another path too, with its expiry, note and tags. Throws NOT_FOUND, EXPIRED, CONFLICT. */
  copy(from: SecretPath, to: SecretPath, options: CopyOptions): Stored;
}

/** What secrets are moved with. */
export interface SecretMovesParts extends Omit<SecretsParts, 'allocate' | 'now'> {
  readonly marks: VersionMarks;
  readonly secrets: Pick<Secrets, 'get' | 'setAll'>;
}

/** The moves within an open vault. */
export function createSecretMoves(parts: SecretMovesParts): SecretMoves {
  const { ledger, keys, keyring, keyLines, rows, versions, cache, marks, secrets } = parts;

  /** All rows of a secret, the oldest first. */
  function rowsOf(id: Uint8Array): readonly StoredRow[] {
    return ledger.entries(id).map(({ version }) => {
      const row = ledger.readVersion(id, version);
      if (row === undefined) throw new HushError('NOT_FOUND');
      return row;
    });
  }

  return {
    rename(from, to) {
      ledger.requireOpen();
      const fromId = keys.rowId(from);
      const current = ledger.version(fromId);
      if (current === undefined) throw new HushError('NOT_FOUND');
      const id = keys.rowId(to);
      if (ledger.version(id) !== undefined) {
        throw new HushError('EXISTS', `there is a secret ${to.text} already`, {
          hint: `hush rename ${from.text} to another name; or hush delete ${to.text} first`,
        });
      }
      const found = rowsOf(fromId);
      const head = versions.head(id);
      const base = versions.highest(id);
      const dek = keyring.activeDek(storedLine.keyring, storedLine.tenant);
      const counters = keyLines.spend(dek, (found.length + 1) * messagesPerRow);
      const put = found.map((row) => {
        const value = rows.valueOf(row, from, newBytes);
        try {
          const meta = { ...rows.metaOf(row), scope: to.scope, name: to.name };
          return rows.sealed(dek, { id, version: base + row.version }, meta, value, row.state);
        } finally {
          wipe(value);
        }
      });
      const { drop, replace } = versions.succession(id, head, dek, found.length - 1);
      const facts = marks.rows([{ id: fromId, version: current }]);
      const commit = ledger.commit({ drop: [...drop, ...found], replace, put, counters, facts });
      keyLines.granted(counters);
      cache.drop(from.text);
      cache.drop(to.text);
      return { version: base + current, commit };
    },

    copy(from, to, options) {
      ledger.requireOpen();
      const row = ledger.read(keys.rowId(from));
      if (row === undefined) throw new HushError('NOT_FOUND');
      const { note = '', tags = [] } = rows.metaOf(row);
      const { value, expiresAt } = secrets.get(from);
      try {
        const [stored] = secrets.setAll([{ ...options, path: to, value, expiresAt, note, tags }]);
        if (stored === undefined || stored instanceof HushError) throw stored ?? new HushError('UNAVAILABLE');
        return stored;
      } finally {
        wipe(value);
      }
    },
  };
}
