import Database from 'better-sqlite3-multiple-ciphers';

import type { VaultFile } from '../../daemon/stores/sqlcipher.ts';

/** Lets someone who has the SQLCipher key, and no other, change a closed vault file with plain SQL. */
export function withRawFile<T>(file: VaultFile, use: (db: Database.Database) => T): T {
  const db = new Database(file.path);
  try {
    db.pragma("cipher = 'sqlcipher'");
    db.pragma('legacy = 4');
    db.key(Buffer.from(`x'${Buffer.from(file.key).toString('hex')}'`));
    return use(db);
  } finally {
    db.close();
  }
}
