import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openConnection } from '../../client/connection.ts';
import type { Connection } from '../../client/connection.ts';
import { everyOperation } from '../../client/every-operation.ts';
import { trustedListenersOf } from '../../client/listener.ts';
import { connectPolled } from '../../client/polled-socket.ts';
import { connectTo } from '../../client/socket.ts';
import type { Connector } from '../../client/stream.ts';
import { HushError } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/shapes.ts';
import { coded } from './coded.ts';
import { startServer, temporarySocket } from './server.ts';
import type { Peer, Request, TestServer } from './server.ts';

const profile = 'default';
const soon = (): number => performance.now() + 5000;
const secret = (request: Request): object => ({
  value: new TextEncoder().encode(`value of ${String(request.params['path'])}`),
  version: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
});

interface Opened {
  readonly connection: Connection;
  readonly server: TestServer;
  readonly peer: Peer;
  readonly whenClosed: Promise<HushError>;
}

const openedBy =
  (connector: Connector) =>
  async (
    t: TestContext,
    handle: (request: Request, peer: Peer) => void,
    told: Partial<Limits> = {},
  ): Promise<Opened> => {
    const { path, dispose } = await temporarySocket();
    const server = await startServer(path, handle, told);
    t.after(async () => {
      await server.stop();
      await dispose();
    });
    const closing = Promise.withResolvers<HushError>();
    const connection = await openConnection({
      socket: path,
      trusted: trustedListenersOf({}),
      known: everyOperation,
      connector,
      expiresAt: soon(),
      onClose: closing.resolve,
    });
    const [peer] = server.peers;
    assert(peer);
    return { connection, server, peer, whenClosed: closing.promise };
  };

const get = (connection: Connection, path: string, expiresAt = soon()): Promise<{ value: Uint8Array }> =>
  connection.call('secret.get', { profile, path }, expiresAt);

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const connectors = { 'by node:net': connectTo, 'by polling': connectPolled };

