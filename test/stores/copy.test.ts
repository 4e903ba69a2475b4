import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { fingerprintOf } from '../../daemon/stores/fingerprint.ts';
import { checkVaultFile } from '../../daemon/stores/file-check.ts';
import {
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
