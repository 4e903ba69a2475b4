import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { eventually, recordsIn, textOf, utf8 } from './facts.ts';
import { daemonUser, otherProgram, otherUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet, greetedWire, requestFrame, wireOver, type Wire } from './wire.ts';

const profile = 'default';
const path = 'global/a';
const script = fileURLToPath(new URL('other_process.py', import.meta.url));

const get = async (wire: Wire): Promise<string> => codeOf(await wire.ask('secret.get', { profile, path }));

/** Everything that a caller could ask for, and what each came to. */
async function askEverything(wire: Wire): Promise<Set<string>> {
  const value = utf8('x');
  const place = { profile, keyring: 'default', namespace: 'n', key: 'k' };
  const calls: readonly (readonly [op: string, params: object])[] = [
    ['secret.get', { profile, path }],
    ['secret.set', { profile, path, value }],
    ['secret.delete', { profile, path }],
    ['secret.list', { profile }],
    ['crypto.encrypt', { ...place, plaintext: value }],
    ['crypto.digestKey', { profile, keyring: 'default' }],
    ['keys.rotate', { profile }],
    ['keys.status', { profile }],
    ['keys.retire', { profile, version: 1 }],
    ['unlock', { profile, credentials: [passphraseCredential()] }],
    ['lock', { profile }],
    ['profile.deactivate', { profile }],
    ['profile.delete', { profile }],
    ['daemon.stop', {}],
  ];
  const codes = new Set<string>();
  for (const [op, params] of calls) codes.add(codeOf(await wire.ask(op, params)));
  return codes;
}

/** A daemon of `daemonUser` whose socket all users can reach, and a connection of that user. */
async function startForOthers(
  t: TestContext,
  toml: string,
): Promise<{ home: TestHome; daemon: TestDaemon; socket: string; own: Wire }> {
  const home = makeHome(t);
  await home.init();
  home.configure(`[rate]\nunidentified_rate = 10000\nunidentified_burst = 10000\n${toml}`);
  const { daemon, socket } = await startOpenToAll(t, home);
  const own = await greet(await wireAs(t, socket, { uid: daemonUser }));
  assert.equal(codeOf(await own.ask('unlock', { profile, credentials: [passphraseCredential()] })), 'ok');
  assert.equal(codeOf(await own.ask('secret.set', { profile, path, value: utf8('value') })), 'ok');
  return { home, daemon, socket, own };
}

