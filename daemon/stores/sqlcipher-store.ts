import { statSync } from 'node:fs';

import type Database from 'better-sqlite3-multiple-ciphers';

import { HushError } from '../../protocol/errors.ts';
import { watchPlace } from '../home/files.ts';
import { createFileSnapshots, type StoreSnapshot } from './file-snapshot.ts';
import { fingerprintSize, idOf, versionOf } from './fingerprint.ts';
import { firstWithFacts } from './schema.ts';
import { storeError, tampered } from './sqlite-errors.ts';
import { rowState, type Changes, type FactRow, type KeysetLines, type SecretsStore } from './store.ts';

/** A store in a SQLCipher file. */
export interface SqlcipherStore extends SecretsStore {
  /** The number of the file's format. */
  readonly format: number;
  /**
   * The file as it stands after the last commit, to be copied while others follow: they stay in the log until the
   * snapshot ends, at the latest with the store, or once the log has more than `mostLogBytes`. Throws CONFLICT while
   * there is another one, UNAVAILABLE.
   */
  snapshot(mostLogBytes?: number): StoreSnapshot;
  /** UNAVAILABLE where the file is not at its path any more; every commit is refused with it. */
  misplaced(): HushError | undefined;
  /** Closes a store whose file nobody needs any more: nothing waits for the disk. */
  discard(): void;
}

/** After so many pages in the log SQLite moves them into the file by itself; its own default. */
const pagesBeforeCheckpoint = 1000;

/** A log that grows without end would fill the disk, and to move so much of it into the file takes a second or so. */
const usualLogBytes = 256 * 1024 * 1024;

/** So many are quickest for 100,000 rows. */
const fingerprintsPerBlock = 512;

// The tables are STRICT and their text was checked, so that the columns have the types named here.
function statements(db: Database.Database) {
  return {
    read: db
      .prepare<[Uint8Array, number], [number, number, Buffer, Buffer]>(
        'select state, dek, meta, value from secret where id = ? and version = ?',
      )
      .raw(),
    summary: db
      .prepare<[Uint8Array, number], [number, number, Buffer]>(
        'select state, dek, meta from secret where id = ? and version = ?',
      )
      .raw(),
    page: db
      .prepare<[Uint8Array, number], [Buffer, number, number, number, Buffer]>(
        `select id, version, state, dek, meta from secret
         where id > ? and state = ${rowState.current} order by id limit ?`,
      )
      .raw(),
    // One blob of many fingerprints: 0.6 s for 100,000 rows, where a row at a time takes 1.2 s.
    fingerprints: db
      .prepare<[Uint8Array, number, number], Buffer | null>(
        `select unhex(group_concat(
           hex(id) || printf('%016x%02x%08x', version, state, dek)
           || hex(substr(meta, -16)) || hex(substr(value, -16)), '' order by id, version))
         from (select * from secret where (id, version) > (?, ?) order by id, version limit ?)`,
      )
      .pluck(),
    rows: db
      .prepare<[Uint8Array, number, number], [Buffer, number, number, number, Buffer, Buffer]>(
        `select id, version, state, dek, meta, value from secret
         where (id, version) > (?, ?) order by id, version limit ?`,
      )
      .raw(),
    counters: db.prepare<[], [string, number]>('select key, reserved from counter order by key').raw(),
    keysetLines: db.prepare<[], string>('select line from keyset order by seq').pluck(),
    root: db.prepare<[], Buffer>('select sealed from root').pluck(),
    drop: db.prepare<[Uint8Array, number]>('delete from secret where id = ? and version = ?'),
    put: db.prepare<[Uint8Array, number, number, number, Uint8Array, Uint8Array]>(
      'insert into secret (id, version, state, dek, meta, value) values (?, ?, ?, ?, ?, ?)',
    ),
    replace: db.prepare<[number, number, Uint8Array, Uint8Array, Uint8Array, number]>(
      'update secret set state = ?, dek = ?, meta = ?, value = ? where id = ? and version = ?',
    ),
    setCounter: db.prepare<[string, number]>('insert or replace into counter (key, reserved) values (?, ?)'),
    emptyLog: db
      .prepare<[], [busy: number, frames: number, moved: number]>('pragma wal_checkpoint(truncate)')
      .raw(),
    dropLines: db.prepare<[number]>('delete from keyset where seq >= ?'),
    addLine: db.prepare<[number, string]>('insert into keyset (seq, line) values (?, ?)'),
    setRoot: db.prepare<[Uint8Array]>('insert or replace into root (one, sealed) values (1, ?)'),
  };
}

function factStatements(db: Database.Database) {
  return {
    all: db.prepare<[], [string, Buffer]>('select name, sealed from fact order by name').raw(),
    put: db.prepare<[string, Uint8Array]>('insert or replace into fact (name, sealed) values (?, ?)'),
    drop: db.prepare<[string]>('delete from fact where name = ?'),
  };
}

/**
 * The store over an open SQLCipher connection to the file at `path`, which it owns from here on; `label` names the file
 * in errors. In a file of a format that knows no facts there are none, and none can be put.
 */
