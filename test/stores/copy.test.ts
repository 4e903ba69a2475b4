import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { fingerprintOf } from '../../daemon/stores/fingerprint.ts';
import { checkVaultFile, openVaultFile } from '../../daemon/stores/file-check.ts';
import type { SqlcipherStore } from '../../daemon/stores/sqlcipher-store.ts';
import {
  createSqlcipherStore,
  createUnfinishedStore,
  openCheckedStore,
  openSqlcipherStore,
} from '../../daemon/stores/sqlcipher.ts';
import type { RowKey, StoredRow } from '../../daemon/stores/store.ts';
import { vaultFile } from './files.ts';

const rowsOf = (count: number): StoredRow[] =>
  Array.from({ length: count }, (_, at) => ({
    id: new Uint8Array(randomBytes(32)),
    version: 1 + (at % 3),
    state: at % 3,
    dek: 1,
    meta: randomBytes(120),
    value: randomBytes(300),
  })).sort((a, b) => Buffer.compare(a.id, b.id) || a.version - b.version);

const root = randomBytes(50);

describe('an unfinished vault file', () => {
  test('holds, once it is finished, all rows and changes, and passes every check', async (t) => {
    const file = vaultFile(t);
    const rows = rowsOf(3000);
    const store = createUnfinishedStore(file);
    for (let from = 0; from < rows.length; from += 7) store.commit({ put: rows.slice(from, from + 7) }, root);
    const [first, second] = rows;
    assert.ok(first && second);
    const changed = { ...second, value: randomBytes(2000) };
    store.commit({ drop: [first, second], put: [changed] }, root);
    store.finish();
    await checkVaultFile(file);

    const expected = [changed, ...rows.slice(2)];
    const opened = openCheckedStore(file);
    assert.deepEqual(
      Buffer.concat([...opened.fingerprints(5)]),
      Buffer.concat(expected.map((row) => Buffer.from(fingerprintOf(row)))),
    );
    const found: StoredRow[] = [];
    for (let last: RowKey | undefined; ; last = found.at(-1)) {
      const page = opened.rows(last, 256);
      if (page.length === 0) break;
      found.push(...page);
    }
    assert.deepEqual(
      found.map(({ value }) => value),
      expected.map(({ value }) => Buffer.from(value)),
    );
    opened.commit({ put: rowsOf(1) }, root);
    opened.close();
    openSqlcipherStore(file).close();
  });

  test('is no vault as long as it is not finished', (t) => {
    const file = vaultFile(t);
    const store = createUnfinishedStore(file);
    store.commit({ put: rowsOf(2000) }, root);
    store.close();
    assert.throws(() => {
      const opened = openSqlcipherStore(file);
      try {
        assert.equal([...opened.fingerprints()].length, 4);
      } finally {
        opened.close();
      }
    });
  });
});

describe('a snapshot of a vault file', () => {
  test('ends by name once too much was written beside it, and the log is emptied again', async (t) => {
    const file = vaultFile(t);
    const store = createSqlcipherStore(file);
    const write = (): void =>
      store.commit({ put: rowsOf(8).map((row) => ({ ...row, value: randomBytes(100_000) })) }, root);
    write();
    const snapshot = store.snapshot(2 ** 20);
    write();
    assert.equal(snapshot.ended(), undefined);
    await snapshot.read(new Uint8Array(16), 0);
    write();
    await assert.rejects(snapshot.read(new Uint8Array(16), 0), {
      code: 'CONFLICT',
      message: 'too much was written while the vault was copied: over 1 MiB',
      hint: /when less is being written/,
    });
    write();
    // What is in the log is moved into the file with the next commits, and the log begins anew.
    const grown = statSync(`${file.path}-wal`).size;
    for (let at = 0; at < 3; at++) write();
    assert.ok(statSync(file.path).size > 2_000_000);
    assert.ok(statSync(`${file.path}-wal`).size <= Math.max(grown, 4 * 2 ** 20));
    store.snapshot().end();
    store.close();
    await checkVaultFile(file);
  });
});

describe('the check of a vault file on a thread of its own', () => {
  test('lets the event loop go on, and leaves the key as it was', async (t) => {
    const file = vaultFile(t);
    const store = createUnfinishedStore(file);
    store.commit({ put: rowsOf(5000) }, root);
    store.finish();
    const key = Uint8Array.from(file.key);
    let turns = 0;
    let isOver = false;
    const over = checkVaultFile(file).finally(() => {
      isOver = true;
    });
    const hasEnded = (): boolean => isOver;
    while (!hasEnded()) {
      turns++;
      await nextTurn();
    }
    await over;
    assert.ok(turns > 10, String(turns));
    assert.deepEqual(file.key, key);
  });

  test('is how a large file is opened, and a small one is opened in one go', async (t) => {
    const file = vaultFile(t);
    const large = createUnfinishedStore(file);
    large.commit({ put: rowsOf(8000) }, root);
    large.finish();
    const turnsOf = async (opening: Promise<SqlcipherStore>): Promise<number> => {
      let turns = 0;
      let isOver = false;
      const over = opening.finally(() => {
        isOver = true;
      });
      const hasEnded = (): boolean => isOver;
      for (; !hasEnded(); turns++) await nextTurn();
      (await over).close();
      return turns;
    };
    assert.ok((await turnsOf(openVaultFile(file))) > 10);
    const other = vaultFile(t);
    createSqlcipherStore(other).close();
    assert.equal(await turnsOf(openVaultFile(other)), 1);
    const bytes = readFileSync(file.path);
    bytes[2_000_000] = (bytes[2_000_000] ?? 0) ^ 1;
    writeFileSync(file.path, bytes);
    await assert.rejects(openVaultFile(file), { code: 'DAMAGED', message: /profiles\/test\/vault\.db/ });
  });

  test('ends at once with the reason that is given for it, and not only when all is checked', async (t) => {
    const file = vaultFile(t);
    const store = createUnfinishedStore(file);
    store.commit({ put: rowsOf(5000) }, root);
    store.finish();
    const stop = new AbortController();
    const check = checkVaultFile(file, stop.signal);
    const reason = new Error('the daemon stops');
    stop.abort(reason);
    await assert.rejects(check, reason);
    await assert.rejects(checkVaultFile(file, stop.signal), reason);
    await checkVaultFile(file, new AbortController().signal);
  });

  test('names damage, another key, and a file that is not there', async (t) => {
    const file = vaultFile(t);
    const store = createUnfinishedStore(file);
    store.commit({ put: rowsOf(500) }, root);
    store.finish();
    await assert.rejects(checkVaultFile({ ...file, key: new Uint8Array(randomBytes(32)) }), {
      code: 'DAMAGED',
    });
    const bytes = readFileSync(file.path);
    bytes[20_000] = (bytes[20_000] ?? 0) ^ 1;
    writeFileSync(file.path, bytes);
    await assert.rejects(checkVaultFile(file), { code: 'DAMAGED', message: /profiles\/test\/vault\.db/ });
    await assert.rejects(checkVaultFile({ ...file, path: `${file.path}.other` }), { code: 'DAMAGED' });
  });
});
