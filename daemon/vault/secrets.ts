import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import type { Secret, SecretCache } from '../cache/secret-cache.ts';
import { storedLine } from '../keys/create.ts';
import type { Dek } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import { copyBytes, equalBytes, wipe } from '../memory/plain-bytes.ts';
import { rowState, type RowSummary, type StoredRow } from '../stores/store.ts';
import type { IndexKeys } from './index-keys.ts';
import type { KeyLines } from './key-lines.ts';
import type { Ledger } from './ledger.ts';
import { listPage, type ListOptions, type ListPage } from './list.ts';
import type { Meta } from './meta.ts';
import { ofItsOwn, type Allocate, type Rows } from './rows.ts';
import type { Versions } from './versions.ts';

/** What `set` tells of the secret that it stored. */
export interface Stored {
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Whether there was no current value before. */
  readonly created: boolean;
  readonly commit: number;
}

/** On what condition a secret is changed. */
export interface ExpectedVersion {
  /** The version that must be current; 0: none. */
  readonly ifVersion?: number | undefined;
  /** Whether a CONFLICT says which version is current. */
  readonly tellsVersion?: boolean | undefined;
}

/** What goes with a value that is stored. */
export interface SetOptions extends ExpectedVersion {
  /** The name of the identity that stores it. */
  readonly by?: string | undefined;
  /** When the value ends, ISO 8601 in UTC. */
  readonly expiresAt?: string | undefined;
  /** Left out: as before; empty: none. */
  readonly note?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** When the secret was made; left out: as before, or now. */
  readonly createdAt?: string | undefined;
}

/** A value that is to be stored. */
export interface SecretToSet extends SetOptions {
  readonly path: SecretPath;
  readonly value: Uint8Array;
}

/** Which value of a secret is asked for. */
export interface GetOptions {
  /** An earlier version; the current one if left out. */
  readonly version?: number | undefined;
  readonly allowExpired?: boolean | undefined;
}

/** The secrets that a vault stores. */
export interface Secrets {
  /** The secret, a copy that the caller wipes. Throws NOT_FOUND, EXPIRED. */
  get(path: SecretPath, options?: GetOptions): Secret;
  /** Stores a value, which stays the caller's to wipe, as the current version. Throws CONFLICT. */
  set(path: SecretPath, value: Uint8Array, options?: SetOptions): Stored;
  /**
   * As `set` for each of several paths, none of which may come twice, in one commit; answers in their order what became
   * of each. One whose present value cannot be read, or is not the expected one, is refused by itself. Throws when the
   * commit fails: then none is stored.
   */
  setAll(items: readonly SecretToSet[]): readonly (Stored | HushError)[];
  /** Takes the secret away; what it was stays until it is purged. Throws NOT_FOUND, CONFLICT. */
  remove(path: SecretPath, expected?: ExpectedVersion): { readonly commit: number };
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
  readonly versions: Versions;
  /** Gives the memory of values on their way to the caller. */
  readonly allocate: Allocate;
  readonly cache: SecretCache;
  readonly now: () => Date;
}

/** One message for the value, one for its name. */
export const messagesPerRow = 2;

/** A value that may be stored, and the row that it takes the place of: the current one, or the one that was deleted. */
interface Accepted {
  readonly item: SecretToSet;
  readonly id: Uint8Array;
  readonly head: StoredRow | undefined;
}

interface Prepared {
  readonly row: StoredRow;
  readonly drop: readonly Pick<StoredRow, 'id' | 'version'>[];
  readonly replace: readonly StoredRow[];
  readonly createdAt: string;
  readonly created: boolean;
}

