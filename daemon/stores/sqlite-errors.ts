import Database from 'better-sqlite3-multiple-ciphers';

import { HushError } from '../../protocol/errors.ts';

const unavailable: readonly (readonly [code: string, what: string, hint: string])[] = [
  ['SQLITE_FULL', 'the disk is full, so nothing was changed', 'free some space on it, then try again'],
  ['SQLITE_IOERR', 'the disk fails to read or write', 'look at the disk and the kernel log, then try again'],
  ['SQLITE_READONLY', 'the disk or the file is read-only', 'make it writable again, then try again'],
  ['SQLITE_BUSY', 'another process holds the file', 'hush status'],
  ['SQLITE_CANTOPEN', 'the file cannot be opened', 'hush doctor'],
  ['SQLITE_NOMEM', 'there is no memory left', 'free some memory, then try again'],
];

/** Whether SQLite calls the file itself unreadable: not its format, a page with a wrong MAC, or a broken structure. */
export function isMalformed(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    (error.code.startsWith('SQLITE_CORRUPT') || error.code === 'SQLITE_NOTADB')
  );
}

/** DAMAGED, naming the file. */
export function damaged(label: string, cause?: unknown): HushError {
  return new HushError('DAMAGED', `${label} is damaged`, { cause });
}

/** INTEGRITY, naming the file and what about it cannot be an accident. */
export function tampered(label: string, what: string, cause?: unknown): HushError {
  return new HushError('INTEGRITY', `${label} was tampered with: ${what}`, { cause });
}

/** What a failure of SQLite is called outside; `label` names the file. Anything else is given back as it is. */
export function storeError(error: unknown, label: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  if (isMalformed(error)) return damaged(label, error);
  const [, what, hint] = unavailable.find(([code]) => error.code.startsWith(code)) ?? [];
  return new HushError('UNAVAILABLE', `${label}: ${what ?? `SQLite answers ${error.code}`}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
