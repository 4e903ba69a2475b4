import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import {
  makeHome,
  passphraseCredential,
  startDaemon,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { eventually, recordsIn, utf8 } from './facts.ts';
import { otherProgram, otherUser, skippedUnlessRoot, wireAs } from './peers.ts';
import { codeOf, greet, within, type Wire } from './wire.ts';

const profile = 'default';

/** A daemon with one unlocked profile, its owner, and a client `app` that is another program. */
async function start(
  t: TestContext,
  toml: (exe: string) => string,
): Promise<{ daemon: TestDaemon; home: TestHome; own: HushClient; app: Wire; exe: string }> {
  const exe = otherProgram(t);
  const home = makeHome(t);
  await home.init();
  home.configure(`[clients.app]\nexe = '${exe}'\n${toml(exe)}`);
  const daemon = await startDaemon(t, home);
  const own = await daemon.connect();
  await own.unlock([passphraseCredential()]);
  const app = await greet(await wireAs(t, daemon.socket, { exe }));
  return { daemon, home, own, app, exe };
}

const get = async (wire: Wire, path: string): Promise<string> =>
  codeOf(await wire.ask('secret.get', { profile, path }));

async function reload(daemon: TestDaemon, generation: number): Promise<void> {
  daemon.signal('SIGHUP');
  await daemon.logged(`"event":"config.reload","generation":${generation}`);
}

describe('grants', () => {
  test('a grant ends at its moment, for open connections too, without anything being read again', async (t) => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const grant = (until: string): string =>
      `[profiles.default.grants.app]\nread = ['*']\nuntil = ${until}\n`;
    const { daemon, home, own, app, exe } = await start(t, () => grant(soon));
    await own.set('global/a', utf8('x'));
    assert.equal(await get(app, 'global/a'), 'ok');
    const end = new Date(Date.now() + 1_500).toISOString();
    home.configure(`[clients.app]\nexe = '${exe}'\n${grant(end)}`);
    await reload(daemon, 2);
    let code = await get(app, 'global/a');
    while (code === 'ok') {
      assert.ok(Date.now() < Date.parse(end) + 10_000, 'it has not ended');
      code = await get(app, 'global/a');
    }
    assert.equal(code, 'ACCESS_DENIED');
    assert.ok(Date.now() >= Date.parse(end), 'it has not ended before');
    assert.equal((await own.status()).configGeneration, 2);
  });

  test('1,000 rules in included files are all obeyed, and a conflict among them keeps the old ones', async (t) => {
    const { daemon, home, own, app, exe } = await start(t, () => '');
    const folder = join(dirname(home.paths.config), 'clients.d');
    mkdirSync(folder, { mode: 0o700 });
    const put = (name: string, text: string): void => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
    };
    const patterns = Array.from({ length: 1_000 }, (_, index) => `'global/app-${index}-*'`);
    put('app.toml', `[profiles.default.grants.app]\nread = [\n${patterns.join(',\n')}\n]\n`);
    for (let index = 0; index < 20; index += 1) {
      put(
        `${index}.toml`,
        `[clients.c${index}]\nuid = ${70_000 + index}\n[profiles.default.grants.c${index}]\nread = ['*']\n`,
      );
    }
    home.configure(`include = ['clients.d/*.toml']\n[clients.app]\nexe = '${exe}'\n`);
    await reload(daemon, 2);
    for (const index of [0, 500, 999]) await own.set(`global/app-${index}-key`, utf8('x'));
    await own.set('global/app-1000-key', utf8('x'));
    for (const index of [0, 500, 999]) assert.equal(await get(app, `global/app-${index}-key`), 'ok');
    assert.equal(await get(app, 'global/app-1000-key'), 'ACCESS_DENIED');
    put('twice.toml', "[profiles.default.grants.app]\nread = ['*']\n");
    daemon.signal('SIGHUP');
    await daemon.logged('profiles.default.grants.app is given in');
    assert.equal(await get(app, 'global/app-1000-key'), 'ACCESS_DENIED');
    assert.equal(await get(app, 'global/app-0-key'), 'ok');
  });
});

