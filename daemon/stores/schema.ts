/** The number of the vault file's format, kept as SQLite's `user_version`. */
export const vaultFormat = 1;

/** Each table of a vault file, as SQLite itself gives it back. */
export const tables: readonly string[] = [
  // Without a rowid there is no second tree that an old page could be spliced into unseen.
  `CREATE TABLE secret (
  id BLOB NOT NULL CHECK (length(id) = 32),
  version INTEGER NOT NULL CHECK (version > 0),
  state INTEGER NOT NULL,
  dek INTEGER NOT NULL,
  meta BLOB NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE counter (
  key TEXT NOT NULL PRIMARY KEY,
  reserved INTEGER NOT NULL
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE keyset (
  seq INTEGER NOT NULL PRIMARY KEY,
  line TEXT NOT NULL
) STRICT`,
  `CREATE TABLE root (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  sealed BLOB NOT NULL
) STRICT`,
  `CREATE TABLE format (
  part TEXT NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT, WITHOUT ROWID`,
];

/** The format number of each table, as the table `format` holds them. */
export const formats: readonly (readonly [part: string, number: number])[] = [
  ['counter', 1],
  ['format', 1],
  ['keyset', 1],
  ['root', 1],
  ['secret', 1],
];
