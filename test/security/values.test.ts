import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HushError } from '../../client/index.ts';
import type { OperationName } from '../../protocol/index.ts';
import { startUnlocked } from '../support/daemon.ts';
import { recordsIn, textOf, utf8 } from './facts.ts';
import { enrol, enrolledWire } from './noise-wire.ts';
import { codeOf, type Reply, type Wire } from './wire.ts';

const profile = 'default';
const config = `[profiles.default]
approve = ['global/prod.*']
[profiles.default.grants.reader]
read = ['global/*']
[profiles.default.grants.writer]
write = ['*']
delete = ['global/*']
[profiles.default.grants.mover]
read = ['global/*']
write = ['ws:mine/*']
delete = ['global/*']
[profiles.default.grants.chief]
admin = true
`;

test('versions, copies and renames, by who may do what', async (t) => {
  const { daemon, client: owner, home } = await startUnlocked(t, config);
  const wires = new Map<string, Wire>();
  for (const name of ['reader', 'writer', 'mover', 'chief'])
    wires.set(name, (await enrolledWire(t, daemon.socket, await enrol(owner, name))).wire);
  const ask = async (who: string, op: OperationName, params: object): Promise<Reply> => {
    const wire = wires.get(who);
    assert.ok(wire);
    return wire.ask(op, { profile, ...params });
  };
  const code = async (who: string, op: OperationName, params: object): Promise<string> =>
    codeOf(await ask(who, op, params));

  await t.test(
    'each operation takes all of its rights, and a refusal is the same whatever is there',
    async () => {
      for (const path of ['global/there', 'global/other', 'ws:mine/there']) {
        await owner.set(path, utf8('1'), { note: 'a note', tags: ['t'] });
        await owner.set(path, utf8('2'));
      }
      const refused: [who: string, op: OperationName, params: (path: string) => object][] = [
        ['writer', 'secret.history', (path) => ({ path })],
        ['chief', 'secret.history', (path) => ({ path })],
        ['reader', 'secret.restore', (path) => ({ path })],
        ['writer', 'secret.restore', (path) => ({ path })],
        ['mover', 'secret.restore', (path) => ({ path, version: 1 })],
        ['mover', 'secret.purge', (path) => ({ path })],
        ['chief', 'secret.purge', (path) => ({ path, version: 1 })],
        ['reader', 'secret.rename', (path) => ({ from: path, to: 'ws:mine/x' })],
        ['writer', 'secret.rename', (path) => ({ from: path, to: 'ws:mine/x' })],
        ['mover', 'secret.rename', (path) => ({ from: path, to: 'global/x' })],
        ['mover', 'secret.rename', (path) => ({ from: 'ws:mine/there', to: path })],
        ['reader', 'secret.copy', (path) => ({ from: path, to: 'ws:mine/x' })],
        ['writer', 'secret.copy', (path) => ({ from: path, to: 'ws:mine/x' })],
        ['mover', 'secret.copy', (path) => ({ from: path, to: 'global/x' })],
        ['mover', 'secret.copy', (path) => ({ from: 'ws:mine/there', to: path })],
      ];
      for (const [who, op, params] of refused) {
        const answers = new Set<string>();
        for (const path of ['global/there', 'global/missing', 'global/not a name'])
          answers.add(JSON.stringify((await ask(who, op, params(path))).error));
        assert.equal(answers.size, 1, `${op} by ${who}`);
        assert.match([...answers].join(), /"ACCESS_DENIED"/, `${op} by ${who}`);
      }
      assert.equal((await owner.get('global/there')).version, 2);
      assert.equal(await code('mover', 'secret.copy', { from: 'global/there', to: 'ws:mine/x' }), 'ok');
      assert.equal(await code('mover', 'secret.rename', { from: 'global/other', to: 'ws:mine/y' }), 'ok');
      assert.equal(textOf((await owner.get('ws:mine/y', { version: 1 })).value), '1');
      assert.equal(await code('reader', 'secret.history', { path: 'global/there' }), 'ok');
      assert.equal(
        await code('mover', 'secret.copy', { from: 'global/there', to: 'ws:mine/a..b' }),
        'INVALID_NAME',
      );
    },
  );

  await t.test('a conflict says which version is current to those alone who may read it', async () => {
    const value = utf8('3');
    const blind = await ask('writer', 'secret.set', { path: 'global/there', value, ifVersion: 7 });
    assert.equal(blind.error?.code, 'CONFLICT');
    assert.doesNotMatch(JSON.stringify(blind.error), /2/);
    await assert.rejects(owner.set('global/there', value, { ifVersion: 0 }), {
      code: 'CONFLICT',
      message: /version 2 is current/,
    });
    const copy = await ask('mover', 'secret.copy', { from: 'global/there', to: 'ws:mine/x', ifVersion: 0 });
    assert.equal(copy.error?.code, 'CONFLICT');
    assert.doesNotMatch(copy.error.message, /current/);
    assert.equal((await owner.set('global/there', value, { ifVersion: 2 })).version, 3);
    const told = { code: 'CONFLICT', message: /version 3 is current/ };
    await assert.rejects(owner.delete('global/there', { ifVersion: 2 }), told);
    await assert.rejects(owner.restore('global/there', 1, { ifVersion: 2 }), told);
    const deleted = await ask('writer', 'secret.delete', { path: 'global/there', ifVersion: 2 });
    assert.equal(deleted.error?.code, 'CONFLICT');
    assert.doesNotMatch(deleted.error.message, /current/);
    assert.equal((await owner.restore('global/there', 2, { ifVersion: 3 })).version, 4);
    await owner.delete('global/there', { ifVersion: 4 });
    await assert.rejects(owner.delete('global/there', { ifVersion: 4 }), { code: 'NOT_FOUND' });
    assert.equal((await owner.set('global/there', value, { ifVersion: 0 })).created, true);
  });

  await t.test(
    'a list tells note and tags of no name that the caller may not read, not even by a filter',
    async () => {
      await owner.set('pr:hers/x', utf8('x'), { note: 'hers', tags: ['hers'] });
      await owner.set('global/mine', utf8('x'), { note: 'mine', tags: ['hers'] });
      await owner.delete('pr:hers/x');
      for (const params of [{ tag: 'hers' }, { tag: 'hers', deleted: true }, { deleted: true }]) {
        const { ok } = await ask('reader', 'secret.list', params);
        assert.doesNotMatch(JSON.stringify(ok), /pr:hers|"hers"\],"note":"hers"/);
      }
      assert.match(JSON.stringify((await ask('reader', 'secret.list', { tag: 'hers' })).ok), /mine/);
    },
  );

  await t.test(
    'what has to be approved is neither copied nor renamed without that, by nobody, in no batch',
    async () => {
      const path = 'global/prod.db';
      await owner.set(path, utf8('production'));
      await owner.set(path, utf8('production 2'));
      const pending = async (asked: Promise<unknown>): Promise<string> => {
        const error: unknown = await asked.then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof HushError && error.code === 'APPROVAL_PENDING', String(error));
        return error.approval ?? '';
      };
      const id = await pending(owner.copy(path, 'global/free'));
      assert.equal(await pending(owner.rename(path, 'global/free')), id);
      assert.equal(await pending(owner.get(path, { version: 1 })), id);
      const [inBatch] = await owner.batch([{ op: 'secret.copy', params: { from: path, to: 'global/free' } }]);
      assert.equal(inBatch.error?.code, 'APPROVAL_PENDING');
      for (const op of ['secret.copy', 'secret.rename'] as const)
        assert.equal(await code('mover', op, { from: path, to: 'ws:mine/free' }), 'APPROVAL_PENDING');
      for (const free of ['global/free', 'ws:mine/free'])
        await assert.rejects(owner.get(free), { code: 'NOT_FOUND' });

      // What shows no value waits for nobody, and uses up no approval.
      assert.equal((await owner.history(path)).versions.length, 2);
      assert.equal((await owner.restore(path, 1)).version, 3);
      assert.equal(await code('chief', 'approval.decide', { id, approve: true }), 'ok');
      await owner.history(path);
      assert.equal((await owner.copy(path, 'global/free')).version, 1);
      assert.notEqual(await pending(owner.copy(path, 'global/free2')), id, 'one approval, one copy');
      // A protected name to go to is no read.
      assert.equal((await owner.copy('global/free', 'global/prod.copy')).version, 1);
      await owner.delete('global/prod.copy');
      assert.equal((await owner.restore('global/prod.copy')).version, 2);
    },
  );

  await t.test(
    'expired values are refused, in batches and after they were cached, and read on purpose',
    async () => {
      const past = '2020-01-01T00:00:00Z';
      await owner.set('global/old', utf8('old'), { expiresAt: past });
      const [plain, allowed] = await owner.batch([
        { op: 'secret.get', params: { path: 'global/old' } },
        { op: 'secret.get', params: { path: 'global/old', allowExpired: true } },
      ]);
      assert.equal(plain.error?.code, 'EXPIRED');
      assert.match(plain.error.hint, /--allow-expired/);
      assert.equal(textOf(allowed.ok?.value), 'old');
      assert.equal(allowed.ok?.expiresAt, '2020-01-01T00:00:00.000Z');
      const listed = [];
      for await (const { path } of owner.list({ expired: true })) listed.push(path);
      assert.deepEqual(listed, ['global/old']);
      await assert.rejects(owner.set('global/old', utf8('x'), { expiresAt: 'tomorrow' }), {
        code: 'BAD_REQUEST',
      });
      for (const options of [{ note: '\u001b[2J' }, { tags: ['a b'] }, { note: 'x'.repeat(1025) }])
        await assert.rejects(owner.set('global/old', utf8('x'), options), { code: 'BAD_REQUEST' });
      await assert.rejects(owner.copy('global/old', 'global/old'), { code: 'BAD_REQUEST', message: /same/ });
    },
  );

  await t.test(
    'sets in a row of a batch stand by themselves, and each change is on record with its name',
    async () => {
      const outcomes = await owner.batch([
        { op: 'secret.set', params: { path: 'global/b1', value: utf8('1'), ifVersion: 0 } },
        { op: 'secret.set', params: { path: 'global/b2', value: utf8('1'), ifVersion: 4 } },
        { op: 'secret.set', params: { path: 'global/b3', value: utf8('1') } },
        { op: 'secret.rename', params: { from: 'global/b3', to: 'global/b4' } },
        { op: 'secret.delete', params: { path: 'global/b4' } },
        { op: 'secret.restore', params: { path: 'global/b4' } },
        { op: 'secret.purge', params: { path: 'global/b4' } },
        { op: 'secret.history', params: { path: 'global/b4' } },
      ]);
      assert.deepEqual(
        outcomes.map(({ error }) => error?.code ?? 'ok'),
        ['ok', 'CONFLICT', 'ok', 'ok', 'ok', 'ok', 'ok', 'NOT_FOUND'],
      );
      assert.deepEqual(outcomes[6].ok, { purged: 2, erased: true });
      const told = recordsIn(home.profile().audit)
        .filter(({ event, commit }) => event.startsWith('secret.') && commit !== undefined)
        .slice(-6)
        .map(({ event, key }) => [event, key]);
      assert.deepEqual(told, [
        ['secret.set', 'global/b1'],
        ['secret.set', 'global/b3'],
        ['secret.rename', 'global/b3 to global/b4'],
        ['secret.delete', 'global/b4'],
        ['secret.restore', 'global/b4'],
        ['secret.purge', 'global/b4'],
      ]);
    },
  );
});
