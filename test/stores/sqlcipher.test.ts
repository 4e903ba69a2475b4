import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import OriginalSqlcipher from '@signalapp/sqlcipher';

import type { HushError } from '../../protocol/errors.ts';
import { createSqlcipherStore, openSqlcipherStore, type VaultFile } from '../../daemon/stores/sqlcipher.ts';
import type { SecretsStore, StoredRow } from '../../daemon/stores/store.ts';
import { smallFolder, temporaryFolder, vaultFile } from './files.ts';

const pageSize = 4096;

const rowOf = (size = 200): StoredRow => ({
  id: new Uint8Array(randomBytes(32)),
  version: 1,
  state: 0,
  dek: 1,
  meta: randomBytes(120),
  value: randomBytes(size),
});

/** A vault file with these rows, closed. */
function fileWith(t: TestContext, rows: StoredRow[]): VaultFile {
  const file = vaultFile(t);
  const store = createSqlcipherStore(file);
  store.commit({ put: rows }, randomBytes(100));
  store.close();
  return file;
}

/** Opens a file, does something with the store, and closes it. */
function withStore<T>(file: VaultFile, use: (store: SecretsStore) => T): T {
  const store = openSqlcipherStore(file);
  try {
    return use(store);
  } finally {
    store.close();
  }
}

function refusal(file: VaultFile): HushError {
  try {
    withStore(file, (store) => [...store.fingerprints()]);
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error, String(error));
    assert.ok(!error.message.includes(dirname(file.path)), 'the message tells an absolute path');
    // Its code was just seen; nothing else here throws errors with one.
    return error as HushError;
  }
  return assert.fail('the file was accepted');
}

function openWithOriginal(path: string, key: Uint8Array): OriginalSqlcipher {
  const db = new OriginalSqlcipher(path);
  db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
  return db;
}

