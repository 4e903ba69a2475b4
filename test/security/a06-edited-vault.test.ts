import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import OriginalSqlcipher from '@signalapp/sqlcipher';
import type { HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import { keyCredential, makeHome, startDaemon, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { textOf, utf8, vaultFileKeyOf } from './facts.ts';

const pageSize = 4096;
const key = new Uint8Array(new ArrayBuffer(32)).fill(9);
const credentials = [keyCredential(key)];

interface Attacked {
  readonly home: TestHome;
  readonly daemon: TestDaemon;
  readonly client: HushClient;
}

/** A daemon with an unlocked profile that a key opens. */
async function start(t: TestContext, ...profiles: string[]): Promise<Attacked> {
  const home = makeHome(t);
  for (const profile of ['default', ...profiles]) await home.init(profile, [keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock(credentials);
  return { home, daemon, client };
}

/** What an unlock came to: `ok`, or the error. */
async function unlock(client: HushClient): Promise<'ok' | HushError> {
  try {
    await client.unlock(credentials);
    return 'ok';
  } catch (error) {
    assert.ok(error instanceof HushError, String(error));
    return error;
  }
}

/** Runs statements on the vault file of a locked profile with the original SQLCipher, and its key alone. */
function edit(path: string, fileKey: Uint8Array, change: (db: OriginalSqlcipher) => void): void {
  const db = new OriginalSqlcipher(path);
  try {
    db.pragma(`key = "x'${Buffer.from(fileKey).toString('hex')}'"`);
    change(db);
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}

type Bytes = Uint8Array<ArrayBuffer>;

interface Row {
  readonly id: Bytes;
  readonly version: number;
  readonly state: number;
  readonly dek: number;
  readonly meta: Bytes;
  readonly value: Bytes;
}

const columns = 'id, version, state, dek, meta, value';

const rowsOf = (db: OriginalSqlcipher): Row[] =>
  // The columns of the table are STRICT and have these types.
  db.prepare(`select ${columns} from secret order by id`).all() as unknown as Row[];

const rootOf = (db: OriginalSqlcipher): Bytes =>
  // The one row of the table is a blob.
  db.prepare('select sealed from root', { pluck: true }).get() as unknown as Bytes;

interface Counter {
  readonly key: string;
  readonly reserved: number;
}

const countersOf = (db: OriginalSqlcipher): Counter[] =>
  // The columns of the table are STRICT and have these types.
  db.prepare('select key, reserved from counter').all() as unknown as Counter[];

function put(db: OriginalSqlcipher, row: Row): void {
  db.prepare(`insert or replace into secret (${columns}) values (?, ?, ?, ?, ?, ?)`).run([
    row.id,
    row.version,
    row.state,
    row.dek,
    row.meta,
    row.value,
  ]);
}

const drop = (db: OriginalSqlcipher, { id }: Row): void => {
  db.prepare('delete from secret where id = ?').run([id]);
};

describe('A6: a vault that was edited while it was locked', () => {
  test('A6: with its SQLCipher key: rows swapped, moved, put back or removed show as tampering at unlock', async (t) => {
    const { home, client } = await start(t, 'other');
    const { vault } = home.profile();
    const fileKey = await vaultFileKeyOf(home.profile(), keyCredential(key));
    await client.set('global/a', utf8('first value of a'));
    await client.lock();
    let old: Row[] = [];
    let oldRoot: Bytes | undefined;
    let oldCounters: readonly Counter[] = [];
    edit(vault, fileKey, (db) => {
      old = rowsOf(db);
      oldRoot = rootOf(db);
      oldCounters = countersOf(db);
    });
    await client.unlock(credentials);
    await client.set('global/a', utf8('second value of a'));
    await client.set('global/b', utf8('value of b'));
    await client.lock();

    const other = await vaultFileKeyOf(home.profile('other'), keyCredential(key));
    await client.call('unlock', { profile: 'other', credentials });
    await client.call('secret.set', {
      profile: 'other',
      path: 'global/a',
      value: utf8('value of a elsewhere'),
    });
    await client.call('lock', { profile: 'other' });
    let foreign: Row[] = [];
    edit(home.profile('other').vault, other, (db) => {
      foreign = rowsOf(db);
    });

    const [oldA] = old;
    const [foreignA] = foreign;
    assert.ok(oldA && foreignA && oldRoot);
    const root = oldRoot;
    const isA = ({ id }: Row): boolean => Buffer.compare(id, oldA.id) === 0;
    const both = (db: OriginalSqlcipher): readonly [a: Row, b: Row] => {
      const rows = rowsOf(db);
      const a = rows.find((row) => isA(row) && row.state === 0);
      const b = rows.find((row) => !isA(row));
      assert.ok(rows.length === 3 && a && b, 'the vault holds a, its earlier version, and b, and no more');
      return [a, b];
    };

    const attacks: Readonly<Record<string, (db: OriginalSqlcipher) => void>> = {
      'two values swapped': (db) => {
        const [a, b] = both(db);
        put(db, { ...a, value: b.value });
        put(db, { ...b, value: a.value });
      },
      'two rows swapped': (db) => {
        const [a, b] = both(db);
        drop(db, a);
        drop(db, b);
        put(db, { ...a, id: b.id });
        put(db, { ...b, id: a.id });
      },
      'a row moved to another name': (db) => {
        const [a, b] = both(db);
        drop(db, b);
        drop(db, a);
        put(db, { ...a, id: b.id });
      },
      'a row under a name of its own': (db) => {
        const [a] = both(db);
        put(db, { ...a, id: randomBytes(32) });
      },
      'a row of another profile put in': (db) => put(db, foreignA),
      'a row replaced by one of another profile': (db) => {
        const [a] = both(db);
        put(db, { ...foreignA, id: a.id, version: a.version });
      },
      'an old row put back': (db) => {
        drop(db, both(db)[0]);
        put(db, oldA);
      },
      'an old row put back under the newest version': (db) => {
        const [a] = both(db);
        put(db, { ...oldA, version: a.version });
      },
      'an old row put beside the newest': (db) => put(db, oldA),
      'an earlier version made the current one': (db) =>
        db.exec('update secret set state = 1 - state where id in (select id from secret where state = 1)'),
      'an earlier version removed': (db) => db.exec('delete from secret where state = 1'),
      'the value of an earlier version changed': (db) =>
        db.exec('update secret set value = (select value from secret where version = 2) where state = 1'),
      'a secret deleted by its state': (db) => db.exec('update secret set state = 2 where version = 2'),
      'a row removed': (db) => drop(db, both(db)[1]),
      'all rows removed': (db) => db.exec('delete from secret'),
      'the last byte of a value changed': (db) => {
        const [a] = both(db);
        const value = Uint8Array.from(a.value);
        value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
        put(db, { ...a, value });
      },
      'the last byte of a sealed name changed': (db) => {
        const [a] = both(db);
        const meta = Uint8Array.from(a.meta);
        meta[meta.length - 1] = (meta.at(-1) ?? 0) ^ 1;
        put(db, { ...a, meta });
      },
      'a row made undeleted or unseen by its state': (db) => db.exec('update secret set state = state + 1'),
      'the root removed': (db) => db.exec('delete from root'),
      'a message counter taken back': (db) => db.exec('update counter set reserved = 0'),
      'a trigger that deletes': (db) =>
        db.exec('create trigger t after insert on counter begin delete from secret; end'),
    };
    const sound = readFileSync(vault);
    for (const [what, attack] of Object.entries(attacks)) {
      edit(vault, fileKey, attack);
      const outcome = await unlock(client);
      assert.ok(outcome !== 'ok', `${what}: the vault was opened`);
      assert.equal(outcome.code, 'INTEGRITY', `${what}: ${outcome.message}`);
      assert.match(outcome.message, /tampered/, what);
      await assert.rejects(client.get('global/a'), { code: 'LOCKED' }, what);
      writeFileSync(vault, sound);
    }

    // Old rows with their own old root are a whole older state.
    edit(vault, fileKey, (db) => {
      db.exec('delete from secret');
      put(db, oldA);
      db.exec('delete from counter');
      for (const { key, reserved } of oldCounters) {
        db.prepare('insert into counter (key, reserved) values (?, ?)').run([key, reserved]);
      }
      db.prepare('update root set sealed = ?').run([root]);
    });
    const outcome = await unlock(client);
    assert.ok(outcome !== 'ok');
    assert.equal(outcome.code, 'ROLLBACK', outcome.message);

    writeFileSync(vault, sound);
    assert.equal(await unlock(client), 'ok', 'what was refused was the edit, and nothing is left of it');
    assert.equal(textOf((await client.get('global/a')).value), 'second value of a');
    assert.equal(textOf((await client.get('global/b')).value), 'value of b');
  });

  test('A6: with its SQLCipher key: a value whose seal was left as it was shows at the latest when it is read', async (t) => {
    const { home, client } = await start(t);
    const fileKey = await vaultFileKeyOf(home.profile(), keyCredential(key));
    await client.set('global/a', utf8('value of a'));
    await client.set('global/b', utf8('value of b'));
    await client.lock();
    edit(home.profile().vault, fileKey, (db) => {
      const [one, two] = rowsOf(db);
      assert.ok(one && two);
      const withBodyOf = (row: Row, { value }: Row): Row => ({
        ...row,
        value: Buffer.concat([value.subarray(0, -16), row.value.subarray(-16)]),
      });
      put(db, withBodyOf(one, two));
      put(db, withBodyOf(two, one));
    });
    if ((await unlock(client)) !== 'ok') return;
    for (const path of ['global/a', 'global/b']) {
      await assert.rejects(client.get(path), { code: 'INTEGRITY', message: /tampered/ });
    }
  });

  test('A6: between a stop and the next start the same edits show', async (t) => {
    const { home, daemon, client } = await start(t);
    const fileKey = await vaultFileKeyOf(home.profile(), keyCredential(key));
    await client.set('global/a', utf8('a'));
    await client.set('global/b', utf8('b'));
    assert.equal(await daemon.stop(), 0);
    edit(home.profile().vault, fileKey, (db) =>
      db.exec('delete from secret where id = (select min(id) from secret)'),
    );
    const next = await startDaemon(t, home);
    const outcome = await unlock(await next.connect());
    assert.ok(outcome !== 'ok');
    assert.equal(outcome.code, 'INTEGRITY');
    assert.match(outcome.message, /tampered/);
  });

  test('A6: without any key: an old page spliced in is tampering, or changes nothing that can be read', async (t) => {
    const { home, client } = await start(t);
    const { vault } = home.profile();
    const values = new Map<string, string>();
    const set = async (path: string, size: number): Promise<void> => {
      const value = randomBytes(size / 2).toString('hex');
      await client.set(path, utf8(value));
      values.set(path, value);
    };
    for (let index = 0; index < 24; index++) await set(`global/name-${index}`, 900);
    await client.lock();
    const old = readFileSync(vault);
    await client.unlock(credentials);
    for (let index = 0; index < 24; index += 3) await set(`global/name-${index}`, 900);
    for (const index of [1, 4]) {
      await client.delete(`global/name-${index}`);
      values.delete(`global/name-${index}`);
    }
    for (let index = 24; index < 30; index++) await set(`global/name-${index}`, 3_000);
    await client.lock();
    const young = readFileSync(vault);

    let refused = 0;
    for (let at = 0; at < Math.min(old.length, young.length); at += pageSize) {
      const spliced = Buffer.from(young);
      old.copy(spliced, at, at, at + pageSize);
      if (spliced.equals(young)) continue;
      writeFileSync(vault, spliced);
      const what = `page ${at / pageSize + 1}`;
      const outcome = await unlock(client);
      if (outcome !== 'ok') {
        assert.equal(outcome.code, 'INTEGRITY', `${what}: ${outcome.message}`);
        assert.match(outcome.message, /tampered/, what);
        refused++;
        continue;
      }
      const found = new Map<string, string>();
      for await (const { path } of client.list()) found.set(path, textOf((await client.get(path)).value));
      assert.deepEqual(found, values, what);
      await client.lock();
    }
    assert.ok(refused >= 5, `${refused} spliced pages were refused`);
    writeFileSync(vault, young);
    assert.equal(await unlock(client), 'ok');
  });
});
