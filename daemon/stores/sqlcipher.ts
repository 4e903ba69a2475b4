import { closeSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import Database from 'better-sqlite3-multiple-ciphers';

import { HushError } from '../../protocol/errors.ts';
import { syncFolder } from '../home/files.ts';
import { checkFile, openSafeFile } from '../home/safety.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { pagesAreAuthentic } from './page-macs.ts';
import { formats, tables, vaultFormat } from './schema.ts';
import { damaged, isMalformed, storeError, tampered } from './sqlite-errors.ts';
import { sqlcipherStore } from './sqlcipher-store.ts';
import type { SecretsStore } from './store.ts';

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
export function createSqlcipherStore(file: VaultFile): SecretsStore {
  closeSync(openSafeFile(file.path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL));
  return opened(file, (db) => {
    secureWrites(db);
    db.transaction(() => {
      for (const table of tables) db.exec(table);
      const add = db.prepare<[string, number]>('insert into format values (?, ?)');
      for (const [part, number] of formats) add.run(part, number);
      db.pragma(`user_version = ${vaultFormat}`);
    })();
    syncFolder(dirname(file.path));
  });
}

/**
 * Opens a vault file that exists, after a check of all its pages. The key must have proved right elsewhere (the
 * header's MAC): a first page that does not open is therefore DAMAGED, never "wrong key". Throws UNSAFE_MODE when
 * others can reach the file, NEWER_FORMAT before any write, INTEGRITY when its parts are real but do not belong
 * together, and UNAVAILABLE when the disk refuses.
 */
export function openSqlcipherStore(file: VaultFile): SecretsStore {
  for (const suffix of ['', '-wal', '-journal', '-shm']) checkFile(file.path + suffix);
  if (!existsSync(file.path)) throw new HushError('DAMAGED', `${file.label} is missing`);
  if (statSync(file.path).size === 0) throw new HushError('DAMAGED', `${file.label} is empty`);
  return opened(file, (db) => {
    checkFormat(db, file.label);
    secureWrites(db);
    checkStructure(db, file);
  });
}

function opened(file: VaultFile, prepare: (db: Database.Database) => void): SecretsStore {
  const db = attempt(file, () => new Database(file.path, { fileMustExist: true, timeout: 0 }));
  try {
    return attempt(file, () => {
      unlock(db, file.key);
      prepare(db);
      return sqlcipherStore(db, file.label);
    });
  } catch (error) {
    db.close();
    throw error;
  }
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

function checkFormat(db: Database.Database, label: string): void {
  const version = db.prepare<[], number>('pragma user_version').pluck().get() ?? 0;
  if (version > vaultFormat) throw newer(label, version);
  if (
    !sameStrings(
      db.prepare<[], string>('select sql from sqlite_schema where sql is not null').pluck().all(),
      tables,
    )
  ) {
    throw tampered(label, 'its tables are not those that hushd makes');
  }
  const kept = new Map(db.prepare<[], [string, number]>('select part, number from format').raw().all());
  for (const [part, number] of formats) {
    const found = kept.get(part) ?? 0;
    if (found > number) throw newer(`the table ${part} of ${label}`, found);
    if (found < number) throw tampered(label, 'its format numbers are not those that hushd writes');
  }
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