/** The stored secrets of an open vault. */
export function createSecrets(parts: SecretsParts): Secrets {
  const { ledger, keys, keyring, keyLines, rows, versions, allocate, cache, now } = parts;

  const requireUnexpired = (path: SecretPath, expiresAt: string | undefined, options?: GetOptions): void => {
    if (options?.allowExpired !== true && isPast(expiresAt, now())) throw expired(path, expiresAt);
  };

  function open(path: SecretPath, row: StoredRow, options?: GetOptions): Secret {
    const { version } = row;
    const { createdAt, updatedAt, expiresAt } = rows.metaOf(row);
    requireUnexpired(path, expiresAt, options);
    const value = rows.valueOf(row, path, allocate);
    return { value, version, createdAt, updatedAt, ...(expiresAt === undefined ? {} : { expiresAt }) };
  }

  function getCurrent(path: SecretPath, options?: GetOptions): Secret {
    const cached = cache.get(path.text);
    if (cached !== undefined) {
      if (cached.expiresAt === undefined || !isPast(cached.expiresAt, now())) return cached;
      cache.drop(path.text);
      if (options?.allowExpired === true) return cached;
      wipe(cached.value);
      throw expired(path, cached.expiresAt);
    }
    const row = ledger.read(keys.rowId(path));
    if (row === undefined) throw new HushError('NOT_FOUND');
    const secret = open(path, row, options);
    if (!isPast(secret.expiresAt, now())) cache.put(path.text, { ...secret, value: copyBytes(secret.value) });
    return secret;
  }

  function getVersion(path: SecretPath, version: number, options: GetOptions): Secret {
    const id = keys.rowId(path);
    // What was deleted is read again once it is restored.
    if (ledger.version(id) === undefined) throw new HushError('NOT_FOUND');
    const row = ledger.readVersion(id, version);
    if (row === undefined) throw noVersion(path, version);
    return open(path, row, options);
  }

  function accepted(item: SecretToSet): Accepted | HushError {
    const id = keys.rowId(item.path);
    return conflict(ledger.version(id) ?? 0, item) ?? { item, id, head: versions.head(id) };
  }

  /** The row that a value is kept in, and what becomes of the one that it takes the place of. */
  function prepared(dek: Dek, updatedAt: string, { item, id, head }: Accepted): Prepared {
    const { path, value, by, expiresAt } = item;
    const { scope, name } = path;
    const before = head?.state === rowState.current ? rows.metaOf(head) : undefined;
    const createdAt = item.createdAt ?? before?.createdAt ?? updatedAt;
    const { note = before?.note ?? '', tags = before?.tags ?? [] } = item;
    const meta: Meta = {
      scope,
      name,
      createdAt,
      updatedAt,
      size: value.length,
      ...(by === undefined ? {} : { by }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(note === '' ? {} : { note }),
      ...(tags.length === 0 ? {} : { tags: [...new Set(tags)].sort() }),
    };
    return {
      row: rows.sealed(dek, { id, version: versions.highest(id) + 1 }, meta, value),
      ...versions.succession(id, head, dek),
      createdAt,
      created: before === undefined,
    };
  }

  function setAll(items: readonly SecretToSet[]): readonly (Stored | HushError)[] {
    ledger.requireOpen();
    const updatedAt = now().toISOString();
    const dek = keyring.activeDek(storedLine.keyring, storedLine.tenant);
    const found = items.map((item) => ofItsOwn(() => accepted(item)));
    const rowsToSeal = found.reduce(
      (sum, one) =>
        sum + (one instanceof HushError ? 0 : one.head === undefined || one.head.dek === dek.version ? 1 : 2),
      0,
    );
    // Counted before the first of them is sealed.
    const counters = keyLines.spend(dek, rowsToSeal * messagesPerRow);
    const results = found.map((one) =>
      one instanceof HushError ? one : ofItsOwn(() => prepared(dek, updatedAt, one)),
    );
    const ready = results.filter((result): result is Prepared => !(result instanceof HushError));
    if (ready.length > 0) {
      ledger.commit({
        drop: ready.flatMap(({ drop }) => drop),
        replace: ready.flatMap(({ replace }) => replace),
        put: ready.map(({ row }) => row),
        counters,
      });
      keyLines.granted(counters);
      for (const { path } of items) cache.drop(path.text);
    }
    const commit = ledger.commitCounter();
    return results.map((result) => {
      if (result instanceof HushError) return result;
      const { row, createdAt, created } = result;
      return { version: row.version, createdAt, updatedAt, created, commit };
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
    get(path, options) {
      ledger.requireOpen();
      return options?.version === undefined
        ? getCurrent(path, options)
        : getVersion(path, options.version, options);
    },
    set(path, value, options) {
      const [stored] = setAll([{ ...options, path, value }]);
      if (stored === undefined || stored instanceof HushError) throw stored ?? new HushError('UNAVAILABLE');
      return stored;
    },
    setAll,
    remove(path, expected = {}) {
      ledger.requireOpen();
      const row = ledger.read(keys.rowId(path));
      if (row === undefined) throw new HushError('NOT_FOUND');
      const refusal = conflict(row.version, expected);
      if (refusal !== undefined) throw refusal;
      const dek = keyring.activeDek(storedLine.keyring, storedLine.tenant);
      const counters = keyLines.spend(dek, 2 * messagesPerRow);
      const meta = { ...rows.metaOf(row), deletedAt: now().toISOString() };
      const commit = ledger.commit({ replace: [rows.changed(dek, row, rowState.deleted, meta)], counters });
      keyLines.granted(counters);
      cache.drop(path.text);
      return { commit };
    },
    list: (options) =>
      listPage(options, {
        page: options.deleted === true ? ledger.deletedPage : ledger.page,
        metaOf: listedMeta,
        now: now(),
      }),
  };
}

/** Whether a moment has come, by the time of day. */
export function isPast(moment: string | undefined, now: Date): boolean {
  return moment !== undefined && Date.parse(moment) <= now.getTime();
}

/** The error for a secret without that version. */
export const noVersion = ({ text }: SecretPath, version: number): HushError =>
  new HushError('NOT_FOUND', `no version ${version} of ${text} is kept`, { hint: `hush history ${text}` });

const expired = ({ text }: SecretPath, expiresAt = ''): HushError =>
  new HushError('EXPIRED', `the value of ${text} has expired: ${expiresAt}`, {
    hint: `hush set ${text} stores a new one; hush get ${text} --allow-expired reads this one all the same`,
  });

/** Why a secret is not changed whose current version is this one, 0 being none; undefined where it is the expected one. */
function conflict(current: number, { ifVersion, tellsVersion }: ExpectedVersion): HushError | undefined {
  if (ifVersion === undefined || ifVersion === current) return undefined;
  const sentence = 'the secret is not at the version that was expected';
  if (tellsVersion !== true) return new HushError('CONFLICT', sentence);
  const found = current === 0 ? 'there is no current version' : `version ${current} is current`;
  return new HushError('CONFLICT', `${sentence}: ${found}`, {
    hint: `to go on from that: --if-version ${current}`,
  });
}