describe('grants for a time', () => {
  test('give their right at once, and are gone when taken back, when they end, and when the daemon does', async (t) => {
    const { daemon, home, own, app, exe } = await start(t, () => '');
    for (const name of ['a', 'b', 'c']) await own.set(`global/${name}`, utf8('x'));
    const grant = async (path: string, seconds: number) =>
      own.call('grant.add', { profile, client: 'app', right: 'read', pattern: path, seconds });
    assert.equal(await get(app, 'global/a'), 'ACCESS_DENIED');
    const { id } = await grant('global/a', 600);
    await grant('global/b', 600);
    assert.deepEqual([await get(app, 'global/a'), await get(app, 'global/b')], ['ok', 'ok']);
    assert.equal(await get(app, 'global/c'), 'ACCESS_DENIED');

    await own.call('grant.remove', { id });
    assert.deepEqual([await get(app, 'global/a'), await get(app, 'global/b')], ['ACCESS_DENIED', 'ok']);
    await own.call('lock', { profile });
    await own.unlock([passphraseCredential()]);
    assert.equal(await get(app, 'global/b'), 'ok', 'a lock does not end it');

    await grant('global/c', 1);
    let code = 'ok';
    for (const until = performance.now() + 10_000; code === 'ok' && performance.now() < until;) {
      code = await get(app, 'global/c');
    }
    assert.equal(code, 'ACCESS_DENIED');
    const told = () => recordsIn(home.profile().audit).filter(({ event }) => event.startsWith('grant.'));
    await eventually('its end is on record', () => told().some(({ event }) => event === 'grant.ended'));
    assert.deepEqual(
      told().map(({ event, key, outcome }) => [event, key, outcome]),
      [
        ['grant.add', 'app read global/a for 600 s', 'ok'],
        ['grant.add', 'app read global/b for 600 s', 'ok'],
        ['grant.remove', undefined, 'ok'],
        ['grant.add', 'app read global/c for 1 s', 'ok'],
        ['grant.ended', undefined, 'ok'],
      ],
    );

    await daemon.stop();
    const next = await startDaemon(t, home);
    await (await next.connect()).unlock([passphraseCredential()]);
    assert.equal(await get(await greet(await wireAs(t, next.socket, { exe })), 'global/b'), 'ACCESS_DENIED');
  });

  test('from a client are for others alone, end with its own grant, and are gone when it may not grant any more', async (t) => {
    const grants = (admin: string): string =>
      `[clients.second]\nuid = 64109\n[profiles.default.grants.app]\n${admin}\nread = ['global/a']\n`;
    const end = new Date(Date.now() + 60_000).toISOString();
    const { daemon, home, own, app } = await start(t, () => grants(`admin = true\nuntil = ${end}`));
    const given = { profile, client: 'app', right: 'read', pattern: '*', seconds: 600 };
    const self = await app.ask('grant.add', given);
    assert.equal(codeOf(self), 'ACCESS_DENIED');
    assert.match(String(self.error?.message), /to itself/);
    const other = await app.ask('grant.add', { ...given, client: 'second' });
    assert.equal(codeOf(other), 'ok');
    assert.ok(Date.parse(String(other.ok?.['until'])) <= Date.parse(end) + 1_000);
    await own.call('grant.add', {
      profile,
      client: 'second',
      right: 'read',
      pattern: 'global/b',
      seconds: 60,
    });
    home.configure(readFileSync(home.paths.config, 'utf8').replace('admin = true', 'admin = false'));
    await reload(daemon, 2);
    await eventually('it is taken back', () =>
      recordsIn(home.profile().audit).some(({ event }) => event === 'grant.ended'),
    );
    assert.deepEqual(
      (await own.call('grant.list', { profile })).grants.map(({ by }) => by),
      ['owner'],
    );
  });

  test('are given, seen and taken back by those alone who may administer the profile', async (t) => {
    const { own, app } = await start(
      t,
      () => "[profiles.default.grants.app]\nread = ['global/a']\n[profiles.other.grants.app]\nadmin = true\n",
    );
    const given = { client: 'app', right: 'read', pattern: '*', seconds: 60 };
    assert.equal(codeOf(await app.ask('grant.add', { profile, ...given })), 'ACCESS_DENIED');
    assert.equal(codeOf(await app.ask('grant.add', { profile: 'other', ...given })), 'NO_SUCH_PROFILE');
    const { id } = await own.call('grant.add', {
      profile,
      client: 'app',
      right: 'write',
      pattern: '*',
      seconds: 60,
    });
    assert.deepEqual(within(await app.ask('grant.list', {}), 'ok', 'grants'), []);
    const missing = await app.ask('grant.remove', { id: 'g.000000000000' });
    const theirs = await app.ask('grant.remove', { id });
    assert.deepEqual([codeOf(missing), missing.error], ['NOT_FOUND', theirs.error]);
    assert.equal(codeOf(await app.ask('grant.remove', { profile, client: 'app' })), 'ACCESS_DENIED');
    assert.equal((await own.call('grant.list', { profile })).grants.length, 1);
    for (const params of [
      {},
      { profile },
      { client: 'app' },
      { profile, client: 'app', id },
      { profile, id },
    ]) {
      assert.equal(codeOf(await app.ask('grant.remove', params)), 'BAD_REQUEST');
    }
  });
});