export function sqlcipherStore(
  db: Database.Database,
  { path, label }: { readonly path: string; readonly label: string },
  format: number,
): SqlcipherStore {
  const sql = statements(db);
  const factSql = format < firstWithFacts ? undefined : factStatements(db);
  const snapshots = createFileSnapshots(path, label);
  const isInPlace = watchPlace(path);
  let mostLogBytes = usualLogBytes;

  /** Moves all that is in the log into the file, and leaves nothing of it in the log. */
  const emptyLog = (): void => {
    const [busy] = sql.emptyLog.get() ?? [1];
    if (busy !== 0) throw new HushError('UNAVAILABLE', `cannot empty the log of ${label}`);
  };

  /** Ends the snapshot for whose sake the log has grown too long. */
  const boundLog = (): void => {
    if (!snapshots.isTaken() || logBytes(path) <= mostLogBytes) return;
    const mib = Math.round(mostLogBytes / 2 ** 20);
    snapshots.end(
      `too much was written while the vault was copied: over ${mib} MiB`,
      'take the backup again when less is being written, and read it faster',
    );
  };

  /** What is written to a file that was moved or removed nobody would ever find again. */
  const misplaced = (): HushError | undefined =>
    isInPlace()
      ? undefined
      : new HushError(
          'UNAVAILABLE',
          `${label} was moved or removed under the daemon: nothing can be changed`,
          {
            hint: 'move the folder of the profile back, and all goes on; until hush lock or hush stop, hush get still reads',
          },
        );

  const putFact = ({ name, sealed }: FactRow): void => {
    if (factSql === undefined) throw new RangeError('a vault of this format keeps no facts');
    if (sealed.length === 0) factSql.drop.run(name);
    else factSql.put.run(name, sealed);
  };

  const putLines = ({ from, lines }: KeysetLines): void => {
    sql.dropLines.run(from);
    lines.forEach((line, at) => sql.addLine.run(from + at, line));
  };

  const commit = db.transaction((changes: Changes, root: Uint8Array) => {
    for (const { id, version } of changes.drop ?? []) {
      if (sql.drop.run(id, version).changes !== 1) throw tampered(label, 'a row is gone');
    }
    for (const { id, version, state, dek, meta, value } of changes.put ?? []) {
      sql.put.run(id, version, state, dek, meta, value);
    }
    for (const { id, version, state, dek, meta, value } of changes.replace ?? []) {
      const { changes: replaced } = sql.replace.run(state, dek, meta, value, id, version);
      if (replaced !== 1) throw tampered(label, 'a row is gone');
    }
    for (const { key, reserved } of changes.counters ?? []) sql.setCounter.run(key, reserved);
    if (changes.keyset !== undefined) putLines(changes.keyset);
    for (const fact of changes.facts ?? []) putFact(fact);
    sql.setRoot.run(root);
  });

  function named<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw storeError(error, label);
    }
  }

  function* fingerprints(rowsPerBlock = fingerprintsPerBlock): Generator<Uint8Array> {
    let id: Uint8Array = new Uint8Array(0);
    let version = 0;
    for (;;) {
      const from: readonly [Uint8Array, number] = [id, version];
      const block = named(() => sql.fingerprints.get(...from, rowsPerBlock));
      if (block === undefined || block === null) return;
      const last = block.subarray(-fingerprintSize);
      const isWhole = block.length % fingerprintSize === 0;
      if (!isWhole || (Buffer.compare(idOf(last), id) || versionOf(last) - version) <= 0) {
        throw tampered(label, 'its rows have the wrong form');
      }
      yield block;
      [id, version] = [idOf(last), versionOf(last)];
    }
  }

  const close = (): void => {
    snapshots.end('the vault was closed while it was copied');
    db.close();
    snapshots.close();
  };

  return {
    format,
    read: (id, version) =>
      named(() => {
        const row = sql.read.get(id, version);
        if (row === undefined) return undefined;
        const [state, dek, meta, value] = row;
        return { id, version, state, dek, meta, value };
      }),
    summary: (id, version) =>
      named(() => {
        const row = sql.summary.get(id, version);
        if (row === undefined) return undefined;
        const [state, dek, meta] = row;
        return { id, version, state, dek, meta };
      }),
    page: (after, limit) =>
      named(() =>
        sql.page
          .all(after ?? new Uint8Array(0), limit)
          .map(([id, version, state, dek, meta]) => ({ id, version, state, dek, meta })),
      ),
    fingerprints,
    rows: (after, limit) =>
      named(() =>
        sql.rows
          .all(after?.id ?? new Uint8Array(0), after?.version ?? 0, limit)
          .map(([id, version, state, dek, meta, value]) => ({ id, version, state, dek, meta, value })),
      ),
    counters: () => named(() => sql.counters.all().map(([key, reserved]) => ({ key, reserved }))),
    keysetLines: () => named(() => sql.keysetLines.all()),
    facts: () => named(() => (factSql?.all.all() ?? []).map(([name, sealed]) => ({ name, sealed }))),
    root: () => named(() => sql.root.get()),
    commit: (changes, root) => {
      const problem = misplaced();
      if (problem !== undefined) throw problem;
      named(() => {
        commit.immediate(changes, root);
      });
      boundLog();
    },
    forget: (what) => {
      // It would keep what is to be forgotten, and it cannot go on while the file changes.
      snapshots.end(`${what} were destroyed while the vault was copied`);
      named(emptyLog);
    },
    snapshot: (most = usualLogBytes) =>
      named(() =>
        snapshots.take(
          () => {
            mostLogBytes = most;
            emptyLog();
            db.pragma('wal_autocheckpoint = 0');
          },
          () => {
            db.pragma(`wal_autocheckpoint = ${pagesBeforeCheckpoint}`);
          },
        ),
      ),
    misplaced,
    close,
    discard: () => {
      try {
        db.pragma('synchronous = OFF');
      } finally {
        close();
      }
    },
  };
}

/** How long the log of a vault file is. The commit that asks is done: nothing may be thrown any more. */
function logBytes(path: string): number {
  try {
    return statSync(`${path}-wal`).size;
  } catch {
    // Of what nobody can see nobody can say that it stays within bounds.
    return Infinity;
  }
}
