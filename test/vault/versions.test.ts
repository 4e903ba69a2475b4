import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import type { SecretsStore } from '../../daemon/stores/store.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { newProfile, noCache, roomyCache, type OpenOptions, type TestProfile } from './profile.ts';

const at = (name: string): SecretPath => parseSecretPath(`global/${name}`);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const valueOf = (vault: Vault, name: string, version?: number): string =>
  new TextDecoder().decode(vault.get(at(name), { version }).value);

const noon = Date.parse('2026-01-01T12:00:00Z');
const after = (seconds: number): string => new Date(noon + seconds * 1000).toISOString();

interface Clocked {
  readonly profile: TestProfile;
  readonly vault: Vault;
  /** Sets the time of day, in seconds from noon. */
  setTime(seconds: number): void;
}

async function openClocked(t: TestContext, options: OpenOptions = {}): Promise<Clocked> {
  let seconds = 0;
  const profile = await newProfile(t, 'memory');
  const vault = await profile.open({ now: () => new Date(noon + seconds * 1000), ...options });
  return {
    profile,
    vault,
    setTime: (next) => {
      seconds = next;
    },
  };
}

const expired = { code: 'EXPIRED', message: /global\/a/, hint: /--allow-expired/ };

for (const [name, cache] of [
  ['with a cache', roomyCache],
  ['without a cache', noCache],
] as const) {
  test(`an expired value is given to nobody who has not asked for that, ${name}`, async (t) => {
    const { vault, setTime } = await openClocked(t, { cache });
    vault.set(at('a'), bytes('one'), { expiresAt: after(60) });
    assert.equal(vault.get(at('a')).expiresAt, after(60));
    assert.equal(valueOf(vault, 'a'), 'one');
    setTime(60);
    assert.throws(() => vault.get(at('a')), expired);
    assert.throws(() => vault.get(at('a'), { version: 1 }), expired);
    assert.throws(() => vault.copy(at('a'), at('b'), { by: 'x' }), expired);
    assert.equal(new TextDecoder().decode(vault.get(at('a'), { allowExpired: true }).value), 'one');
    assert.throws(() => vault.get(at('a')), expired);
    // The clock was wrong.
    setTime(0);
    assert.equal(valueOf(vault, 'a'), 'one');
    setTime(61);
    assert.equal(vault.set(at('a'), bytes('two')).version, 2);
    assert.equal(vault.get(at('a')).expiresAt, undefined, 'the expiry is of the version');
    assert.throws(() => vault.get(at('a'), { version: 1 }), expired);
    assert.equal(vault.restore(at('a'), 1, { by: 'x' }).version, 3);
    assert.throws(() => vault.get(at('a')), expired, 'what was restored has ended too');
  });
}

test('what the cache holds of a name is gone with each change of it', async (t) => {
  const { vault } = await openClocked(t, { cache: roomyCache });
  const fill = (): void => {
    vault.set(at('a'), bytes('of a'));
    assert.equal(valueOf(vault, 'a'), 'of a');
    assert.equal(vault.stats().cache.entries, 1);
  };
  fill();
  vault.rename(at('a'), at('b'));
  assert.throws(() => vault.get(at('a')), { code: 'NOT_FOUND' });
  assert.equal(vault.stats().cache.entries, 0);
  assert.equal(valueOf(vault, 'b'), 'of a');
  vault.purge(at('b'), undefined);
  assert.equal(vault.stats().cache.entries, 0);
  assert.throws(() => vault.get(at('b')), { code: 'NOT_FOUND' });
  fill();
  vault.set(at('b'), bytes('of b'));
  assert.equal(valueOf(vault, 'b'), 'of b');
  vault.copy(at('a'), at('b'), { by: 'x' });
  assert.equal(valueOf(vault, 'b'), 'of a');
  vault.remove(at('b'));
  assert.throws(() => vault.get(at('b')), { code: 'NOT_FOUND' });
  vault.restore(at('b'), undefined, { by: 'x' });
  assert.equal(valueOf(vault, 'b'), 'of a');
});