for (const [how, connector] of Object.entries(connectors))
  describe(`a connection ${how}`, () => {
    const opened = openedBy(connector);

    test('A2: replies in any order reach the call that each belongs to', async (t) => {
      const held: Request[] = [];
      const { connection } = await opened(t, (request, peer) => {
        held.push(request);
        if (held.length === 20) for (const one of held.reverse()) peer.ok(one, secret(one));
      });
      const paths = Array.from({ length: 20 }, (_, index) => `global/s${index}`);
      const values = await Promise.all(paths.map((path) => get(connection, path)));
      assert.deepEqual(
        values.map(({ value }) => text(value)),
        paths.map((path) => `value of ${path}`),
      );
    });

    test('calls made in one turn leave in one write', async (t) => {
      const { connection, peer } = await opened(t, (request, at) => {
        at.ok(request, secret(request));
      });
      const before = peer.reads.length;
      await Promise.all(Array.from({ length: 50 }, (_, index) => get(connection, `global/s${index}`)));
      assert.equal(peer.reads.length - before, 1);
    });

    test('a value larger than the buffers on the way arrives whole, in both directions', async (t) => {
      const big = new Uint8Array(1_048_576).map((_, index) => index * 7);
      const { connection } = await opened(t, (request, peer) => {
        assert.deepEqual(request.params['plaintext'], big);
        const ciphertext = Buffer.from(big).toString('base64');
        peer.ok(request, { handle: { id: 'sec_1', kmsKeyId: 'k', alg: 'a', version: 1, ciphertext } });
      });
      const params = { profile, keyring: 'default', namespace: 'n', key: 'k', plaintext: big };
      const { handle } = await connection.call('crypto.encrypt', params, soon());
      assert.deepEqual(new Uint8Array(Buffer.from(handle.ciphertext, 'base64')), big);
    });

    test('a binary result is a copy in memory of its own', async (t) => {
      const { connection } = await opened(t, (request, peer) => {
        peer.ok(request, secret(request));
      });
      const [one, two] = await Promise.all([get(connection, 'global/a'), get(connection, 'global/b')]);
      assert.equal(one.value.buffer.byteLength, one.value.byteLength);
      assert.notEqual(one.value.buffer, two.value.buffer);
      one.value.fill(0);
      assert.equal(text(two.value), 'value of global/b');
    });

    test('an error reply is a typed error with its hint and its waiting time', async (t) => {
      const { connection } = await opened(t, (request, peer) => {
        peer.fail(request, { code: 'RATE_LIMITED', message: 'too many', hint: 'wait', retryAfterMs: 70 });
      });
      await assert.rejects(get(connection, 'global/a'), (error) => {
        coded('RATE_LIMITED', /too many/)(error);
        assert(error instanceof HushError);
        assert.equal(error.retryAfterMs, 70);
        assert.equal(error.hint, 'wait');
        return true;
      });
    });

    test('a code that this release does not know is told by its name', async (t) => {
      const { connection } = await opened(t, (request, peer) => {
        peer.fail(request, { code: 'NEW_THING', message: 'from the future' });
      });
      await assert.rejects(get(connection, 'global/a'), coded('UNAVAILABLE', /NEW_THING: from the future/));
    });

    test('a call that is not answered ends at its deadline, and its late reply harms no other call', async (t) => {
      const held: Request[] = [];
      const { connection } = await opened(t, (request, peer) => {
        if (request.params['path'] === 'global/slow') {
          held.push(request);
          return;
        }
        for (const late of held) peer.ok(late, secret(late));
        peer.ok(request, secret(request));
      });
      await assert.rejects(
        get(connection, 'global/slow', performance.now() + 20),
        coded('DEADLINE', /secret\.get/),
      );
      assert.equal(text((await get(connection, 'global/a')).value), 'value of global/a');
      assert.equal(connection.ended(), undefined);
    });

    test('a change that is not answered is said to be of unknown outcome', async (t) => {
      const { connection } = await opened(t, () => undefined);
      const params = { profile, path: 'global/a', value: new Uint8Array(1) };
      const set = connection.call('secret.set', params, performance.now() + 20);
      await assert.rejects(set, coded('DEADLINE', /not known/));
    });

    test('a daemon that has left as many calls unanswered as it takes at once is given up', async (t) => {
      const { connection, whenClosed } = await opened(t, () => undefined, { inFlight: 2 });
      const late = [1, 2].map((n) => get(connection, `global/s${n}`, performance.now() + 20));
      const results = await Promise.allSettled([...late, get(connection, 'global/waits')]);
      assert.deepEqual(
        results.map((result) => (result.status === 'rejected' ? (result.reason as HushError).code : 'ok')),
        ['DEADLINE', 'DEADLINE', 'UNREACHABLE'],
      );
      assert.equal((await whenClosed).code, 'UNREACHABLE');
    });

    test('no more calls are in flight than the daemon takes, and the rest follow', async (t) => {
      let open = 0;
      let most = 0;
      const held: Request[] = [];
      const { connection } = await opened(
        t,
        (request, peer) => {
          held.push(request);
          most = Math.max(most, ++open);
          setImmediate(() => {
            for (const one of held.splice(0)) {
              open--;
              peer.ok(one, secret(one));
            }
          });
        },
        { inFlight: 4 },
      );
      const values = await Promise.all(Array.from({ length: 30 }, (_, n) => get(connection, `global/s${n}`)));
      assert.equal(values.length, 30);
      assert.equal(most, 4);
    });

    test('what is too large for the limits of hello is refused before anything is sent', async (t) => {
      const { connection, peer } = await opened(t, () => undefined, {
        valueBytes: 8,
        frameBytes: 300,
        batchItems: 2,
      });
      const set = { profile, path: 'global/a', value: new Uint8Array(9) };
      await assert.rejects(
        connection.call('secret.set', set, soon()),
        coded('TOO_LARGE', /9 bytes, the limit is 8/),
      );
      await assert.rejects(
        get(connection, `global/${'x'.repeat(400)}`),
        coded('TOO_LARGE', /the limit is 300/),
      );
      const items = Array.from({ length: 3 }, () => ({ op: 'secret.get', params: {} }));
      await assert.rejects(connection.call('batch', { items }, soon()), coded('TOO_LARGE', /3 items/));
      assert.deepEqual(
        peer.requests.map(({ op }) => op),
        ['hello'],
      );
      assert.equal(connection.ended(), undefined);
    });

    test('parameters that the table refuses are refused before anything is sent, without their values', async (t) => {
      const { connection, peer } = await opened(t, () => undefined);
      const params = { profile, path: 'global/hunter2'.repeat(100) };
      await assert.rejects(connection.call('secret.get', params, soon()), (error) => {
        coded('BAD_REQUEST', /secret\.get\.path/)(error);
        assert(error instanceof HushError && !error.message.includes('hunter2'));
        return true;
      });
      assert.equal(peer.requests.length, 1);
    });

    test('B7: when the connection drops, all calls on it are rejected at once', async (t) => {
      const { connection, peer, whenClosed } = await opened(t, (request, at) => {
        if (request.params['path'] === 'global/last') at.socket.destroy();
      });
      const calls = ['a', 'b', 'last'].map((name) => get(connection, `global/${name}`));
      const results = await Promise.allSettled(calls);
      for (const result of results) {
        assert(result.status === 'rejected');
        coded('UNREACHABLE', /closed the connection|broke/)(result.reason);
      }
      assert.equal((await whenClosed).code, 'UNREACHABLE');
      await assert.rejects(get(connection, 'global/later'), coded('UNREACHABLE'));
      assert.equal(peer.requests.length, 4);
    });

    test('half a reply before the end is named as such', async (t) => {
      const { connection } = await opened(t, (_request, peer) => {
        peer.socket.end(Buffer.from([0, 0, 0, 50, 0x82]));
      });
      await assert.rejects(get(connection, 'global/a'), coded('UNREACHABLE', /in the middle of a reply/));
    });

    test('an error of the whole connection ends every call with it', async (t) => {
      const { connection } = await opened(t, (request, peer) => {
        if (request.params['path'] === 'global/b') {
          peer.send({
            id: null,
            error: { code: 'LIMIT_EXCEEDED', message: 'enough', limit: 'writeBacklogBytes' },
          });
        }
      });
      const results = await Promise.allSettled([get(connection, 'global/a'), get(connection, 'global/b')]);
      for (const result of results) {
        assert(result.status === 'rejected');
        coded('LIMIT_EXCEEDED', /enough/)(result.reason);
      }
    });

    const misbehaviours: Record<string, (request: Request, peer: Peer) => void> = {
      'a reply to a call that was never made': (request, peer) => {
        peer.ok({ ...request, id: request.id + 100 }, secret(request));
      },
      'a second reply to the same call': (request, peer) => {
        if (request.params['path'] === 'global/first') return;
        peer.ok({ ...request, id: request.id - 1 }, secret(request));
        peer.ok({ ...request, id: request.id - 1 }, secret(request));
      },
      'bytes that are no message': (_request, peer) => {
        peer.socket.write(Buffer.from([0, 0, 0, 3, 0xc1, 0xc1, 0xc1]));
      },
      'a frame over the limit': (_request, peer) => {
        peer.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
      },
      'a message with neither result nor error': (request, peer) => {
        peer.send({ id: request.id });
      },
      'a result that is nil': (request, peer) => {
        peer.send({ id: request.id, ok: null });
      },
    };
    for (const [name, misbehave] of Object.entries(misbehaviours)) {
      test(`B7: ${name} ends the connection, and answers no call with another's result`, async (t) => {
        const { connection, whenClosed } = await opened(t, misbehave);
        const [first, second] = await Promise.allSettled([
          get(connection, 'global/first'),
          get(connection, 'global/second'),
        ]);
        assert.equal(second.status, 'rejected');
        if (name.startsWith('a second reply')) assert.equal(first.status, 'fulfilled');
        else assert.equal(first.status, 'rejected');
        assert.equal((await whenClosed).code, 'UNAVAILABLE');
      });
    }

    test('a result of another shape is an error of that call only', async (t) => {
      const { connection } = await opened(t, (request, peer) => {
        if (request.params['path'] === 'global/odd') peer.ok(request, { value: 'text' });
        else peer.ok(request, secret(request));
      });
      const [odd, good] = await Promise.allSettled([
        get(connection, 'global/odd'),
        get(connection, 'global/good'),
      ]);
      assert(odd.status === 'rejected');
      coded('UNAVAILABLE', /secret\.get has not the shape/)(odd.reason);
      assert.equal(good.status, 'fulfilled');
    });
  });
