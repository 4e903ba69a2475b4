import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';
import { untilAnswer } from '../support/poll.ts';
import { eventually, recordsIn, utf8 } from './facts.ts';

const path = 'global/a';

test('a profile locks itself when it is idle, whatever asks without passing all gates, and when its time is over, whatever is done', async (t) => {
  const home = makeHome(t);
  for (const name of ['idle', 'age', 'plain']) await home.init(name);
  home.configure('[profiles.idle.autolock]\nidle_s = 1\n[profiles.age.autolock]\nage_s = 2\n');
  const daemon = await startDaemon(t, home);
  const clients = await Promise.all(
    ['idle', 'age', 'plain'].map(async (profile) => {
      const client = await daemon.connect({ profile });
      await client.unlock([passphraseCredential()]);
      return client;
    }),
  );
  const [idle, age, plain] = clients;
  assert.ok(idle !== undefined && age !== undefined && plain !== undefined);
  const codeOf = (read: Promise<unknown>): Promise<string> =>
    read.then(
      () => 'ok',
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    );

  // What fails at a gate, the vault among them, and what does not need the profile open, is no use of it.
  const unused = untilAnswer(
    async () => {
      await idle.status();
      return codeOf(idle.get('global/missing'));
    },
    (code) => code !== 'NOT_FOUND',
  );
  // Used all the time, it reaches its age all the same.
  const used = untilAnswer(
    () => codeOf(age.set(path, utf8('value'))),
    (code) => code !== 'ok',
  );
  assert.deepEqual(await Promise.all([unused, used]), ['LOCKED', 'LOCKED']);
  assert.equal(await codeOf(plain.get('global/missing')), 'NOT_FOUND', 'the others stay open');
  for (const [name, reason] of [
    ['idle', 'idle'],
    ['age', 'age'],
  ]) {
    const locks = recordsIn(home.profile(name).audit).filter(({ event }) => event === 'lock');
    assert.deepEqual(
      locks.map(({ client, outcome, detail }) => [client, outcome, detail]),
      [['daemon', 'ok', { reason }]],
    );
  }
  assert.equal((await idle.unlock([passphraseCredential()])).already, false);
});

describe('SIGUSR2', () => {
  test('A15: locks every profile at once, ends what is about to unlock one, and the daemon goes on', async (t) => {
    const home = makeHome(t);
    for (const name of ['default', 'work', 'opening']) await home.init(name);
    home.configure("[profiles.work]\napprove = ['*']\n");
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    const work = await daemon.connect({ profile: 'work' });
    const opening = await daemon.connect({ profile: 'opening' });
    for (const each of [client, work]) await each.unlock([passphraseCredential()]);
    await client.set(path, utf8('value'));
    await assert.rejects(work.get(path), { code: 'APPROVAL_PENDING' });
    const unlock = opening.unlock([passphraseCredential()]);
    // The next request of this connection is answered once the unlock has begun.
    await opening.status();
    daemon.signal('SIGUSR2');
    await assert.rejects(unlock, { code: 'CONFLICT' });
    for (const each of [client, work, opening]) await assert.rejects(each.get(path), { code: 'LOCKED' });
    for (const name of ['default', 'work']) {
      const last = recordsIn(home.profile(name).audit).filter(({ event }) => event === 'lock');
      assert.deepEqual(
        last.map(({ detail }) => detail),
        [{ reason: 'signal' }],
      );
    }
    daemon.signal('SIGUSR2');
    await eventually('the second signal is on record too', () => {
      const events = recordsIn(home.paths.daemonAudit).filter(({ event }) => event === 'lock.all');
      return events.length === 2;
    });
    await work.unlock([passphraseCredential()]);
    assert.deepEqual((await work.call('approval.list', {})).requests, []);
    assert.equal(await daemon.stop(), 0);
    const stops = recordsIn(home.profile('work').audit).filter(({ event }) => event === 'lock');
    assert.deepEqual(
      stops.map(({ detail }) => detail),
      [{ reason: 'signal' }, { reason: 'stop' }],
    );
  });
});
