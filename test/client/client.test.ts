import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from '../../client/index.ts';
import type { ConnectOptions, HushClient } from '../../client/index.ts';
import { coded } from './coded.ts';
import { startServer, temporarySocket } from './server.ts';
import type { Peer, Request, TestServer } from './server.ts';

const time = '2026-01-01T00:00:00.000Z';
const secret = { value: Uint8Array.of(1, 2, 3), version: 1, createdAt: time, updatedAt: time };

/** What the test's server does with each request; changed by the test as it goes on. */
interface Stage {
  handle: (request: Request, peer: Peer) => void;
}

interface Served extends Stage {
  readonly path: string;
  readonly client: HushClient;
  server: TestServer;
  /** Stops the server; `resume` listens again on the same path. */
  resume(): Promise<void>;
}

async function served(
  t: TestContext,
  handle: Stage['handle'],
  options: ConnectOptions = {},
): Promise<Served> {
  const { path, dispose } = await temporarySocket();
  const stage: Stage = { handle };
  const start = (): Promise<TestServer> =>
    startServer(path, (request, peer) => {
      stage.handle(request, peer);
    });
  const server = await start();
  const client = await connect({ socket: path, env: {}, ...options });
  const all: Served = Object.assign(stage, {
    path,
    client,
    server,
    async resume() {
      all.server = await start();
    },
  });
  t.after(async () => {
    client.close();
    await all.server.stop();
    await dispose();
  });
  return all;
}

const told = (client: HushClient, event: 'disconnect' | 'reconnect'): Promise<void> =>
  new Promise((resolve) => {
    const stop = client.on(event, () => {
      stop();
      resolve();
    });
  });

