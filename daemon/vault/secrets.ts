import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import type { Secret, SecretCache } from '../cache/secret-cache.ts';
import { storedLine } from '../keys/create.ts';
import type { Dek } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import { copyBytes, equalBytes } from '../memory/plain-bytes.ts';
import type { RowSummary, StoredRow } from '../stores/store.ts';
import type { IndexKeys } from './index-keys.ts';
import type { KeyLines } from './key-lines.ts';
import type { Ledger } from './ledger.ts';
import { listPage, type ListOptions, type ListPage } from './list.ts';
import type { Meta } from './meta.ts';
import { ofItsOwn, type Allocate, type Rows } from './rows.ts';

/** What `set` tells of the secret that it stored. */
export interface Stored {
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly created: boolean;
  readonly commit: number;
}

/** A value that is to be stored. */
export interface SecretToSet {
  readonly path: SecretPath;
  readonly value: Uint8Array;
}

/** The secrets that a vault stores. */
export interface Secrets {
  /** The secret, a copy that the caller wipes. Throws NOT_FOUND. */
  get(path: SecretPath): Secret;
  /** Stores a value, which stays the caller's to wipe. */
  set(path: SecretPath, value: Uint8Array): Stored;
  /**
   * As `set` for each of several paths, none of which may come twice, in one commit; answers in their order what became
   * of each. One whose present value cannot be read is refused by itself. Throws when the commit fails: then none is
   * stored.
   */
  setAll(items: readonly SecretToSet[]): readonly (Stored | HushError)[];
  /** Throws NOT_FOUND. */
  remove(path: SecretPath): { readonly commit: number };
  /** Some of the secrets in an order of their own; opens names, never values. Throws BAD_REQUEST for a wrong `after`. */
  list(options: ListOptions): ListPage;
}

/** What secrets are kept with. */
export interface SecretsParts {
  readonly ledger: Ledger;
  readonly keys: IndexKeys;
  readonly keyring: Keyring;
  readonly keyLines: KeyLines;
  readonly rows: Rows;
  /** Gives the memory of values on their way to the caller. */
  readonly allocate: Allocate;
  readonly cache: SecretCache;
  readonly now: () => Date;
}

/** One message for the value, one for its name. */
const messagesPerRow = 2;

interface Prepared {
  readonly row: StoredRow;
  readonly before: StoredRow | undefined;
  readonly createdAt: string;
}

/** The stored secrets of an open vault. */
export function createSecrets({
  ledger,
  keys,
  keyring,
  keyLines,
  rows,
  allocate,
  cache,
  now,
}: SecretsParts): Secrets {
  function open(path: SecretPath): Secret {
    const row = ledger.read(keys.rowId(path));
    if (row === undefined) throw new HushError('NOT_FOUND');
    const { version } = row;
    const { createdAt, updatedAt } = rows.metaOf(row);
    return { value: rows.valueOf(row, path, allocate), version, createdAt, updatedAt };
  }

  /** The row that a value is kept in, and the one that it takes the place of. */
  function prepared(dek: Dek, updatedAt: string, { path, value }: SecretToSet): Prepared {
    const { scope, name } = path;
    const id = keys.rowId(path);
    const before = ledger.read(id);
    const version = (before?.version ?? 0) + 1;
    const createdAt = before === undefined ? updatedAt : rows.metaOf(before).createdAt;
    const meta = { scope, name, createdAt, updatedAt, size: value.length };
    return { before, row: rows.sealed(dek, { id, version }, meta, value), createdAt };
  }

  function setAll(items: readonly SecretToSet[]): readonly (Stored | HushError)[] {
    ledger.requireOpen();
    const updatedAt = now().toISOString();
    const dek = keyring.activeDek(storedLine.keyring, storedLine.tenant);
    // Counted before the first of them is sealed.
    const counters = keyLines.spend(dek, items.length * messagesPerRow);
    const results = items.map((item) => ofItsOwn(() => prepared(dek, updatedAt, item)));
    const accepted = results.filter((result): result is Prepared => !(result instanceof HushError));
    const drop = accepted.flatMap(({ before }) => (before === undefined ? [] : [before]));
    if (accepted.length > 0) {
      ledger.commit({ drop, put: accepted.map(({ row }) => row), counters });
      keyLines.granted(counters);
      for (const { path } of items) cache.drop(path.text);
    }
    const commit = ledger.commitCounter();
    return results.map((result) => {
      if (result instanceof HushError) return result;
      const { before, row, createdAt } = result;
      return { version: row.version, createdAt, updatedAt, created: before === undefined, commit };
    });
  }

  /** The meta of a row that was not looked for by its name: the name must be the one that the row's id is the hash of. */
  function listedMeta(row: RowSummary): Meta {
    const meta = rows.metaOf(row);
    const { scope, name } = meta;
    if (equalBytes(keys.rowId({ scope, name, text: `${scope}/${name}` }), row.id)) return meta;
    throw new HushError('INTEGRITY', 'the vault was tampered with: a name stands at another place');
  }

  return {
    get(path) {
      ledger.requireOpen();
      const cached = cache.get(path.text);
      if (cached !== undefined) return cached;
      const secret = open(path);
      cache.put(path.text, { ...secret, value: copyBytes(secret.value) });
      return secret;
    },
    set(path, value) {
      const [stored] = setAll([{ path, value }]);
      if (stored === undefined || stored instanceof HushError) throw stored ?? new HushError('UNAVAILABLE');
      return stored;
    },
    setAll,
    remove(path) {
      ledger.requireOpen();
      const id = keys.rowId(path);
      const version = ledger.version(id);
      if (version === undefined) throw new HushError('NOT_FOUND');
      const commit = ledger.commit({ drop: [{ id, version }] });
      cache.drop(path.text);
      return { commit };
    },
    list: (options) => listPage(options, { page: ledger.page, metaOf: listedMeta }),
  };
}
