import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { makeHome, passphraseCredential, startDaemon, type TestDaemon } from '../support/daemon.ts';
import { recordsIn, textOf, utf8 } from './facts.ts';
import { enrol, enrolledWire, type Enrolled } from './noise-wire.ts';
import { otherProgram, wireAs } from './peers.ts';
import { codeOf, greet, type Wire } from './wire.ts';

const profile = 'default';
const path = 'global/prod.db';

interface House {
  readonly daemon: TestDaemon;
  /** The asker, an enrolled client. */
  readonly asker: Enrolled;
  readonly client: HushClient;
  readonly owner: HushClient;
  /** Two other identities, each of which may administer the profile. */
  readonly first: Wire;
  readonly second: Wire;
}

async function startHouse(t: TestContext, settings = ''): Promise<House> {
  const home = makeHome(t);
  await home.init();
  const names = ['asker', 'first', 'second'];
  const rights = `admin = true\nlock = true\nunlock = true\nread = ['*']\n`;
  const grants = names.map((name) => `[profiles.${profile}.grants.${name}]\n${rights}`).join('');
  home.configure(`[profiles.${profile}]\napprove = ['global/prod.*']\n${settings}${grants}`);
  const daemon = await startDaemon(t, home);
  const owner = await daemon.connect();
  await owner.unlock([passphraseCredential()]);
  await owner.set(path, utf8('production'));
  await owner.set('global/test', utf8('test'));
  const [asker, ...deciders] = await Promise.all(names.map((name) => enrol(owner, name)));
  assert.ok(asker !== undefined);
  const client = await daemon.connect({ clientKey: asker.file });
  const [first, second] = await Promise.all(
    deciders.map(async (key) => (await enrolledWire(t, daemon.socket, key)).wire),
  );
  assert.ok(first !== undefined && second !== undefined);
  return { daemon, owner, asker, client, first, second };
}

/** The id of the request that a read has to wait for. */
async function pending(read: Promise<unknown>): Promise<string> {
  const error: unknown = await read.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HushError && error.code === 'APPROVAL_PENDING', String(error));
  assert.ok(error.approval !== undefined && /^[0-9a-f]{16}$/.test(error.approval));
  assert.ok(error.hint.includes(error.approval));
  return error.approval;
}

const decide = async (wire: Wire, id: string, approve: boolean): Promise<string> =>
  codeOf(await wire.ask('approval.decide', { profile, id, approve }));