describe('a client', () => {
  test('fills in its profile, and lets a call name another', async (t) => {
    const seen: unknown[] = [];
    const { client } = await served(
      t,
      (request, peer) => {
        seen.push(request.params['profile']);
        peer.ok(request, secret);
      },
      { profile: 'work' },
    );
    await client.get('global/a');
    await client.call('secret.get', { profile: 'home', path: 'global/a' });
    assert.deepEqual(seen, ['work', 'home']);
    assert.equal(client.profile, 'work');
  });

  test('takes the profile and the socket from its environment', async (t) => {
    const { path } = await served(t, () => undefined);
    const client = await connect({ env: { HUSH_SOCKET: path, HUSH_PROFILE: 'other' } });
    t.after(() => {
      client.close();
    });
    assert.equal(client.profile, 'other');
    await assert.rejects(
      connect({ env: { HUSH_SOCKET: path, HUSH_PROFILE: '../x' } }),
      coded('INVALID_NAME'),
    );
    await assert.rejects(
      connect({ env: { HUSH_SOCKET: path, HUSH_DAEMON_UID: 'root' } }),
      coded('BAD_REQUEST'),
    );
    await assert.rejects(connect({ env: {} }), coded('BAD_REQUEST', /HUSH_HOME/));
    await assert.rejects(
      connect({ socket: `/tmp/${'x'.repeat(200)}`, env: {} }),
      coded('BAD_REQUEST', /107/),
    );
  });

  test('B7: connects again by itself after the daemon was restarted, and says so', async (t) => {
    const stand = await served(t, (request, peer) => {
      peer.ok(request, secret);
    });
    const { client } = stand;
    const disconnected = told(client, 'disconnect');
    const reconnected = told(client, 'reconnect');
    assert.equal((await client.get('global/a')).version, 1);
    await stand.server.stop();
    await disconnected;
    await assert.rejects(client.get('global/a'), coded('UNREACHABLE', /does not run/));
    await stand.resume();
    assert.deepEqual((await client.get('global/a')).value, secret.value);
    await reconnected;
  });

  test('B7: a read that was in flight at the drop is sent once more, a change is not', async (t) => {
    let drops = 0;
    const stand = await served(t, (request, peer) => {
      if (drops++ === 0) peer.socket.destroy();
      else peer.ok(request, secret);
    });
    assert.deepEqual((await stand.client.get('global/a')).value, secret.value);
    assert.equal(drops, 2);
    drops = 0;
    await assert.rejects(stand.client.set('global/a', Uint8Array.of(1)), coded('UNREACHABLE'));
    assert.equal(drops, 1);
  });

  test('a read is sent no third time', async (t) => {
    let drops = 0;
    const { client } = await served(t, (_request, peer) => {
      drops++;
      peer.socket.destroy();
    });
    await assert.rejects(client.get('global/a'), coded('UNREACHABLE'));
    assert.equal(drops, 2);
  });

  test('many calls after a drop share one new connection', async (t) => {
    const stand = await served(t, (request, peer) => {
      peer.ok(request, secret);
    });
    await stand.server.stop();
    await stand.resume();
    await Promise.all(Array.from({ length: 20 }, (_, n) => stand.client.get(`global/s${n}`)));
    assert.equal(stand.server.peers.length, 1);
  });

  test('waits as long as RATE_LIMITED says and tries once more, if the deadline leaves the time', async (t) => {
    const times: number[] = [];
    const stand = await served(t, (request, peer) => {
      times.push(performance.now());
      if (times.length % 2 === 1)
        peer.fail(request, { code: 'RATE_LIMITED', message: 'slow', retryAfterMs: 30 });
      else peer.ok(request, secret);
    });
    await stand.client.get('global/a');
    const [first = 0, second = 0] = times;
    assert(second - first >= 29);
    stand.handle = (request, peer) => {
      times.push(performance.now());
      peer.fail(request, { code: 'RATE_LIMITED', message: 'slow', retryAfterMs: 60_000 });
    };
    await assert.rejects(stand.client.get('global/a'), coded('RATE_LIMITED'));
    await assert.rejects(stand.client.set('global/a', Uint8Array.of(1)), coded('RATE_LIMITED'));
    assert.equal(times.length, 4);
  });

  test('refuses another vault than the pinned one, and goes on when the right one is back', async (t) => {
    let vaultId = 'aa';
    const stand = await served(
      t,
      (request, peer) => {
        if (request.op !== 'status') {
          peer.ok(request, secret);
          return;
        }
        peer.ok(request, {
          pid: 1,
          version: '1',
          node: '24',
          startedAt: time,
          uptimeMs: 1,
          rssBytes: 1,
          configGeneration: 1,
          hardening: [],
          profiles: [{ name: 'default', state: 'unlocked', vaultId }],
        });
      },
      { vaultId: 'aa' },
    );
    await stand.client.get('global/a');
    vaultId = 'bb';
    await stand.server.stop();
    await stand.resume();
    await assert.rejects(stand.client.get('global/a'), coded('INTEGRITY', /another vault answers/));
    await assert.rejects(connect({ socket: stand.path, env: {}, vaultId: 'aa' }), coded('INTEGRITY'));
    vaultId = 'aa';
    await stand.client.get('global/a');
  });

  test('leaves no connection behind when it could not be made', async (t) => {
    const stand = await served(t, (request, peer) => {
      peer.fail(request, { code: 'ACCESS_DENIED', message: 'no' });
    });
    await assert.rejects(connect({ socket: stand.path, env: {}, vaultId: 'aa' }), coded('ACCESS_DENIED'));
    const peer = stand.server.peers.at(-1);
    assert(peer && stand.server.peers.length === 2);
    if (!peer.socket.closed) await once(peer.socket, 'close');
  });

  test('lists page after page', async (t) => {
    const asked: unknown[] = [];
    const { client } = await served(t, (request, peer) => {
      asked.push(request.params);
      const after = Number(request.params['after'] ?? 0);
      const entry = (n: number): object => ({
        path: `global/s${n}`,
        version: 1,
        createdAt: time,
        updatedAt: time,
        size: 1,
      });
      const entries = [entry(after), entry(after + 1)];
      peer.ok(request, after < 4 ? { entries, next: String(after + 2) } : { entries });
    });
    const paths: string[] = [];
    for await (const { path } of client.list({ prefix: 'global/', pageSize: 2 })) paths.push(path);
    assert.deepEqual(
      paths,
      [0, 1, 2, 3, 4, 5].map((n) => `global/s${n}`),
    );
    assert.deepEqual(asked, [
      { profile: 'default', prefix: 'global/', limit: 2 },
      { profile: 'default', prefix: 'global/', limit: 2, after: '2' },
      { profile: 'default', prefix: 'global/', limit: 2, after: '4' },
    ]);
  });

  test('a batch gives each item its own outcome, of the shape of its operation', async (t) => {
    const { client } = await served(t, (request, peer) => {
      assert.deepEqual(request.params['items'], [
        { op: 'secret.get', params: { profile: 'default', path: 'global/a' } },
        { op: 'secret.delete', params: { profile: 'default', path: 'global/b' } },
        { op: 'secret.get', params: { profile: 'default', path: 'global/c' } },
      ]);
      const error = { code: 'NOT_FOUND', message: 'there is no such secret', hint: 'hush list' };
      peer.ok(request, { results: [{ ok: secret }, { error }, { ok: { odd: true } }] });
    });
    const [first, second, third] = await client.batch([
      { op: 'secret.get', params: { path: 'global/a' } },
      { op: 'secret.delete', params: { path: 'global/b' } },
      { op: 'secret.get', params: { path: 'global/c' } },
    ]);
    assert.deepEqual(first.ok?.value, secret.value);
    coded('NOT_FOUND')(second.error);
    coded('UNAVAILABLE', /secret\.get has not the shape/)(third.error);
  });

  test('a closed client ends its calls, and refuses later ones', async (t) => {
    const { client } = await served(t, () => {
      client.close();
    });
    await assert.rejects(client.get('global/a'), coded('UNREACHABLE', /client was closed/));
    await assert.rejects(client.get('global/a'), coded('UNREACHABLE', /client was closed/));
  });

  test('an idle client does not keep its process alive, a call in flight does', async (t) => {
    const answer = Promise.withResolvers<() => void>();
    const { path } = await served(t, (request, peer) => {
      answer.resolve(() => {
        peer.ok(request, secret);
      });
    });
    const index = new URL('../../client/index.ts', import.meta.url).href;
    const script = `
      import { connect } from ${JSON.stringify(index)};
      const client = await connect({ socket: ${JSON.stringify(path)} });
      client.get('global/a').then(() => console.log('answered'));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const ended = once(child, 'exit');
    const reply = await answer.promise;
    setImmediate(reply);
    assert.deepEqual((await ended)[0], 0);
    assert.equal(output, 'answered\n');
  });
});
