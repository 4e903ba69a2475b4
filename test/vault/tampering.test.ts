import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import type Database from 'better-sqlite3-multiple-ciphers';

import { parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import type { RowKey, SecretsStore, StoredRow } from '../../daemon/stores/store.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { newProfile, type TestProfile } from './profile.ts';
import { withRawFile } from './raw-file.ts';

const at = (name: string): SecretPath => parseSecretPath(`global/${name}`);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type Row = [id: Buffer, version: number, state: number, dek: number, meta: Buffer, value: Buffer];

const rowsOf = (db: Database.Database): Row[] =>
  db
    .prepare<[], Row>('select id, version, state, dek, meta, value from secret order by id, version')
    .raw()
    .all();

/** Those that are current, one a secret. */
const currentRowsOf = (db: Database.Database): Row[] => rowsOf(db).filter(([, , state]) => state === 0);

type FactRow = [name: string, sealed: Buffer];

const factsOf = (db: Database.Database): FactRow[] =>
  db.prepare<[], FactRow>('select name, sealed from fact order by name').raw().all();

const put = (db: Database.Database, row: Row): void => {
  db.prepare<Row>('insert or replace into secret values (?, ?, ?, ?, ?, ?)').run(...row);
};

const named = /tampered with/;

async function assertTamperingNoticed(profile: TestProfile): Promise<void> {
  await assert.rejects(profile.open(), { code: 'INTEGRITY', message: named });
}

/** Attacks on a closed vault by someone who has the SQLCipher key alone, and rows of an earlier time. */
const attacks: [name: string, attack: (db: Database.Database, old: Row[]) => void][] = [
  [
    'swaps the values of two rows',
    (db) => {
      const [a, b] = currentRowsOf(db);
      assert.ok(a && b);
      put(db, [a[0], a[1], a[2], a[3], a[4], b[5]]);
      put(db, [b[0], b[1], b[2], b[3], b[4], a[5]]);
    },
  ],
  [
    'swaps two rows whole',
    (db) => {
      const [a, b] = currentRowsOf(db);
      assert.ok(a && b);
      put(db, [a[0], ...(b.slice(1) as [number, number, number, Buffer, Buffer])]);
      put(db, [b[0], ...(a.slice(1) as [number, number, number, Buffer, Buffer])]);
    },
  ],
  [
    'moves a row to another name',
    (db) => {
      db.prepare('update secret set id = ? where id = (select min(id) from secret)').run(randomBytes(32));
    },
  ],
  [
    'puts a copy of a row under another name',
    (db) => {
      const [a] = rowsOf(db);
      assert.ok(a);
      put(db, [randomBytes(32), ...(a.slice(1) as [number, number, number, Buffer, Buffer])]);
    },
  ],
  [
    'puts an old row back in place of the new one',
    (db, old) => {
      db.exec('delete from secret');
      for (const row of old) put(db, row);
    },
  ],
  [
    'puts an old row beside the new one',
    (db, old) => {
      for (const row of old) put(db, row);
    },
  ],
  ['removes a row', (db) => db.exec('delete from secret where id = (select max(id) from secret)')],
  ['removes all rows', (db) => db.exec('delete from secret')],
  ['raises a version', (db) => db.exec('update secret set version = version + 100')],
  [
    'makes an earlier version the current one',
    (db) => db.exec('update secret set state = 1 - state where state < 2'),
  ],
  ['removes an earlier version', (db) => db.exec('delete from secret where state = 1 limit 1')],
  [
    'swaps the values of two versions',
    (db) => {
      const [a, b] = rowsOf(db);
      assert.ok(a && b && a[0].equals(b[0]));
      put(db, [a[0], a[1], a[2], a[3], a[4], b[5]]);
      put(db, [b[0], b[1], b[2], b[3], b[4], a[5]]);
    },
  ],
  ['hides rows by their state', (db) => db.exec('update secret set state = 2')],
  ['calls another data key a row’s own', (db) => db.exec('update secret set dek = dek + 1')],
  ['lowers a message count', (db) => db.exec('update counter set reserved = 0')],
  ['removes the message counts', (db) => db.exec('delete from counter')],
  ['removes the root', (db) => db.exec('delete from root')],
  [
    'removes a line of the key set',
    (db) => db.exec('delete from keyset where seq = (select max(seq) from keyset)'),
  ],
];

/** Attacks on the facts of a closed vault, with those of an earlier time at hand. */
const factAttacks: [name: string, attack: (db: Database.Database, old: FactRow[]) => void][] = [
  ['removes a fact', (db) => db.exec(`delete from fact where name = 'a'`)],
  ['removes all facts', (db) => db.exec('delete from fact')],
  [
    'puts an old fact back',
    (db, old) => {
      for (const [name, sealed] of old)
        db.prepare('update fact set sealed = ? where name = ?').run(sealed, name);
    },
  ],
  ['moves a fact to another name', (db) => db.exec(`update fact set name = 'c' where name = 'a'`)],
  [
    'puts a copy of a fact beside it',
    (db) => db.exec(`insert into fact select 'c', sealed from fact limit 1`),
  ],
  [
    'swaps two facts',
    (db) => {
      const [a, b] = factsOf(db);
      assert.ok(a && b);
      db.prepare('update fact set sealed = ? where name = ?').run(b[1], a[0]);
      db.prepare('update fact set sealed = ? where name = ?').run(a[1], b[0]);
    },
  ],
  [
    'takes the whole file back to the format that knew no facts',
    (db) => {
      db.exec(`drop table fact; delete from format where part = 'fact'`);
      db.exec(`update format set number = 1; pragma user_version = 1`);
    },
  ],
];

async function profileWithFacts(t: Parameters<typeof newProfile>[0]): Promise<[TestProfile, FactRow[]]> {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open();
  for (const name of ['a', 'b']) vault.remember(name, `old ${name}`);
  profile.close();
  const old = withRawFile(profile.file, factsOf);
  const again = await profile.open();
  for (const name of ['a', 'b']) again.remember(name, `new ${name}`);
  profile.close();
  return [profile, old];
}

async function attackedProfile(t: Parameters<typeof newProfile>[0]): Promise<[TestProfile, Row[]]> {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open();
  for (const name of ['a', 'b', 'c']) vault.set(at(name), bytes(`old value of ${name}`));
  profile.close();
  const old = withRawFile(profile.file, rowsOf);
  const again = await profile.open();
  for (const name of ['a', 'b', 'c']) again.set(at(name), bytes(`new value of ${name}`));
  profile.close();
  return [profile, old];
}

describe('A6: a closed vault', () => {
  for (const [name, attack] of attacks) {
    test(`does not open when someone with the SQLCipher key alone ${name}`, async (t) => {
      const [profile, old] = await attackedProfile(t);
      withRawFile(profile.file, (db) => attack(db, old));
      await assertTamperingNoticed(profile);
    });
  }

  for (const [name, attack] of factAttacks) {
    test(`does not open when someone with the SQLCipher key alone ${name}`, async (t) => {
      const [profile, old] = await profileWithFacts(t);
      withRawFile(profile.file, (db) => attack(db, old));
      await assertTamperingNoticed(profile);
    });
  }

  test('does not open when someone puts an old root back under the new rows, or makes one up', async (t) => {
    const [profile] = await attackedProfile(t);
    const old = withRawFile(profile.file, (db) =>
      db.prepare<[], Buffer>('select sealed from root').pluck().get(),
    );
    assert.ok(old);
    const vault = await profile.open();
    vault.set(at('d'), bytes('d'));
    profile.close();
    const setRoot = (root: Uint8Array): void => {
      withRawFile(profile.file, (db) => db.prepare('update root set sealed = ?').run(root));
    };
    setRoot(old);
    await assertTamperingNoticed(profile);
    setRoot(randomBytes(old.length));
    await assert.rejects(profile.open());
    setRoot(Buffer.concat([old.subarray(0, 6), randomBytes(old.length - 6)]));
    await assertTamperingNoticed(profile);
  });

  test('does not open with a row of another profile, put where its own stood', async (t) => {
    const [profile] = await attackedProfile(t);
    const [other] = await attackedProfile(t);
    const foreign = withRawFile(other.file, rowsOf);
    withRawFile(profile.file, (db) => {
      const own = rowsOf(db);
      db.exec('delete from secret');
      own.forEach((row, index) => {
        const [, ...rest] = foreign[index] ?? row;
        put(db, [row[0], ...rest]);
      });
    });
    await assertTamperingNoticed(profile);
  });

  test('does not open, or gives the right values, after any one page of an older copy was spliced in', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const write = async (mark: string): Promise<Buffer> => {
      const vault = await profile.open();
      for (const name of names) vault.set(at(name), bytes(`${mark} of ${name} `.repeat(40)));
      profile.close();
      return readFileSync(profile.file.path);
    };
    const old = await write('old');
    const young = await write('new');
    let refused = 0;
    for (let from = 0; from < Math.min(old.length, young.length); from += 4096) {
      const spliced = Buffer.from(young);
      old.copy(spliced, from, from, from + 4096);
      if (spliced.equals(young)) continue;
      writeFileSync(profile.file.path, spliced);
      rmSync(`${profile.file.path}-wal`, { force: true });
      const opened = await profile.open().catch((error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error && error.code === 'INTEGRITY', String(error));
        assert.match(error.message, named);
        refused++;
      });
      for (const name of opened === undefined ? [] : names) {
        const value = new TextDecoder().decode(opened?.get(at(name)).value);
        assert.equal(value, `new of ${name} `.repeat(40));
      }
      profile.close();
    }
    assert.ok(refused > 5);
  });
});

