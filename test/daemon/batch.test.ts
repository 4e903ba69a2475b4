import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { passphraseCredential, startDaemon, startUnlocked, type TestHome } from '../support/daemon.ts';

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const set = (path: string, value: string) => ({
  op: 'secret.set',
  params: { profile: 'default', path, value: bytes(value) },
});
const get = (path: string) => ({ op: 'secret.get', params: { profile: 'default', path } });

/** The records of secrets in the audit of the profile, in their order. */
const recordsOf = (home: TestHome) =>
  readFileSync(join(home.profile().audit, chainFileName), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ event }) => String(event).startsWith('secret.'));

test('secrets that a batch sets in a row share a commit, and each has its own result and record, in order', async (t) => {
  const { client, home } = await startUnlocked(t, '[limits]\nvalue_bytes = 2048\nplaintext_bytes = 2048\n');
  await client.set('global/a', bytes('before'));
  const { results } = await client.call('batch', {
    items: [
      set('global/a', 'first'),
      set('global/b', 'b'),
      set('global/long', 'x'.repeat(2049)),
      get('global/a'),
      set('global/a', 'second'),
      set('global/a', 'third'),
      set('global/../x', 'x'),
      { op: 'secret.set', params: { profile: 'default', path: 'global/c' } },
      set('global/c', 'c'),
      get('global/a'),
    ],
  });
  const told = results.map((result) => {
    if ('error' in result) return result.error.code;
    const { version, value } = result.ok as { version: number; value?: Uint8Array };
    return value === undefined ? version : Buffer.from(value).toString();
  });
  assert.deepEqual(told, [2, 1, 'TOO_LARGE', 'first', 3, 4, 'INVALID_NAME', 'BAD_REQUEST', 1, 'third']);

  const records = recordsOf(home).slice(1);
  assert.deepEqual(
    records.map(({ event, key, outcome }) => [event, key, outcome]),
    [
      ['secret.set', 'global/a', 'ok'],
      ['secret.set', 'global/b', 'ok'],
      ['secret.set', 'global/long', 'denied'],
      ['secret.get', 'global/a', 'ok'],
      ['secret.set', 'global/a', 'ok'],
      ['secret.set', 'global/a', 'ok'],
      ['secret.set', 'global/../x', 'denied'],
      ['secret.set', 'global/c', 'ok'],
      ['secret.get', 'global/a', 'ok'],
    ],
  );
  const commits = records.map(({ commit }) => commit).filter((commit) => commit !== undefined);
  const [first = 0] = commits.map(Number);
  // Whoever is named twice is stored twice, and what lies between two sets is done between them.
  assert.deepEqual(commits, [first, first, first + 1, first + 2, first + 3]);
});

test('a batch of many sets takes few commits, and all of it is there after a kill', async (t) => {
  const { client, daemon, home } = await startUnlocked(t);
  const names = Array.from({ length: 200 }, (_, at) => `global/n${at}`);
  const { results } = await client.call('batch', { items: names.map((name) => set(name, name)) });
  assert.ok(results.every((result) => 'ok' in result));
  await daemon.kill();
  assert.equal(new Set(recordsOf(home).map(({ commit }) => commit)).size, 4);
  const again = await (await startDaemon(t, home)).connect();
  await again.unlock([passphraseCredential()]);
  const read = await again.call('batch', { items: names.map(get) });
  const values = read.results.map((result) =>
    'ok' in result ? Buffer.from((result.ok as { value: Uint8Array }).value).toString() : result.error.code,
  );
  assert.deepEqual(values, names);
});
