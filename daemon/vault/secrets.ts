import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import type { Secret, SecretCache } from '../cache/secret-cache.ts';
import { storedLine } from '../keys/create.ts';
import type { Keyring } from '../keys/keyring.ts';
import { copyBytes, equalBytes } from '../memory/plain-bytes.ts';
import type { RowSummary } from '../stores/store.ts';
import type { IndexKeys } from './index-keys.ts';
import type { KeyLines } from './key-lines.ts';
import type { Ledger } from './ledger.ts';
import { listPage, type ListOptions, type ListPage } from './list.ts';
import type { Meta } from './meta.ts';
import type { Allocate, Rows } from './rows.ts';

/** What `set` tells of the secret that it stored. */
export interface Stored {
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly created: boolean;
  readonly commit: number;
}

/** The secrets that a vault stores. */
export interface Secrets {
  /** The secret, a copy that the caller wipes. Throws NOT_FOUND. */
  get(path: SecretPath): Secret;
  /** Stores a value, which stays the caller's to wipe. */
  set(path: SecretPath, value: Uint8Array): Stored;
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
      ledger.requireOpen();
      const { scope, name } = path;
      const id = keys.rowId(path);
      const before = ledger.read(id);
      const version = (before?.version ?? 0) + 1;
      const updatedAt = now().toISOString();
      const createdAt = before === undefined ? updatedAt : rows.metaOf(before).createdAt;
      const dek = keyring.activeDek(storedLine.keyring, storedLine.tenant);
      const counters = keyLines.spend(dek, 2);
      const meta = { scope, name, createdAt, updatedAt, size: value.length };
      const row = rows.sealed(dek, { id, version }, meta, value);
      const commit = ledger.commit({ drop: before === undefined ? [] : [before], put: [row], counters });
      keyLines.granted(counters);
      cache.drop(path.text);
      return { version, createdAt, updatedAt, created: before === undefined, commit };
    },
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
