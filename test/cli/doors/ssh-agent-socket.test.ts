import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { converse } from '../../../cli/doors/ssh-agent/conversation.ts';
import { listenForClients } from '../../../cli/doors/ssh-agent/listener.ts';
import { identitiesMessage, mostMessageBytes, parseRequest } from '../../../cli/doors/ssh-agent/messages.ts';
import { sshString, sshUint32 } from '../../../daemon/signing/wire.ts';
import { concatBytes } from '../../../protocol/bytes.ts';
import type { HushError } from '../../../protocol/errors.ts';
import { makeHome } from '../../support/daemon.ts';

const isRoot = process.getuid?.() === 0;

describe('the socket of an agent', () => {
  const frame = (message: Uint8Array): Uint8Array => concatBytes(sshUint32(message.length), message);
  const keys = Array.from({ length: 3 }, (_, index) => ({
    publicKey: new Uint8Array(50).fill(index),
    comment: `key ${index}`,
  }));
  const ask = frame(Uint8Array.of(11));

  async function listen(t: TestContext, limits: { patienceMs?: number; most?: number } = {}) {
    const { folder } = makeHome(t);
    const path = join(folder, 'agent.sock');
    const answer = (message: Uint8Array): Promise<Uint8Array> =>
      Promise.resolve(
        parseRequest(message)?.kind === 'identities' ? identitiesMessage(keys) : Uint8Array.of(5),
      );
    const listener = await listenForClients({ at: { path }, answer, onRefused: () => undefined, ...limits });
    t.after(() => listener.close());
    const open = async (): Promise<Socket> => {
      const socket = connect(path);
      socket.on('error', () => undefined);
      t.after(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    };
    return { path, listener, open };
  }

  /** What comes back until there are so many bytes, or until the end. */
  const received = async (socket: Socket, length = Infinity): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= length) break;
    }
    return Buffer.concat(chunks);
  };
  const answered = frame(identitiesMessage(keys));
  const refused = frame(Uint8Array.of(5));

  test('answers messages in their order, however they are cut, many clients at a time', async (t) => {
    const { open } = await listen(t);
    const clients = await Promise.all(Array.from({ length: 20 }, open));
    await Promise.all(
      clients.map(async (client, index) => {
        const all = concatBytes(ask, frame(Uint8Array.of(99, 1, 2)), ask);
        const step = index + 1;
        for (let at = 0; at < all.length; at += step) client.write(all.subarray(at, at + step));
        const expected = concatBytes(answered, refused, answered);
        assert.deepEqual(await received(client, expected.length), Buffer.from(expected));
      }),
    );
  });

  test('closes on a message that is empty or too large, and serves others', async (t) => {
    const { open } = await listen(t);
    for (const length of [0, mostMessageBytes + 1, 0xffff_ffff]) {
      const client = await open();
      client.write(sshUint32(length));
      assert.equal((await received(client)).length, 0);
    }
    const other = await open();
    other.write(frame(new Uint8Array(mostMessageBytes).fill(200)));
    assert.deepEqual(await received(other, refused.length), Buffer.from(refused));
  });

  test('closes on half a message that stays half, and on a peer that does not read', async (t) => {
    const { open } = await listen(t, { patienceMs: 100 });
    const [half, quiet] = await Promise.all([open(), open()]);
    half.write(ask.subarray(0, 3));
    assert.equal((await received(half)).length, 0);

    const { folder } = makeHome(t);
    mkdirSync(folder, { mode: 0o700 });
    const server = createServer().listen(join(folder, 'sock'));
    t.after(() => server.close());
    const deaf = connect(join(folder, 'sock'));
    deaf.on('error', () => undefined);
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const large = new Uint8Array(mostMessageBytes);
    const conversation = { answer: () => Promise.resolve(large), onBusy: () => undefined, patienceMs: 100 };
    deaf.write(concatBytes(...Array.from({ length: 20 }, () => ask)));
    await converse(accepted, conversation);
    deaf.destroy();

    quiet.write(ask);
    assert.deepEqual(await received(quiet, answered.length), Buffer.from(answered), 'who is silent may stay');
  });

  test('makes room for a new client by sending the one away that has been silent longest', async (t) => {
    const { open } = await listen(t, { most: 2 });
    const first = await open();
    const second = await open();
    first.write(ask);
    await received(first, answered.length);
    const third = await open();
    assert.equal((await received(second)).length, 0);
    for (const client of [first, third]) {
      client.write(ask);
      assert.deepEqual(await received(client, answered.length), Buffer.from(answered));
    }
  });

  test('is refused in a folder that others can reach, and where somebody listens', async (t) => {
    const { path } = await listen(t);
    const parts = { answer: () => Promise.resolve(Uint8Array.of(5)), onRefused: () => undefined };
    await assert.rejects(listenForClients({ at: { path }, ...parts }), {
      code: 'EXISTS',
      hint: 'hush door ssh-agent --socket PATH',
    });
    const { folder } = makeHome(t);
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    await assert.rejects(listenForClients({ at: { path: join(folder, 's') }, ...parts }), {
      code: 'UNSAFE_MODE',
      hint: /^hush door ssh-agent --socket PATH, in a folder/,
    });
  });

  test('B5: of several that start on the socket of one that was killed, exactly one serves', async (t) => {
    const { folder } = makeHome(t);
    mkdirSync(folder, { mode: 0o700 });
    const path = join(folder, 'agent.sock');
    const dead = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen('${path}', () => process.kill(process.pid, 9))`,
    ]);
    await once(dead, 'exit');
    assert.ok(existsSync(path));
    const parts = { answer: () => Promise.resolve(answered.subarray(4)), onRefused: () => undefined };
    const started = await Promise.allSettled(
      Array.from({ length: 3 }, () => listenForClients({ at: { path }, ...parts })),
    );
    const listeners = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const closeAll = () => Promise.all(listeners.splice(0).map((listener) => listener.close()));
    t.after(closeAll);
    assert.equal(listeners.length, 1);
    for (const one of started) {
      if (one.status === 'fulfilled') continue;
      const { code, message } = one.reason as HushError;
      assert.deepEqual([code, message], ['EXISTS', `another process listens on ${path}`]);
    }
    const client = connect(path);
    client.write(ask);
    assert.deepEqual(await received(client, answered.length), Buffer.from(answered));
    client.destroy();
    await closeAll();
    await (await listenForClients({ at: { path }, ...parts })).close();
  });

  test(
    'A12: sends other users away, though they can reach it',
    { skip: isRoot ? false : 'needs root to be somebody else' },
    async (t) => {
      const { path } = await listen(t);
      for (let folder = join(path, '..'); folder !== '/tmp'; folder = join(folder, '..'))
        chmodSync(folder, 0o755);
      chmodSync(path, 0o666);
      const script = `require('net').connect(process.argv[1]).on('close',()=>process.exit(0)).resume().write(Buffer.from('000000010b','hex'));`;
      const child = spawn(process.execPath, ['-e', script, path], {
        uid: 65533,
        gid: 65533,
        stdio: 'pipe',
      });
      let told = '';
      child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString('hex')));
      await once(child, 'exit');
      assert.equal(told, '');
    },
  );

  test('reads any message as what it is, or as none', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.uint8Array(),
        fc.nat(0xffff_ffff),
        fc.nat(),
        (key, data, flags, cut) => {
          const message = concatBytes(Uint8Array.of(13), sshString(key), sshString(data), sshUint32(flags));
          assert.deepEqual(parseRequest(message), { kind: 'sign', key, data, flags });
          assert.equal(parseRequest(message.subarray(0, cut % message.length || 1)), undefined);
          assert.equal(parseRequest(concatBytes(message, Uint8Array.of(0))), undefined);
          parseRequest(data);
        },
      ),
    );
  });

  test('tells of as many keys as there is room for', () => {
    const many = Array.from({ length: 5000 }, () => ({ publicKey: new Uint8Array(300), comment: 'a key' }));
    const message = identitiesMessage(many);
    assert.ok(message.length <= mostMessageBytes && message.length > mostMessageBytes - 400);
  });
});
