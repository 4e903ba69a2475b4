import { closeSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import Database from 'better-sqlite3-multiple-ciphers';

import { HushError } from '../../protocol/errors.ts';
import { syncFolder } from '../home/files.ts';
import { checkFile, openSafeFile } from '../home/safety.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { pagesAreAuthentic } from './page-macs.ts';
import { migrations, presentSchema, schemaOf, vaultFormat } from './schema.ts';
import { damaged, isMalformed, storeError, tampered } from './sqlite-errors.ts';
import { sqlcipherStore, type SqlcipherStore } from './sqlcipher-store.ts';

/** A vault file and the key to it. */
export interface VaultFile {
  readonly path: string;
  /** What messages call the file, which must not tell an absolute path to a peer: its place within the home. */
  readonly label: string;
  /** The raw SQLCipher key, 32 bytes; the caller wipes it once the store is open. */
  readonly key: Uint8Array;
}

/**
 * Makes an empty vault file (mode 0600, whatever the umask) and opens it. Throws EXISTS if there is a file, and
 * UNAVAILABLE if the disk refuses.
 */
export function createSqlcipherStore(file: VaultFile): SqlcipherStore {
  return createdStore(file, (db) => {
    secureWrites(db);
    db.transaction(() => {
      makeTables(db);
    })();
    syncFolder(dirname(file.path));
  });
}

/** A vault file that is worth nothing before it is finished. */
export interface UnfinishedStore extends SqlcipherStore {
  /** Writes what is left of the one transaction that holds all its commits, and closes it. Throws UNAVAILABLE. */
  finish(): void;
}

/** How many pages of an unfinished file wait in memory at most: writing them all takes under a millisecond. */
const unfinishedPages = 64;

/**
 * Makes an empty vault file that is filled without a journal and without waiting for the disk: after a crash it is
 * rubbish. Throws as `createSqlcipherStore`.
 */
export function createUnfinishedStore(file: VaultFile): UnfinishedStore {
  let commit = (): void => undefined;
  const store = createdStore(file, (db) => {
    db.pragma('journal_mode = OFF');
    db.pragma('synchronous = OFF');
    db.pragma('temp_store = MEMORY');
    db.pragma(`cache_size = ${unfinishedPages}`);
    makeTables(db);
    db.exec('begin exclusive');
    commit = () => db.exec('commit');
  });
  return {
    ...store,
    finish: () => {
      attempt(file, commit);
      store.close();
    },
  };
}

function createdStore(file: VaultFile, prepare: (db: Database.Database) => void): SqlcipherStore {
  closeSync(openSafeFile(file.path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL));
  return sqlcipherStore(openDatabase(file, prepare), file, vaultFormat);
}

/** Opens a vault file whose pages were all checked in this very process; else as `openSqlcipherStore`. */
export function openCheckedStore(file: VaultFile): SqlcipherStore {
  const { db, format } = openExisting(file, () => undefined);
  return sqlcipherStore(db, file, format);
}

/**
 * Opens a vault file that exists, after a check of all its pages. The key must have proved right elsewhere (the
 * header's MAC): a first page that does not open is therefore DAMAGED, never "wrong key". Throws UNSAFE_MODE when
 * others can reach the file, NEWER_FORMAT before any write, INTEGRITY when its parts are real but do not belong
 * together, and UNAVAILABLE when the disk refuses. A file of an older format is opened as it is, and says so.
 */
export function openSqlcipherStore(file: VaultFile): SqlcipherStore {
  const { db, format } = openExisting(file);
  return sqlcipherStore(db, file, format);
}

/**
 * Brings a file of an older format, whose pages were all checked in this very process, up to the present one in one
 * transaction, so that a crash leaves one or the other, whole; what it holds stays as it is. Throws as
 * `openSqlcipherStore`; the old format then stands.
 */
export function migrateSqlcipherStore(file: VaultFile): void {
  const { db, format } = openExisting(file, () => undefined);
  try {
    attempt(file, () => {
      db.transaction(() => {
        for (let from = format; from < vaultFormat; from++) {
          for (const statement of migrations.get(from) ?? []) db.exec(statement);
        }
        writeFormat(db);
      }).immediate();
    });
  } finally {
    db.close();
  }
}

function openExisting(
  file: VaultFile,
  check: (db: Database.Database, file: VaultFile) => void = checkStructure,
): { readonly db: Database.Database; readonly format: number } {
  for (const suffix of ['', '-wal', '-journal', '-shm']) checkFile(file.path + suffix);
  if (!existsSync(file.path)) throw new HushError('DAMAGED', `${file.label} is missing`);
  if (statSync(file.path).size === 0) throw new HushError('DAMAGED', `${file.label} is empty`);
  let format = 0;
  const db = openDatabase(file, (db) => {
    format = checkedFormat(db, file.label);
    secureWrites(db);
    check(db, file);
  });
  return { db, format };
}

function openDatabase(file: VaultFile, prepare: (db: Database.Database) => void): Database.Database {
  const db = attempt(file, () => new Database(file.path, { fileMustExist: true, timeout: 0 }));
  try {
    attempt(file, () => {
      unlock(db, file.key);
      prepare(db);
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function makeTables(db: Database.Database): void {
  for (const table of presentSchema.tables) db.exec(table);
  writeFormat(db);
}

/** Puts the numbers of the present format in place of those that are there. */
function writeFormat(db: Database.Database): void {
  const add = db.prepare<[string, number]>('insert or replace into format (part, number) values (?, ?)');
  for (const [part, number] of presentSchema.formats) add.run(part, number);
  db.pragma(`user_version = ${vaultFormat}`);
}

function attempt<T>(file: VaultFile, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw isMalformed(error) ? malformed(file, error) : storeError(error, file.label);
  }
}

/** What to call a file that SQLite calls malformed: if all of its pages are real, no accident put them together. */
function malformed(file: VaultFile, cause?: unknown): HushError {
  return pagesAreAuthentic(file.path, file.key)
    ? tampered(file.label, 'pages of different times stand in it', cause)
    : damaged(file.label, cause);
}

/** The first statements on a SQLCipher file, in the one order that works; the select is where a bad page shows. */
function unlock(db: Database.Database, key: Uint8Array): void {
  db.pragma("cipher = 'sqlcipher'");
  db.pragma('legacy = 4');
  const literal = keyLiteral(key);
  try {
    // SQLite reads the key from this very memory, so that wiping it leaves no copy behind.
    db.key(Buffer.from(literal.buffer, literal.byteOffset, literal.length));
  } finally {
    wipe(literal);
  }
  db.pragma('locking_mode = EXCLUSIVE');
  db.prepare('select count(*) from sqlite_schema').get();
}

/** `x'<64 hex digits>'`, SQLite's form of a raw key, in ASCII. */
function keyLiteral(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const literal = newBytes(2 * key.length + 3);
  const digit = (nibble: number): number => nibble + (nibble < 10 ? 0x30 : 0x57);
  literal.set([0x78, 0x27]);
  key.forEach((byte, at) => {
    literal[2 + 2 * at] = digit(byte >> 4);
    literal[3 + 2 * at] = digit(byte & 15);
  });
  literal[literal.length - 1] = 0x27;
  return literal;
}

function secureWrites(db: Database.Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('secure_delete = ON');
  db.pragma('temp_store = MEMORY');
  db.pragma('trusted_schema = OFF');
  db.pragma('cell_size_check = ON');
  // The log shrinks back to this many bytes after a checkpoint.
  db.pragma('journal_size_limit = 4194304');
}

/** The number of the file's format, once its tables have proved to be those of that format. */
function checkedFormat(db: Database.Database, label: string): number {
  const format = db.prepare<[], number>('pragma user_version').pluck().get() ?? 0;
  if (format > vaultFormat) throw newer(label, format);
  const schema = schemaOf(format);
  const found = db.prepare<[], string>('select sql from sqlite_schema where sql is not null').pluck().all();
  if (schema === undefined || !sameStrings(found, schema.tables)) {
    throw tampered(label, 'its tables are not those that hushd makes');
  }
  const kept = new Map(db.prepare<[], [string, number]>('select part, number from format').raw().all());
  const known = new Map(presentSchema.formats);
  for (const [part, number] of kept) {
    if (number > (known.get(part) ?? 0)) throw newer(`the table ${part} of ${label}`, number);
  }
  if (
    kept.size !== schema.formats.length ||
    schema.formats.some(([part, number]) => kept.get(part) !== number)
  ) {
    throw tampered(label, 'its format numbers are not those that hushd writes');
  }
  return format;
}

function newer(what: string, number: number): HushError {
  return new HushError('NEWER_FORMAT', `${what} has format ${number}, which this release does not know`);
}

function checkStructure(db: Database.Database, file: VaultFile): void {
  const answer = db.prepare<[], string>('pragma quick_check(1)').pluck().get();
  if (answer !== 'ok') throw malformed(file);
}

function sameStrings(found: readonly string[], expected: readonly string[]): boolean {
  return found.length === expected.length && expected.every((text) => found.includes(text));
}