describe('a read that matches `approve`', () => {
  test('is released once for each approval by another identity, cached or not, alone or in a batch, and is on record', async (t) => {
    const { daemon, asker, client, first } = await startHouse(t);
    assert.equal(textOf((await client.get('global/test')).value), 'test');
    const id = await pending(client.get(path));
    assert.equal(await pending((await daemon.connect({ clientKey: asker.file })).get(path)), id);

    await assert.rejects(client.call('approval.decide', { id, approve: true }), { code: 'ACCESS_DENIED' });
    const { ok } = await first.ask('approval.list', {});
    assert.ok(Array.isArray(ok?.['requests']));
    const [request] = ok['requests'] as Record<string, unknown>[];
    assert.deepEqual(
      [request?.['id'], request?.['path'], request?.['client'], request?.['pid'], request?.['state']],
      [id, path, 'asker', process.pid, 'waiting'],
    );
    assert.equal(await decide(first, id, true), 'ok');
    assert.equal(textOf((await client.get(path)).value), 'production');

    // Now it is in the cache.
    const again = await pending(client.get(path));
    const [other, held] = await client.batch([
      { op: 'secret.get', params: { path: 'global/test' } },
      { op: 'secret.get', params: { path } },
    ]);
    assert.ok(other.ok !== undefined);
    assert.equal(held.error?.approval, again);
    assert.equal(await decide(first, again, true), 'ok');
    const [one, two] = await client.batch([
      { op: 'secret.get', params: { path } },
      { op: 'secret.get', params: { path } },
    ]);
    assert.equal(textOf(one.ok?.value), 'production');
    assert.equal(two.error?.code, 'APPROVAL_PENDING');

    const records = recordsIn(daemon.home.profile().audit);
    const about = records.filter(({ event }) => event.startsWith('approval.'));
    assert.deepEqual(
      about.map(({ event, client: who, outcome }) => `${event} ${who} ${outcome}`),
      [
        'approval.asked daemon ok',
        'approval.decide asker denied',
        'approval.decide first ok',
        'approval.used daemon ok',
        'approval.asked daemon ok',
        'approval.decide first ok',
        'approval.used daemon ok',
        'approval.asked daemon ok',
      ],
    );
    assert.equal(about[2]?.key, `approve ${id}`);
    assert.deepEqual(about[3]?.['detail'], { id, path, right: 'read', client: 'asker', by: 'first' });
    const reads = records.filter(({ event, key }) => event === 'secret.get' && key === path);
    assert.equal(reads.filter(({ outcome }) => outcome === 'ok').length, 2);
    assert.equal(reads.filter(({ code }) => code === 'APPROVAL_PENDING').length, 5);
  });

  test('is not approved with a key that was enrolled since, and ends with the enrolment of the asker', async (t) => {
    const { daemon, owner, client, first } = await startHouse(t);
    const mine = await pending(client.get(path));
    await owner.call('client.remove', { name: 'second' });
    const { wire: late } = await enrolledWire(t, daemon.socket, await enrol(owner, 'second'));
    assert.equal(await decide(late, mine, true), 'ACCESS_DENIED', 'enrolled since');
    await owner.call('client.remove', { name: 'asker' });
    assert.equal(await decide(first, mine, true), 'NOT_FOUND', 'its enrolment is over');
  });

  test('is decided by whoever comes first, and the other hears how', async (t) => {
    const { client, first, second } = await startHouse(t);
    for (let round = 0; round < 5; round += 1) {
      const id = await pending(client.get(path));
      const answers = await Promise.all([
        first.ask('approval.decide', { profile, id, approve: true }),
        second.ask('approval.decide', { profile, id, approve: false }),
      ]);
      assert.deepEqual(answers.map(codeOf).sort(), ['CONFLICT', 'ok']);
      const message = String(answers.find((answer) => codeOf(answer) === 'CONFLICT')?.error?.message);
      if (message === 'first has approved this already') {
        assert.equal(textOf((await client.get(path)).value), 'production');
      } else {
        assert.equal(message, 'second has denied this already');
        await assert.rejects(client.get(path), { code: 'APPROVAL_DENIED', message: /^second refused/ });
        // What was denied stays denied for its time; a lock ends it.
        await client.lock();
        await client.unlock([passphraseCredential()]);
      }
    }
  });

  test('ends with a lock, of this profile or of all, and with the daemon, whether it waits or is approved', async (t) => {
    const { daemon, asker, client, first } = await startHouse(t);
    const leave = [() => client.lock(), () => client.lockAll()];
    let id = await pending(client.get(path));
    for (const lock of leave) {
      assert.equal(await decide(first, id, true), 'ok');
      await lock();
      assert.equal(await decide(first, id, false), 'LOCKED');
      await client.unlock([passphraseCredential()]);
      assert.equal(await decide(first, id, false), 'NOT_FOUND');
      const next = await pending(client.get(path));
      assert.notEqual(next, id);
      id = next;
    }
    assert.equal(await decide(first, id, true), 'ok');
    await daemon.stop();
    const restarted = await startDaemon(t, daemon.home);
    const again = await restarted.connect({ clientKey: asker.file });
    await again.unlock([passphraseCredential()]);
    assert.notEqual(await pending(again.get(path)), id);
    const { requests } = await again.call('approval.list', {});
    assert.equal(requests.length, 1);
  });

  test('is waited for by the client library: until it is decided, or as long as it was told', async (t) => {
    const { client, first } = await startHouse(t);
    const waiting = client.get(path, { waitForApproval: true });
    const id = await pending(client.get(path, { waitForApproval: 1 }));
    assert.equal(await decide(first, id, true), 'ok');
    assert.equal(textOf((await waiting).value), 'production');
    const refused = client.get(path, { waitForApproval: 60_000 });
    assert.equal(await decide(first, await pending(client.get(path)), false), 'ok');
    await assert.rejects(refused, { code: 'APPROVAL_DENIED' });
  });

  test('is no business of a client without the right to administer, nor of one that may not read it', async (t) => {
    const home = makeHome(t);
    await home.init();
    const exe = otherProgram(t);
    const grants = `[profiles.${profile}.grants.app]\nread = ['global/test']\n`;
    home.configure(`[clients.app]\nexe = '${exe}'\n[profiles.${profile}]\napprove = ['*']\n${grants}`);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    const app = await greet(await wireAs(t, daemon.socket, { exe }));
    const id = await pending(client.get('global/test'));
    assert.equal(await decide(app, id, true), 'ACCESS_DENIED');
    assert.deepEqual((await app.ask('approval.list', {})).ok?.['requests'], []);
    for (const name of ['global/prod.db', 'global/none']) {
      assert.equal(codeOf(await app.ask('secret.get', { profile, path: name })), 'ACCESS_DENIED');
    }
    assert.equal(
      (await client.call('approval.list', {})).requests.length,
      1,
      'what is refused asks for nothing',
    );
    assert.equal(
      codeOf(await app.ask('secret.get', { profile, path: 'global/test', approved: true })),
      'BAD_REQUEST',
    );
  });
});