describe('the SQLCipher file', () => {
  test('is opened by the original SQLCipher with the same key, and not with another', (t) => {
    const rows = [rowOf(), rowOf()];
    const file = fileWith(t, rows);
    const db = openWithOriginal(file.path, file.key);
    assert.equal(db.pragma('cipher_integrity_check').length, 0);
    const found = db.prepare('select value from secret order by id', { pluck: true }).all();
    const expected = rows.sort((a, b) => Buffer.compare(a.id, b.id)).map(({ value }) => value.toString());
    assert.deepEqual(
      found.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value)),
      expected,
    );
    db.close();
    assert.throws(() => openWithOriginal(file.path, randomBytes(32)).prepare('select * from secret').all());
  });

  test('says DAMAGED, with its name, when its first page does not open: the key was proved elsewhere', (t) => {
    const file = fileWith(t, [rowOf()]);
    const error = refusal({ ...file, key: randomBytes(32) });
    assert.equal(error.code, 'DAMAGED');
    assert.match(error.message, /^profiles\/test\/vault\.db /);
  });

  test('has mode 0600 with all its companions, whatever the umask', (t) => {
    const before = process.umask(0o000);
    t.after(() => process.umask(before));
    const file = vaultFile(t);
    const store = createSqlcipherStore(file);
    store.commit({ put: [rowOf()] }, randomBytes(10));
    const folder = dirname(file.path);
    assert.ok(readdirSync(folder).length >= 2, 'there is a write-ahead log');
    for (const name of readdirSync(folder))
      assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    store.close();
  });

  test('is never made over one that exists, and never made anew in place of a missing one', (t) => {
    const file = fileWith(t, [rowOf()]);
    assert.throws(() => createSqlcipherStore(file), { code: 'EXISTS' });
    rmSync(file.path);
    assert.equal(refusal(file).code, 'DAMAGED');
    assert.ok(!existsSync(file.path));
    writeFileSync(file.path, '', { mode: 0o600 });
    assert.equal(refusal(file).code, 'DAMAGED');
    assert.equal(statSync(file.path).size, 0);
  });

  test('A14: is refused when it is a link, has a second name, or is open to others, and so are its companions', (t) => {
    const file = fileWith(t, [rowOf()]);
    const aside = `${file.path}.aside`;
    const refused = (): void => {
      assert.throws(() => openSqlcipherStore(file), { code: 'UNSAFE_MODE' });
    };
    chmodSync(file.path, 0o640);
    refused();
    chmodSync(file.path, 0o600);
    linkSync(file.path, aside);
    refused();
    rmSync(aside);
    renameSync(file.path, aside);
    symlinkSync(aside, file.path);
    refused();
    rmSync(file.path);
    renameSync(aside, file.path);
    symlinkSync('/dev/null', `${file.path}-wal`);
    refused();
    rmSync(`${file.path}-wal`);
    withStore(file, () => undefined);
  });

  test('can be open once only', (t) => {
    const file = fileWith(t, [rowOf()]);
    withStore(file, () => {
      const error = refusal(file);
      assert.equal(error.code, 'UNAVAILABLE');
      assert.match(error.message, /another process holds the file/);
    });
  });

  test('of a newer format is refused by name before a byte of it changes', (t) => {
    const file = fileWith(t, [rowOf()]);
    const change = (statement: string): void => {
      const db = openWithOriginal(file.path, file.key);
      db.exec(statement);
      db.pragma('wal_checkpoint(TRUNCATE)');
      db.close();
    };
    const refusedUnchanged = (): void => {
      const before = readFileSync(file.path);
      const error = refusal(file);
      assert.equal(error.code, 'NEWER_FORMAT');
      assert.match(error.message, /vault\.db has format \d/);
      assert.ok(readFileSync(file.path).equals(before));
      assert.ok(!existsSync(`${file.path}-wal`));
    };
    change('pragma user_version = 3');
    refusedUnchanged();
    change(`pragma user_version = 2; update format set number = 2 where part = 'secret'`);
    refusedUnchanged();
    change(`update format set number = 1 where part = 'secret'; insert into format values ('later', 1)`);
    refusedUnchanged();
    change(`delete from format where part = 'later'`);
    withStore(file, () => undefined);
    change('create trigger helpful after insert on secret begin delete from secret; end');
    assert.equal(refusal(file).code, 'INTEGRITY');
  });

  test('B3: one flipped byte anywhere is named with the file, or harms nothing', (t) => {
    const rows = Array.from({ length: 60 }, () => rowOf(900));
    const file = fileWith(t, rows);
    const whole = readFileSync(file.path);
    for (let page = 0; page < whole.length / pageSize; page++) {
      const flipped = Buffer.from(whole);
      const at = page * pageSize + ((page * 997) % pageSize);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      writeFileSync(file.path, flipped);
      const error = refusal(file);
      assert.equal(error.code, 'DAMAGED', `page ${page + 1}`);
      assert.match(error.message, /vault\.db/);
    }
    truncateSync(file.path, whole.length - 100);
    assert.equal(refusal(file).code, 'DAMAGED');
  });

  test('A6: real pages of different times that do not fit together are tampering, not damage', (t) => {
    const file = fileWith(
      t,
      Array.from({ length: 60 }, () => rowOf(900)),
    );
    const old = readFileSync(file.path);
    withStore(file, (store) => {
      const drop = store.page(undefined, 50);
      store.commit({ drop, put: Array.from({ length: 200 }, () => rowOf(3_000)) }, randomBytes(100));
    });
    const young = readFileSync(file.path);
    const codes = new Set<string>();
    for (let at = 0; at < Math.min(old.length, young.length); at += pageSize) {
      const spliced = Buffer.from(young);
      old.copy(spliced, at, at, at + pageSize);
      if (spliced.equals(young)) continue;
      writeFileSync(file.path, spliced);
      try {
        withStore(file, (store) => [...store.fingerprints()]);
        // What fits is for the freshness hash to find.
        codes.add('fits');
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error);
        codes.add(String(error.code));
      }
      rmSync(`${file.path}-wal`, { force: true });
    }
    assert.ok(codes.has('INTEGRITY'));
    assert.ok(!codes.has('DAMAGED'));
  });

  test('B1: what was committed is there after the process is gone without closing it', (t) => {
    const file = vaultFile(t);
    const row = rowOf();
    const copy = join(temporaryFolder(t), 'vault.db');
    const store = createSqlcipherStore(file);
    store.commit({ put: [row] }, randomBytes(100));
    for (const suffix of ['', '-wal'])
      writeFileSync(copy + suffix, readFileSync(file.path + suffix), { mode: 0o600 });
    store.close();
    withStore({ ...file, path: copy }, (reopened) => {
      assert.ok(reopened.read(row.id, 1));
    });
  });

  test('B2: a full disk is named, loses nothing that was acknowledged, and works again when there is space', (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('only root can mount the small file system that this needs');
      return;
    }
    const folder = smallFolder(t, '512k');
    const file: VaultFile = { path: join(folder, 'vault.db'), label: 'vault.db', key: randomBytes(32) };
    const store = createSqlcipherStore(file);
    const kept: StoredRow[] = [];
    const ballast = join(folder, 'ballast');
    writeFileSync(ballast, randomBytes(200 * 1024));
    const fill = (): HushError => {
      for (;;) {
        const row = rowOf(10_000);
        try {
          store.commit({ put: [row] }, randomBytes(100));
          kept.push(row);
        } catch (error) {
          assert.ok(error instanceof Error && 'code' in error);
          // Its code is looked at next.
          return error as HushError;
        }
      }
    };
    const error = fill();
    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /the disk is full/);
    for (const { id } of kept) assert.ok(store.read(id, 1));
    rmSync(ballast);
    const later = rowOf(10_000);
    store.commit({ put: [later] }, randomBytes(100));
    store.close();
    withStore(file, (reopened) => {
      for (const { id } of [...kept, later]) assert.ok(reopened.read(id, 1));
    });
    assert.ok(lstatSync(file.path).size > 0);
  });
});
