import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';

import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import type { ListEntry } from '../../daemon/vault/list.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { newProfile, roomyCache, type StoreKind } from './profile.ts';

const at = (text: string): SecretPath => parseSecretPath(text);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const kinds: StoreKind[] = ['SQLCipher', 'memory'];

/** All entries of a list, page after page. */
function listAll(vault: Vault, options: { prefix?: string; limit?: number } = {}): ListEntry[] {
  const entries: ListEntry[] = [];
  let after: string | undefined;
  do {
    const page = vault.list({
      limit: 100,
      visible: () => true,
      ...options,
      ...(after === undefined ? {} : { after }),
    });
    entries.push(...page.entries);
    after = page.next;
  } while (after !== undefined);
  return entries;
}

for (const kind of kinds) {
  describe(`a vault over the ${kind} store`, () => {
    test('gives back identical bytes: text, binary, empty, and 64 KiB', async (t) => {
      const profile = await newProfile(t, kind);
      const values = [
        bytes('grün'),
        new Uint8Array([0, 255, 10, 13, 0]),
        new Uint8Array(0),
        new Uint8Array(randomBytes(65_536)),
      ];
      const vault = await profile.open();
      values.forEach((value, index) => vault.set(at(`global/v${index}`), value));
      const check = (opened: Vault): void => {
        values.forEach((value, index) => {
          assert.deepEqual(opened.get(at(`global/v${index}`)).value, value);
        });
      };
      check(vault);
      check(await profile.open({ cache: roomyCache }));
    });

    test('overwrites with the next version, keeps the time of creation and moves that of the update', async (t) => {
      const profile = await newProfile(t, kind);
      const clock = { time: new Date('2025-03-01T00:00:00.000Z') };
      const vault = await profile.open({ now: () => clock.time, cache: roomyCache });
      const first = vault.set(at('global/a'), bytes('one'));
      assert.deepEqual(vault.get(at('global/a')).value, bytes('one'));
      clock.time = new Date('2025-03-02T00:00:00.000Z');
      const second = vault.set(at('global/a'), bytes('two'));
      const { commit: firstCommit, ...told } = first;
      const time = '2025-03-01T00:00:00.000Z';
      assert.deepEqual(told, { version: 1, createdAt: time, updatedAt: time, created: true });
      assert.deepEqual(second, {
        version: 2,
        createdAt: time,
        updatedAt: '2025-03-02T00:00:00.000Z',
        created: false,
        commit: firstCommit + 1,
      });
      assert.deepEqual(vault.get(at('global/a')), {
        value: bytes('two'),
        version: 2,
        createdAt: time,
        updatedAt: '2025-03-02T00:00:00.000Z',
      });
    });

    test('stores several in one commit, each with its own version and times', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open({ cache: roomyCache });
      const first = vault.set(at('global/a'), bytes('old'));
      vault.get(at('global/a'));
      const before = vault.commitCounter();
      const items = ['a', 'b', 'c'].map((name) => ({
        path: at(`global/${name}`),
        value: bytes(`new ${name}`),
      }));
      const stored = vault.setAll(items);
      assert.equal(vault.commitCounter(), before + 1);
      assert.deepEqual(
        stored.map((one) => (one instanceof HushError ? one.code : [one.version, one.created, one.commit])),
        [
          [2, false, before + 1],
          [1, true, before + 1],
          [1, true, before + 1],
        ],
      );
      assert.ok(stored[0] !== undefined && !(stored[0] instanceof HushError));
      assert.equal(stored[0].createdAt, first.createdAt);
      const reopened = await profile.open();
      for (const { path, value } of items)
        assert.deepEqual(Buffer.from(reopened.get(path).value), Buffer.from(value));
    });

    test('stores none of several when their commit fails', async (t) => {
      const profile = await newProfile(t, kind);
      const full = { now: false };
      const vault = await profile.open({
        cache: roomyCache,
        wrapStore: (store) => ({
          ...store,
          commit: (changes, root) => {
            if (full.now) throw new HushError('UNAVAILABLE', 'the disk is full');
            store.commit(changes, root);
          },
        }),
      });
      vault.set(at('global/a'), bytes('old'));
      full.now = true;
      const items = ['a', 'b'].map((name) => ({ path: at(`global/${name}`), value: bytes('new') }));
      assert.throws(() => vault.setAll(items), { code: 'UNAVAILABLE' });
      full.now = false;
      assert.deepEqual(Buffer.from(vault.get(at('global/a')).value), Buffer.from('old'));
      assert.throws(() => vault.get(at('global/b')), { code: 'NOT_FOUND' });
      vault.setAll(items);
      assert.deepEqual(Buffer.from(vault.get(at('global/b')).value), Buffer.from('new'));
    });

    test('says NOT_FOUND for getting or removing what is not there, never or no more', async (t) => {
      const vault = await (await newProfile(t, kind)).open({ cache: roomyCache });
      assert.throws(() => vault.get(at('global/a')), { code: 'NOT_FOUND' });
      assert.throws(() => vault.remove(at('global/a')), { code: 'NOT_FOUND' });
      vault.set(at('global/a'), bytes('one'));
      vault.get(at('global/a'));
      vault.remove(at('global/a'));
      assert.throws(() => vault.get(at('global/a')), { code: 'NOT_FOUND' });
      assert.throws(() => vault.remove(at('global/a')), { code: 'NOT_FOUND' });
    });

    test('lists names, versions, times and sizes, and never a value', async (t) => {
      const vault = await (await newProfile(t, kind)).open();
      vault.set(at('global/api-key'), bytes('first'));
      vault.set(at('global/api-key'), bytes('the value itself'));
      vault.set(at('ws:7/token'), bytes('xyz'));
      const entries = listAll(vault).sort((a, b) => (a.path < b.path ? -1 : 1));
      assert.deepEqual(
        entries.map(({ path, version, size }) => ({ path, version, size })),
        [
          { path: 'global/api-key', version: 2, size: 16 },
          { path: 'ws:7/token', version: 1, size: 3 },
        ],
      );
      assert.deepEqual(Object.keys(entries[0] ?? {}).sort(), [
        'createdAt',
        'path',
        'size',
        'updatedAt',
        'version',
      ]);
    });

    test('lists by prefix, in pages, and only what the caller may see', async (t) => {
      const vault = await (await newProfile(t, kind)).open();
      const names = Array.from(
        { length: 600 },
        (_, index) => `${index % 2 === 0 ? 'global' : 'ws:a'}/n${index}`,
      );
      for (const name of names) vault.set(at(name), bytes(name));
      for (const limit of [50, 256, 1000]) {
        assert.deepEqual(
          listAll(vault, { limit })
            .map(({ path }) => path)
            .sort(),
          [...names].sort(),
        );
      }
      assert.equal(listAll(vault, { prefix: 'ws:a/' }).length, 300);
      const opened: string[] = [];
      const page = vault.list({
        limit: 1000,
        visible: (path) => {
          opened.push(path);
          return false;
        },
      });
      assert.deepEqual(page.entries, []);
      assert.ok(page.next !== undefined && opened.length < 600, 'a page opens a bounded number of names');
      assert.throws(() => vault.list({ limit: 1, after: 'x', visible: () => true }), { code: 'BAD_REQUEST' });
    });

    test('is empty after everything was removed', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open({ cache: roomyCache });
      for (const name of ['global/a', 'global/b', 'pr:x/c']) vault.set(at(name), bytes(name));
      for (const { path } of listAll(vault)) vault.remove(at(path));
      assert.deepEqual(listAll(vault), []);
      assert.equal(vault.stats().secrets, 0);
      const reopened = await profile.open();
      assert.deepEqual(listAll(reopened), []);
      assert.equal(reopened.stats().secrets, 0);
    });

    test('keeps scopes apart', async (t) => {
      const vault = await (await newProfile(t, kind)).open();
      vault.set(at('global/a'), bytes('of all'));
      vault.set(at('ws:a/a'), bytes('of the workspace'));
      vault.remove(at('global/a'));
      assert.deepEqual(vault.get(at('ws:a/a')).value, bytes('of the workspace'));
    });

    test('never shows one profile what is in another', async (t) => {
      const [one, other] = [
        await (await newProfile(t, kind)).open(),
        await (await newProfile(t, kind)).open(),
      ];
      one.set(at('global/a'), bytes('mine'));
      assert.throws(() => other.get(at('global/a')), { code: 'NOT_FOUND' });
      assert.deepEqual(listAll(other), []);
      other.set(at('global/a'), bytes('yours'));
      other.remove(at('global/a'));
      assert.deepEqual(one.get(at('global/a')).value, bytes('mine'));
      assert.notEqual(one.vaultId, other.vaultId);
    });

    test('gives each caller its own copy, and keeps none that a caller can reach', async (t) => {
      const vault = await (await newProfile(t, kind)).open({ cache: roomyCache });
      const value = bytes('precious');
      vault.set(at('global/a'), value);
      value.fill(0);
      for (let round = 0; round < 3; round++) {
        const { value: mine } = vault.get(at('global/a'));
        assert.deepEqual(mine, bytes('precious'));
        mine.fill(0);
      }
      assert.equal(vault.stats().cache.hits, 2);
    });

    test('remembers the head of the audit with its next commit, or at once when asked', async (t) => {
      const profile = await newProfile(t, kind);
      let vault = await profile.open();
      assert.equal(vault.auditHead(), undefined);
      const before = vault.commitCounter();
      vault.noteAuditHead({ seq: 4, hash: 'ab'.repeat(32) });
      assert.equal(vault.auditHead(), undefined);
      vault.persistAuditHead();
      vault.persistAuditHead();
      assert.equal(vault.commitCounter(), before + 1);
      vault.noteAuditHead({ seq: 5, hash: 'cd'.repeat(32) });
      const { commit } = vault.set(at('global/a'), bytes('a'));
      vault = await profile.open();
      assert.deepEqual(vault.auditHead(), { seq: 5, hash: 'cd'.repeat(32) });
      assert.equal(vault.commitCounter(), commit);
    });

    test('remembers facts, alone or with another change, replaces and forgets them', async (t) => {
      const profile = await newProfile(t, kind);
      let vault = await profile.open();
      assert.equal(vault.facts.get('backup'), undefined);
      const before = vault.commitCounter();
      assert.equal(vault.remember('backup', { at: '2025-01-02T03:04:05.678Z', keys: [1, 2] }), before + 1);
      vault.remember('other', null);
      vault = await profile.open();
      assert.deepEqual(vault.facts.get('backup'), { at: '2025-01-02T03:04:05.678Z', keys: [1, 2] });
      assert.equal(vault.facts.get('other'), null);
      vault.remember('backup', 'later');
      vault.remember('other', undefined);
      vault.remember('never there', undefined);
      vault = await profile.open();
      assert.equal(vault.facts.get('backup'), 'later');
      assert.equal(vault.facts.get('other'), undefined);
      assert.throws(() => vault.remember('', 1), RangeError);
      assert.equal(vault.facts.get(''), undefined);
    });

    test('refuses everything once it is closed', async (t) => {
      const profile = await newProfile(t, kind);
      const vault = await profile.open({ cache: roomyCache });
      vault.set(at('global/a'), bytes('a'));
      vault.get(at('global/a'));
      const place = { keyring: 'default', namespace: 'n', key: 'k' };
      const handle = vault.encrypt(place, bytes('x'));
      profile.close();
      vault.close();
      const calls = [
        () => vault.get(at('global/a')),
        () => vault.set(at('global/a'), bytes('b')),
        () => vault.remove(at('global/a')),
        () => vault.list({ limit: 1, visible: () => true }),
        () => vault.encrypt(place, bytes('x')),
        () => vault.decrypt(place, handle),
        () => vault.rotateHandle(place, handle),
        () => vault.digestKey('default'),
        () => vault.facts.get('backup'),
        () => vault.remember('backup', 1),
      ];
      for (const call of calls) assert.throws(call, { code: 'LOCKED' });
      await assert.rejects(vault.rotateKeys('default', 'test'), { code: 'LOCKED' });
    });
  });
}