test('a list shows by prefix, tag, expiry and deletion what the caller may know of, page by page', async (t) => {
  const { vault, setTime } = await openClocked(t);
  const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
  for (const [index, name] of names.entries()) {
    const note = index % 10 === 0 ? 'ten' : '';
    const tags = index % 3 === 0 ? ['third', 'a'] : [];
    vault.set(at(name), bytes(name), { expiresAt: index % 2 === 0 ? after(10) : undefined, note, tags });
  }
  for (const name of names.slice(0, 280)) vault.remove(at(name));
  const list = (options: Partial<Parameters<Vault['list']>[0]>): string[] => {
    const paths: string[] = [];
    for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
      const page = vault.list({
        limit: 7,
        visible: (path) => path !== at('n299').text,
        ...options,
        after: next,
      });
      paths.push(...page.entries.map(({ path }) => path));
      next = page.next;
    }
    return paths.sort();
  };
  const paths = (kept: (index: number) => boolean): string[] =>
    names
      .map((name, index) => (kept(index) ? at(name).text : ''))
      .filter((path) => path !== '')
      .sort();
  setTime(10);
  assert.deepEqual(
    list({}),
    paths((index) => index >= 280 && index < 299),
  );
  assert.deepEqual(
    list({ tag: 'third' }),
    paths((index) => index >= 280 && index < 299 && index % 3 === 0),
  );
  assert.deepEqual(
    list({ expired: true }),
    paths((index) => index >= 280 && index < 299 && index % 2 === 0),
  );
  assert.deepEqual(
    list({ expired: false }),
    paths((index) => index >= 280 && index < 299 && index % 2 === 1),
  );
  assert.deepEqual(
    list({ deleted: true }),
    paths((index) => index < 280),
  );
  assert.deepEqual(
    list({ deleted: true, prefix: 'global/n1', tag: 'a' }),
    paths((index) => index < 280 && index % 3 === 0 && `${index}`.startsWith('1')),
  );
  const page = (next?: string) =>
    vault.list({ limit: 1, deleted: true, prefix: at('n270').text, visible: () => true, after: next });
  const first = page();
  // A page opens 256 names, and there are more.
  const [entry] = first.entries.length > 0 ? first.entries : page(first.next).entries;
  assert.ok(entry);
  assert.deepEqual([entry.note, entry.tags, entry.deletedAt], ['ten', ['a', 'third'], after(0)]);
});

test('note and tags stay with a secret unless they are given, and end with it', async (t) => {
  const { vault } = await openClocked(t);
  const noted = (): unknown[] => {
    const [entry] = vault.list({ limit: 10, visible: () => true }).entries;
    return [entry?.note, entry?.tags];
  };
  vault.set(at('a'), bytes('1'), { note: 'mine', tags: ['b', 'a', 'b'] });
  vault.set(at('a'), bytes('2'));
  assert.deepEqual(noted(), ['mine', ['a', 'b']]);
  vault.set(at('a'), bytes('3'), { note: '', tags: ['c'] });
  assert.deepEqual(noted(), [undefined, ['c']]);
  vault.restore(at('a'), 1, { by: 'x' });
  assert.deepEqual(noted(), [undefined, ['c']]);
  vault.rename(at('a'), at('b'));
  assert.deepEqual(noted(), [undefined, ['c']]);
  vault.remove(at('b'));
  vault.set(at('b'), bytes('another'));
  assert.deepEqual(noted(), [undefined, undefined]);
});

test('a rotation seals earlier versions and deleted values anew too, and no key goes before that', async (t) => {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open();
  for (const value of ['1', '2', '3']) vault.set(at('a'), bytes(value));
  vault.set(at('gone'), bytes('gone'));
  vault.remove(at('gone'));
  const valuesOf = (): [number, number][] =>
    vault
      .keyStatus({ keyring: 'default', tenant: '', before: undefined, limit: 10 })
      .keys.map(({ version, values }) => [version, values]);
  assert.deepEqual(valuesOf(), [[1, 4]]);
  await vault.rotateKeys('default', 'test');
  assert.throws(() => vault.retireKey({ keyring: 'default', tenant: '', version: 1 }, 'test'), {
    code: 'CONFLICT',
    message: /4 values/,
  });
  // What is changed before it was its turn is under the new key at once.
  vault.set(at('a'), bytes('4'));
  vault.restore(at('gone'), undefined, { by: 'test' });
  assert.deepEqual(valuesOf(), [
    [2, 4],
    [1, 2],
  ]);
  vault.resealing.start();
  await vault.resealing.settled();
  assert.equal(vault.resealing.progress().error, undefined);
  assert.deepEqual(valuesOf(), [
    [2, 6],
    [1, 0],
  ]);
  vault.retireKey({ keyring: 'default', tenant: '', version: 1 }, 'test');
  const again = await profile.open();
  assert.deepEqual(
    [1, 2, 3, 4].map((version) => valueOf(again, 'a', version)),
    ['1', '2', '3', '4'],
  );
  assert.equal(valueOf(again, 'gone'), 'gone');
});