/** An open vault, its store as someone else reaches it, and rows that the vault replaced since. */
async function openVaultAndStore(t: Parameters<typeof newProfile>[0]): Promise<{
  vault: Vault;
  store: SecretsStore;
  change(drop: RowKey | readonly RowKey[], ...put: StoredRow[]): void;
}> {
  const profile = await newProfile(t, 'SQLCipher');
  const reached: SecretsStore[] = [];
  const vault = await profile.open({
    wrapStore: (store) => {
      reached.push(store);
      return store;
    },
  });
  const [store] = reached;
  assert.ok(store);
  return {
    vault,
    store,
    change: (drop, ...rows) => {
      store.commit({ drop: [drop].flat(), put: rows }, store.root() ?? new Uint8Array(0));
    },
  };
}

function rowNow(store: SecretsStore, index = 0): StoredRow {
  const summary = store.page(undefined, 10)[index];
  assert.ok(summary);
  const row = store.read(summary.id, summary.version);
  assert.ok(row);
  return row;
}

describe('A6: an open vault', () => {
  test('calls a row that is gone tampering, and not a missing secret', async (t) => {
    const { vault, store, change } = await openVaultAndStore(t);
    vault.set(at('a'), bytes('a'));
    change(rowNow(store));
    for (const call of [
      () => vault.get(at('a')),
      () => vault.set(at('a'), bytes('b')),
      () => vault.remove(at('a')),
      () => vault.list({ limit: 10, visible: () => true }),
    ]) {
      assert.throws(call, { code: 'INTEGRITY', message: named });
    }
  });

  test('never gives an old value of the same name, not even one of the same version', async (t) => {
    const { vault, store, change } = await openVaultAndStore(t);
    vault.set(at('a'), bytes('first'));
    const first = rowNow(store);
    vault.set(at('a'), bytes('second'));
    const second = rowNow(store);
    change([first, second], first);
    assert.throws(() => vault.get(at('a')), { code: 'INTEGRITY', message: named });
    assert.throws(() => vault.list({ limit: 10, visible: () => true }), {
      code: 'INTEGRITY',
      message: named,
    });
  });

  test('never gives another value for an earlier version, nor calls one that is gone a missing one', async (t) => {
    const { vault, store, change } = await openVaultAndStore(t);
    for (const value of ['first', 'second', 'third']) vault.set(at('a'), bytes(value));
    const { id } = rowNow(store);
    const [first, second] = [store.read(id, 1), store.read(id, 2)];
    assert.ok(first && second);
    change(first, { ...second, version: 1 });
    assert.throws(() => vault.get(at('a'), { version: 1 }), { code: 'INTEGRITY', message: named });
    change(second);
    assert.throws(() => vault.get(at('a'), { version: 2 }), { code: 'INTEGRITY', message: named });
    for (const call of [
      () => vault.history(at('a')),
      () => vault.restore(at('a'), 2, { by: 'test' }),
      () => vault.rename(at('a'), at('b')),
    ]) {
      assert.throws(call, { code: 'INTEGRITY', message: named });
    }
  });

  test('never gives the value of another name', async (t) => {
    const { vault, store, change } = await openVaultAndStore(t);
    vault.set(at('a'), bytes('of a'));
    vault.set(at('b'), bytes('of b'));
    const [one, other] = [rowNow(store, 0), rowNow(store, 1)];
    change(one, { ...other, id: one.id });
    const mine = ['a', 'b'].filter((name) => {
      try {
        return new TextDecoder().decode(vault.get(at(name)).value) === `of ${name}`;
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error && error.code === 'INTEGRITY');
        return false;
      }
    });
    assert.equal(mine.length, 1);
  });
});

test('A7: a vault file of an earlier time opens as itself, with its earlier commit counter', async (t) => {
  const [profile] = await attackedProfile(t);
  const earlier = `${profile.file.path}.earlier`;
  copyFileSync(profile.file.path, earlier);
  const before = (await profile.open()).commitCounter();
  (await profile.open()).set(at('a'), bytes('newest'));
  profile.close();
  copyFileSync(earlier, profile.file.path);
  assert.equal((await profile.open()).commitCounter(), before);
});