describe('A12: who a peer is', () => {
  test('A12: another uid does not even reach the socket', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const { daemon } = await startUnlocked(t);
    await assert.rejects(wireAs(t, daemon.socket, { uid: otherUser }), /EACCES/);
    assert.equal(codeOf(await (await greetedWire(t, daemon.socket)).ask('status', {})), 'ok');
  });

  test('A12: another uid that reaches it, root too, may do nothing, whatever it says of itself', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const { home, socket, own } = await startForOthers(t, '');
    for (const uid of [otherUser, 0]) {
      const other = await greet(await wireAs(t, socket, { uid }), 'owner');
      assert.deepEqual([...(await askEverything(other))], ['ACCESS_DENIED'], `uid ${uid}`);
      const { ok } = await other.ask('status', {});
      assert.deepEqual(ok?.['profiles'], [], 'it is told of no profile');
    }
    assert.equal(await get(own), 'ok');
    const denied = recordsIn(home.profile().audit).filter(({ outcome }) => outcome === 'denied');
    for (const uid of [otherUser, 0]) {
      const of = denied.filter((record) => record.uid === uid);
      assert.equal(of.length, 13, `the attempts of uid ${uid} are on record`);
      assert.ok(of.every(({ client }) => client === `stranger:${uid}`));
    }
  });

  test('A12: another uid may do what is granted to it, and an operator everything', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const toml = `[operators]\nuids = [0]\n[clients.app]\nuid = ${otherUser}\n[profiles.default.grants.app]\nread = ['${path}']\n`;
    const { socket } = await startForOthers(t, toml);
    const app = await greet(await wireAs(t, socket, { uid: otherUser }));
    assert.equal(await get(app), 'ok');
    assert.equal(codeOf(await app.ask('secret.delete', { profile, path })), 'ACCESS_DENIED');
    const root = await greet(await wireAs(t, socket, { uid: 0 }));
    assert.equal(codeOf(await root.ask('secret.delete', { profile, path })), 'ok');
    const third = await greet(await wireAs(t, socket, { uid: otherUser + 1 }));
    assert.equal(await get(third), 'ACCESS_DENIED');
  });

  test('A12: the same uid with another executable gets nothing of what is granted to one', async (t) => {
    const exe = otherProgram(t);
    const toml = `[operators]\nowner = false\n[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = ['${path}']\nwrite = ['${path}']\n`;
    const home = makeHome(t);
    await home.init();
    home.configure(toml);
    const daemon = await startDaemon(t, home);
    const other = await greet(await wireAs(t, daemon.socket, { exe: otherProgram(t, 'app') }), 'app');
    assert.equal(codeOf(await other.ask('unlock', { profile, credentials: [passphraseCredential()] })), 'ok');
    const app = await greet(await wireAs(t, daemon.socket, { exe }));
    assert.equal(codeOf(await app.ask('secret.set', { profile, path, value: utf8('value') })), 'ok');
    assert.equal(await get(app), 'ok');
    assert.equal(await get(other), 'ACCESS_DENIED');
    assert.equal(codeOf(await app.ask('lock', { profile })), 'ACCESS_DENIED');
    assert.equal(codeOf(await other.ask('daemon.stop', {})), 'ACCESS_DENIED');
    assert.equal(codeOf(await other.ask('profile.delete', { profile })), 'ACCESS_DENIED');
    assert.equal(
      codeOf(await other.ask('lock', { profile })),
      'ok',
      'status, lock and unlock are left to the own uid',
    );
  });

  test('A12: a process that becomes the granted program after it has connected gains nothing', async (t) => {
    const { daemon, exe } = await startForProgram(t);
    const relay = `const s = new (require('node:net').Socket)({ fd: 10 }); process.stdin.pipe(s).pipe(process.stdout);`;
    const child = spawn('python3', [script, 'turn', daemon.socket, hello, exe, '-e', relay]);
    t.after(() => child.kill('SIGKILL'));
    await once(child.stderr, 'data');
    const wire = wireOver(child.stdout, child.stdin, () => undefined);
    assert.equal(await get(wire), 'ACCESS_DENIED');
    assert.equal(readlinkSync(`/proc/${child.pid}/exe`), exe, 'it is the granted program by now');
  });

  test('A12: a reused pid gains nothing: the process that connected has ended, and the granted program has its pid', async (t) => {
    if (skippedUnlessRoot(t)) return;
    if (!existsSync('/proc/sys/kernel/ns_last_pid')) {
      t.skip('this kernel does not let a test choose the next pid');
      return;
    }
    const { daemon, exe } = await startForProgram(t);
    daemon.signal('SIGSTOP');
    await eventually('the daemon has stopped', () => stateOf(daemon.pid) === 'T');
    const forever = [exe, '-e', 'setInterval(() => {}, 1e6)'];
    const child = spawn('python3', [script, 'leave', daemon.socket, hello, ...forever], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const { pid, stderr } = child;
    const pipe = child.stdio[3];
    assert.ok(pid !== undefined && stderr !== null && pipe instanceof Socket);
    t.after(() => {
      // Its file may be gone by now, which the kernel appends to the path.
      if (linkOf(pid)?.startsWith(exe) === true) process.kill(pid, 'SIGKILL');
    });
    const said: unknown[] = await once(stderr, 'data');
    assert.equal(String(said[0]).trim(), 'reused');
    await eventually('the granted program has the pid', () => linkOf(pid) === exe);
    daemon.signal('SIGCONT');
    const wire = wireOver(pipe, pipe, () => pipe.destroy());
    assert.equal(codeOf(await wire.next()), 'ok', 'hello is answered');
    assert.equal(await get(wire), 'ACCESS_DENIED');
    assert.equal(linkOf(pid), exe, 'it had the pid all the time');
  });

  test('A12: a process that ends at once after it connected harms nobody', async (t) => {
    const { daemon, client } = await startUnlocked(t);
    await client.set(path, utf8('value'));
    daemon.signal('SIGSTOP');
    const sockets = Array.from({ length: 100 }, () => connect(daemon.socket));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const socket of sockets) socket.destroy();
    daemon.signal('SIGCONT');
    assert.equal(textOf((await client.get(path)).value), 'value');
    assert.ok(!daemon.stderr().includes('"event":"bug"'), daemon.stderr());
  });
});

const hello = Buffer.from(requestFrame(0, 'hello', { versions: [1] })).toString('hex');

/** A daemon where one program alone may read; the test itself is that daemon's own uid, and not that program. */
async function startForProgram(t: TestContext): Promise<{ daemon: TestDaemon; exe: string }> {
  const exe = otherProgram(t);
  const { daemon } = await startUnlocked(
    t,
    `[operators]\nowner = false\n[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = ['${path}']\nwrite = ['${path}']\n`,
  );
  const app = await greet(await wireAs(t, daemon.socket, { exe }));
  assert.equal(codeOf(await app.ask('secret.set', { profile, path, value: utf8('value') })), 'ok');
  assert.equal(await get(app), 'ok');
  return { daemon, exe };
}

function linkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

function stateOf(pid: number): string | undefined {
  return /^\d+ \(.*\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
}
