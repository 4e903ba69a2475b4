import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { openConnection } from '../../client/connection.ts';
import type { Connection } from '../../client/connection.ts';
import { everyOperation } from '../../client/every-operation.ts';
import { trustedListenersOf } from '../../client/listener.ts';
import { connectPolled } from '../../client/polled-socket.ts';
import { connectTo } from '../../client/socket.ts';
import { HushError } from '../../protocol/errors.ts';
import { coded } from './coded.ts';
import { limits, startRawServer, temporarySocket } from './server.ts';

const soon = (): number => performance.now() + 5000;

const connectors = { 'by node:net': connectTo, 'by polling': connectPolled };

for (const [how, connector] of Object.entries(connectors))
  describe(`opening a connection ${how}`, () => {
    const open = (path: string, expiresAt = soon(), daemonUid?: number): Promise<Connection> =>
      openConnection({
        socket: path,
        trusted: trustedListenersOf({}, daemonUid),
        known: everyOperation,
        connector,
        expiresAt,
        onClose: () => undefined,
      });

    test('is refused at once when there is no socket, or nobody behind it, without its path', async (t) => {
      const { path, dispose } = await temporarySocket();
      t.after(dispose);
      const withoutPath = (error: unknown): true => {
        assert(error instanceof HushError && !error.message.includes(path) && error.cause === undefined);
        assert.equal(error.hint, 'hush start');
        return coded('UNREACHABLE', /hushd does not run/)(error);
      };
      await assert.rejects(open(path), withoutPath);
      const listener = spawn(process.execPath, [
        '-e',
        `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
      ]);
      await once(listener.stdout, 'data');
      listener.kill('SIGKILL');
      await once(listener, 'exit');
      await assert.rejects(open(path), withoutPath);
    });

    test('a daemon that never greets is given up at the deadline', async (t) => {
      const { path, dispose } = await temporarySocket();
      const server = await startRawServer(path, () => undefined);
      t.after(async () => {
        await server.stop();
        await dispose();
      });
      await assert.rejects(open(path, performance.now() + 20), coded('DEADLINE', /hello/));
    });

    test('a daemon of other protocol versions is named with its versions', async (t) => {
      const { path, dispose } = await temporarySocket();
      const server = await startRawServer(path, (request, peer) => {
        peer.ok(request, { version: 9, versions: [8, 9], daemon: 'test', limits });
      });
      t.after(async () => {
        await server.stop();
        await dispose();
      });
      await assert.rejects(open(path), coded('UNSUPPORTED_VERSION', /protocol 1, the daemon 8, 9/));
    });

    test('the error that the daemon greets with is the error of the opening', async (t) => {
      const { path, dispose } = await temporarySocket();
      const server = await startRawServer(path, (_request, peer) => {
        peer.send({
          id: null,
          error: { code: 'LIMIT_EXCEEDED', message: 'too many connections', limit: 'connections' },
        });
        peer.socket.end();
      });
      t.after(async () => {
        await server.stop();
        await dispose();
      });
      await assert.rejects(open(path), coded('LIMIT_EXCEEDED', /too many connections/));
    });

    const skip = process.geteuid?.() === 0 ? false : 'only root can start a listener of another user';
    test(
      "A13: nothing is sent to another user's listener, unless that user was named",
      { skip },
      async (t) => {
        const { path, dispose } = await temporarySocket();
        const folder = path.slice(0, path.lastIndexOf('/'));
        const uid = 12_345;
        await chown(folder, uid, uid);
        const script = `
      const server = require('node:net').createServer((socket) => {
        let bytes = 0;
        socket.on('data', (chunk) => { bytes += chunk.length; console.log('got ' + bytes); });
        socket.on('error', () => {});
        socket.on('close', () => console.log('closed after ' + bytes));
      });
      server.listen(process.argv[1], () => console.log('up'));`;
        const listener = spawn('setpriv', [
          `--reuid=${uid}`,
          `--regid=${uid}`,
          '--clear-groups',
          process.execPath,
          '-e',
          script,
          path,
        ]);
        t.after(async () => {
          listener.kill('SIGKILL');
          await once(listener, 'exit');
          await dispose();
        });
        const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
        const line = async (): Promise<unknown> => (await lines.next()).value;
        assert.equal(await line(), 'up');
        await assert.rejects(open(path), coded('UNTRUSTED_LISTENER', /uid 12345/));
        assert.equal(await line(), 'closed after 0');
        const named = open(path, performance.now() + 500, uid);
        await Promise.all([
          assert.rejects(named, coded('DEADLINE')),
          line().then((got) => assert.match(String(got), /^got/)),
        ]);
      },
    );
  });