test('A4: unlocking has a bucket of its own, which nothing fills but time', async (t) => {
  const { own, app } = await start(
    t,
    () =>
      "[rate]\nrate = 1\nburst = 1000\n[unlock]\nrate = 1\nburst = 3\n[profiles.default.grants.app]\nread = ['*']\nunlock = true\nlock = true\n",
  );
  await own.set('global/a', utf8('x'));
  const unlock = async () => app.ask('unlock', { profile, credentials: [passphraseCredential()] });
  const limited = async (): Promise<boolean> => {
    const reply = await unlock();
    if (codeOf(reply) !== 'RATE_LIMITED') return false;
    assert.ok((reply.error?.retryAfterMs ?? 0) > 0);
    return true;
  };
  const began = performance.now();
  let passed = 0;
  while (!(await limited())) passed += 1;
  assert.ok(passed >= 3 && passed <= 3 + Math.ceil((performance.now() - began) / 1_000));
  assert.equal(await get(app, 'global/a'), 'ok', 'other requests have tokens left');
  const resets: readonly (readonly [op: string, params: object])[] = [
    ['lock', { profile }],
    ['status', {}],
    ['unlock', { profile: 'other', credentials: [passphraseCredential()] }],
    ['lock.all', {}],
    ['grant.list', {}],
  ];
  for (const [op, params] of resets) {
    // Time alone fills it: what passed since the bucket was empty gives a token a second, and no call gives one.
    const before = performance.now();
    while (!(await limited()));
    await app.ask(op, params);
    let more = 0;
    while (!(await limited())) more += 1;
    assert.ok(more <= Math.ceil((performance.now() - before) / 1_000), op);
  }
});

test('a socket of a group lets its members connect, and nobody else', async (t) => {
  if (skippedUnlessRoot(t)) return;
  const group = otherUser + 100;
  const home = makeHome(t);
  await home.init();
  const door = join(dirname(home.folder), 'door');
  mkdirSync(door, { mode: 0o711 });
  for (const folder of [door, dirname(home.folder)]) chmodSync(folder, 0o711);
  home.configure(
    `[transport]\nsocket_mode = '0660'\nsocket_group = ${group}\n[clients.app]\nuid = ${otherUser}\n[profiles.default.grants.app]\nread = ['*']\n`,
  );
  const socket = join(door, 'hushd.sock');
  await startDaemon(t, home, { env: { HUSH_SOCKET: socket } });
  const { mode, gid } = statSync(socket);
  assert.deepEqual([mode & 0o777, gid], [0o660, group]);
  const member = await greet(await wireAs(t, socket, { uid: otherUser, gid: group }));
  assert.equal(await get(member, 'global/a'), 'LOCKED', 'it has come as far as its grant');
  await assert.rejects(wireAs(t, socket, { uid: otherUser }), /EACCES/);
});

test('a socket whose group there is not is an error at the start, by name', async (t) => {
  const home = makeHome(t);
  await home.init();
  home.configure("[transport]\nsocket_mode = '0660'\nsocket_group = 'no-such-group-here'\n");
  const daemon = await startDaemon(t, home);
  assert.equal(within(daemon.listening, 'error', 'code'), 'BAD_REQUEST');
  assert.match(String(within(daemon.listening, 'error', 'message')), /there is no group no-such-group-here/);
  assert.equal(await daemon.ended(), 2);
  assert.equal(existsSync(home.paths.socket), false);
});
