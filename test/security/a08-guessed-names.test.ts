import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startUnlocked } from '../support/daemon.ts';
import { recordsIn, textOf, utf8 } from './facts.ts';
import { otherProgram, wireAs } from './peers.ts';
import { codeOf, greet, type Wire } from './wire.ts';

const profile = 'default';

/** All paths that a client is shown, page by page. */
async function listAll(wire: Wire, params: object = {}): Promise<string[]> {
  const paths: string[] = [];
  let after: unknown;
  do {
    const page = { profile, ...params, ...(after === undefined ? {} : { after }) };
    const { ok, error } = await wire.ask('secret.list', page);
    assert.equal(error, undefined);
    assert.ok(Array.isArray(ok?.['entries']));
    const shown = ok['entries'].map(({ path }: { path: string }) => path);
    assert.deepEqual((await wire.ask('secret.paths', page)).ok?.['paths'], shown);
    paths.push(...shown);
    after = ok['next'];
  } while (after !== undefined);
  return paths;
}

test('A8: guessed names', async (t) => {
  const exe = otherProgram(t);
  const { client, daemon, home } = await startUnlocked(
    t,
    `[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = ['global/app-db']\n`,
  );
  const app = await greet(await wireAs(t, daemon.socket, { exe }));

  await t.test(
    'A8: a client granted one name sees only that name, and cannot tell missing from forbidden',
    async () => {
      const others = ['global/app-db2', 'global/app', 'global/other', 'ws:one/app-db', 'pr:one/app-db'];
      for (const path of ['global/app-db', ...others]) await client.set(path, utf8(`value of ${path}`));

      assert.deepEqual(await listAll(app), ['global/app-db']);
      assert.deepEqual(await listAll(app, { limit: 1 }), ['global/app-db']);
      assert.deepEqual(await listAll(app, { prefix: 'global/app-db' }), ['global/app-db']);
      for (const prefix of ['global/o', 'ws:', 'pr:one/app-db', 'global/app-db2']) {
        assert.deepEqual(await listAll(app, { prefix }), [], prefix);
      }

      const granted = await app.ask('secret.get', { profile, path: 'global/app-db' });
      assert.equal(textOf(granted.ok?.['value']), 'value of global/app-db');
      const answers = new Set<string>();
      const value = utf8('overwritten');
      const missing = ['global/no-such', 'global/app-db3', 'ws:two/app-db', 'ws:one/app-db3', 'not a name'];
      for (const path of [...others, ...missing]) {
        const calls = [
          await app.ask('secret.get', { profile, path }),
          await app.ask('secret.set', { profile, path, value }),
          await app.ask('secret.delete', { profile, path }),
        ];
        for (const { ok, error } of calls) {
          assert.equal(ok, undefined, path);
          assert.equal(error?.code, 'ACCESS_DENIED', path);
          answers.add(JSON.stringify(error));
        }
      }
      assert.equal(answers.size, 3, 'one refusal an operation, whatever the name');
      assert.equal(
        codeOf(await app.ask('secret.set', { profile, path: 'global/app-db', value })),
        'ACCESS_DENIED',
      );
      assert.equal(
        codeOf(await app.ask('secret.delete', { profile, path: 'global/app-db' })),
        'ACCESS_DENIED',
      );

      for (const path of ['global/app-db', ...others]) {
        assert.equal(textOf((await client.get(path)).value), `value of ${path}`, 'nothing was changed');
      }
      const denied = recordsIn(home.profile().audit).filter(
        (record) => record.client === 'app' && record.outcome === 'denied',
      );
      assert.equal(denied.length, 3 * (others.length + missing.length) + 2, 'each attempt is on record');
    },
  );

  await t.test(
    'A8: its own name, once deleted, is missing to it; a name it may not read stays forbidden',
    async () => {
      await client.set('global/app-db', utf8('x'));
      await client.set('global/other', utf8('x'));
      const get = async (path: string): Promise<string> =>
        codeOf(await app.ask('secret.get', { profile, path }));
      assert.deepEqual([await get('global/app-db'), await get('global/other')], ['ok', 'ACCESS_DENIED']);
      await client.delete('global/app-db');
      await client.delete('global/other');
      assert.deepEqual(
        [await get('global/app-db'), await get('global/other')],
        ['NOT_FOUND', 'ACCESS_DENIED'],
      );
      assert.deepEqual(await listAll(app), []);
    },
  );
});