test('changes of all kinds while values are being sealed anew leave none behind', async (t) => {
  const profile = await newProfile(t, 'SQLCipher');
  const vault = await profile.open({ keptVersions: () => 2 });
  const names = Array.from({ length: 60 }, (_, index) => `n${index}`);
  for (const name of names) for (const value of ['1', '2']) vault.set(at(name), bytes(value));
  await vault.rotateKeys('default', 'test');
  vault.resealing.start();
  for (let index = 0; vault.resealing.progress().state === 'running'; index += 1) {
    const name = names[index % names.length] ?? 'n0';
    const step = [
      () => vault.set(at(name), bytes('3')),
      () => vault.remove(at(name)),
      () => vault.restore(at(name), undefined, { by: 'test' }),
      () => vault.rename(at(name), at(`${name}.moved`)),
      () => vault.purge(at(`${name}.moved`), undefined),
    ][(index * 7) % 5];
    try {
      step?.();
    } catch (error) {
      assert.ok(
        error instanceof Error && 'code' in error && (error.code === 'NOT_FOUND' || error.code === 'EXISTS'),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual([vault.resealing.progress().error, vault.resealing.progress().left], [undefined, 0]);
  vault.retireKey({ keyring: 'default', tenant: '', version: 1 }, 'test');
  await profile.open();
});

test('no version of a name is given twice, whatever became of its rows', async (t) => {
  const profile = await newProfile(t, 'memory');
  let vault = await profile.open({ keptVersions: () => 0 });
  const next = (name: string): number => vault.set(at(name), bytes('x')).version;
  assert.deepEqual([next('a'), next('a')], [1, 2]);
  vault.purge(at('a'), undefined);
  assert.equal(next('a'), 3);
  vault.rename(at('a'), at('b'));
  assert.equal(next('a'), 4);
  vault.remove(at('b'));
  vault.rename(at('a'), at('b'));
  assert.equal(vault.get(at('b')).version, 7);
  vault.purge(at('b'), undefined);
  vault = await profile.open();
  assert.deepEqual([next('a'), next('b'), next('c')], [5, 8, 1]);
});

test('fewer versions are kept from the next set on when the config says so', async (t) => {
  let kept = 3;
  const { vault } = await openClocked(t, { keptVersions: () => kept });
  const versions = (): number[] => vault.history(at('a')).versions.map(({ version }) => version);
  for (let index = 0; index < 6; index += 1) vault.set(at('a'), bytes('x'));
  assert.deepEqual(versions(), [6, 5, 4, 3]);
  kept = 1;
  assert.deepEqual(versions(), [6, 5, 4, 3]);
  vault.set(at('a'), bytes('x'));
  assert.deepEqual(versions(), [7, 6]);
  kept = 0;
  vault.remove(at('a'));
  assert.deepEqual(versions(), [7, 6]);
  assert.equal(vault.restore(at('a'), undefined, { by: 'x' }).version, 8);
  assert.deepEqual(versions(), [8]);
});

test('a disk that refuses leaves a rename, a restore and a purge undone', async (t) => {
  const profile = await newProfile(t, 'memory');
  let isFull = false;
  const wrapStore = (store: SecretsStore): SecretsStore => ({
    ...store,
    commit: (changes, root) => {
      if (isFull) throw Object.assign(new Error('full'), { code: 'UNAVAILABLE' });
      store.commit(changes, root);
    },
  });
  const vault = await profile.open({ wrapStore, cache: roomyCache });
  for (const value of ['1', '2']) vault.set(at('a'), bytes(value));
  const before = vault.history(at('a'));
  isFull = true;
  for (const change of [
    () => vault.rename(at('a'), at('b')),
    () => vault.restore(at('a'), 1, { by: 'x' }),
    () => vault.purge(at('a'), undefined),
    () => vault.remove(at('a')),
  ])
    assert.throws(change, { code: 'UNAVAILABLE' });
  isFull = false;
  assert.deepEqual(vault.history(at('a')), before);
  assert.equal(valueOf(vault, 'a'), '2');
  assert.equal(vault.rename(at('a'), at('b')).version, 2);
});
