import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import {
  exitOf,
  makeHome,
  passphraseCredential,
  spawnDaemon,
  startDaemon,
  startUnlocked,
  type TestHome,
} from '../support/daemon.ts';

const patient = { deadlineMs: 60_000 };
const socketIsGone = (home: TestHome): boolean =>
  lstatSync(home.paths.socket, { throwIfNoEntry: false }) === undefined;

/** Sends many writes at once, each to a name of its own; resolves to the names that were acknowledged. */
async function burst(client: HushClient, prefix: string, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `global/${prefix}${index}`);
  const outcomes = await Promise.allSettled(names.map((name) => client.set(name, new Uint8Array(100))));
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue;
    const reason: unknown = outcome.reason;
    assert.ok(reason instanceof HushError && reason.code === 'UNREACHABLE', String(reason));
  }
  return names.filter((_, index) => outcomes[index]?.status === 'fulfilled');
}

describe('SIGTERM and SIGINT', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} while it is busy: what began is answered, then all is locked and the next can start`, async (t) => {
      const { daemon, home } = await startUnlocked(t);
      const clients = [await daemon.connect(patient), await daemon.connect(patient)];
      const bursts = clients.map((client, index) => burst(client, `c${index}n`, 200));
      // The first writes are under way when this small one is answered.
      await clients[0]?.status();
      daemon.signal(signal);
      const acknowledged = (await Promise.all(bursts)).flat().sort();
      assert.equal(await daemon.ended(), 0);
      assert.ok(socketIsGone(home));

      const next = await startDaemon(t, home);
      const client = await next.connect(patient);
      await client.unlock([passphraseCredential()]);
      const found: string[] = [];
      for await (const { path } of client.list()) found.push(path);
      assert.deepEqual(
        found.sort(),
        acknowledged,
        'what was done was answered, and what was answered was done',
      );
      assert.ok(acknowledged.length > 0);
    });
  }

  test('an unlock that has begun is answered', async (t) => {
    const home = makeHome(t);
    await home.init();
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect(patient);
    const unlock = client.unlock([passphraseCredential()]);
    await client.status();
    daemon.signal('SIGTERM');
    assert.equal((await unlock).already, false);
    assert.equal(await daemon.ended(), 0);
    assert.ok(socketIsGone(home));
  });

  test('a second signal changes nothing', async (t) => {
    const { daemon, home } = await startUnlocked(t);
    daemon.signal('SIGTERM');
    daemon.signal('SIGINT');
    daemon.signal('SIGTERM');
    assert.equal(await daemon.ended(), 0);
    assert.ok(socketIsGone(home));
  });

  test('a peer that never reads its replies does not keep the daemon from ending', async (t) => {
    const { daemon, client, home } = await startUnlocked(t);
    await client.set('global/large', new Uint8Array(60_000));
    const deaf = await startDeafPeer(t, home);
    await client.status();
    daemon.signal('SIGTERM');
    assert.equal(await daemon.ended(), 0);
    deaf.kill('SIGKILL');
  });
});

/** A peer in python3 that asks for more than its socket can hold, and reads nothing after the greeting. */
async function startDeafPeer(t: TestContext, home: TestHome) {
  const program = `
import socket, sys, struct, signal
def bin_str(s): return bytes([0xa0 | len(s)]) + s.encode() if len(s) < 32 else bytes([0xd9, len(s)]) + s.encode()
def frame(b): return struct.pack('>I', len(b)) + b
def pairs(*kv): return bytes([0x80 | (len(kv) // 2)]) + b''.join(kv)
hello = pairs(bin_str('id'), b'\\x01', bin_str('op'), bin_str('hello'), bin_str('params'), pairs(bin_str('versions'), b'\\x91\\x01'))
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(frame(hello))
s.recv(65536)
for i in range(2, 60):
    params = pairs(bin_str('profile'), bin_str('default'), bin_str('path'), bin_str('global/large'))
    s.sendall(frame(pairs(bin_str('id'), bytes([i]), bin_str('op'), bin_str('secret.get'), bin_str('params'), params)))
print('sent', flush=True)
signal.pause()`;
  const peer = spawn('python3', ['-c', program, home.paths.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => peer.kill('SIGKILL'));
  await once(peer.stdout, 'data');
  return peer;
}

/** A service manager that prints each datagram as a line, its line ends as spaces. */
async function serviceManager(t: TestContext, address: string) {
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    text = s.recv(4096).decode()
    print(text.replace('\\n', ' '), flush=True)
    if 'STOPPING=1' in text: break`;
  const manager = spawn('python3', ['-c', program, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => manager.kill('SIGKILL'));
  const lines = createInterface({ input: manager.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  assert.equal(await next(), 'bound');
  return { next };
}

test('a service manager is told READY=1 once the daemon listens, and STOPPING=1 when it stops', async (t) => {
  const home = makeHome(t);
  await home.init();
  const address = join(home.folder, 'notify');
  const manager = await serviceManager(t, address);
  const child = spawnDaemon(home, { env: { NOTIFY_SOCKET: address } });
  t.after(() => child.kill('SIGKILL'));
  assert.match(await manager.next(), /^READY=1/);
  assert.ok(!socketIsGone(home));
  child.kill('SIGTERM');
  assert.match(await manager.next(), /^STOPPING=1/);
  assert.equal(await exitOf(child), 0);
});
