/** What a vault file of one format holds. */
export interface Schema {
  /** Each of its tables, as SQLite itself gives it back. */
  readonly tables: readonly string[];
  /** The format number of each table, as the table `format` holds them. */
  readonly formats: readonly (readonly [part: string, number: number])[];
}

const format1: Schema = {
  tables: [
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
  ],
  formats: [
    ['counter', 1],
    ['format', 1],
    ['keyset', 1],
    ['root', 1],
    ['secret', 1],
  ],
};

const factTable = `CREATE TABLE fact (
  name TEXT NOT NULL PRIMARY KEY,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID`;

const format2: Schema = {
  tables: [...format1.tables, factTable],
  formats: [
    ['counter', 1],
    ['fact', 1],
    ['format', 1],
    ['keyset', 1],
    ['root', 2],
    ['secret', 1],
  ],
};

/** The number of the vault file's format that is written, kept as SQLite's `user_version`. */
export const vaultFormat = 2;

/** The first format that has the table `fact`. */
export const firstWithFacts = 2;

const schemas: ReadonlyMap<number, Schema> = new Map([
  [1, format1],
  [vaultFormat, format2],
]);

/** The schema of a format, or undefined where there is none of that number yet, or ever was. */
export const schemaOf = (format: number): Schema | undefined => schemas.get(format);

/** The schema that is written. */
export const presentSchema: Schema = format2;

/** The statements that make a file of the format before into one of the format after; rows of `format` not included. */
export const migrations: ReadonlyMap<number, readonly string[]> = new Map([[1, [factTable]]]);
