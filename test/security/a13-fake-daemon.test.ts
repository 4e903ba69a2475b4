import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect } from '../../client/index.ts';
import { writeClientKey } from '../../noise/client-key.ts';
import { acceptEphemeral } from '../../noise/ephemeral.ts';
import { acceptResponder } from '../../noise/handshake.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { startRawServer, temporarySocket, limits, type Peer, type Request } from '../client/server.ts';
import { programPath } from '../support/programs.ts';
import { cleanEnvironment } from '../support/daemon.ts';
import { utf8 } from './facts.ts';

const hush = programPath('hush');
const hello = { version: 1, versions: [1], daemon: 'fake', limits };

/** What a fake may know: the real daemon's public key, and that of the client, but no private one of either. */
const [privateKey, realKey] = [newPrivateKey(), newPrivateKey()];
const clientKey = writeClientKey({
  name: 'app',
  privateKey,
  publicKey: publicKeyOf(privateKey),
  daemonKey: publicKeyOf(realKey),
});

/** What a fake answers to a handshake. */
type Answer = (request: Request, peer: Peer) => void;

const fakes: Readonly<Record<string, Answer>> = {
  'answers with random bytes': (request, peer) => {
    peer.ok(request, { message: newPrivateKey() });
  },
  'answers with 48 random bytes': (request, peer) => {
    peer.ok(request, { message: Buffer.concat([newPrivateKey(), newPrivateKey().subarray(16)]) });
  },
  'has a key of its own': (request, peer) => {
    const message1 = request.params['message'] as Uint8Array;
    const parts = {
      prologue: new Uint8Array(0),
      staticKey: newPrivateKey(),
      message1,
      isEnrolled: () => true,
    };
    assert.throws(() => acceptResponder(parts), 'it cannot read what was meant for the real daemon');
    peer.ok(request, { message: new Uint8Array(48).fill(3) });
  },
  'shakes hands in the pattern that proves nobody': (request, peer) => {
    const message1 = request.params['message'] as Uint8Array;
    peer.ok(request, { message: acceptEphemeral(new Uint8Array(0), message1.subarray(0, 32)).message2 });
  },
  'says that there is nothing to shake': (request, peer) => {
    peer.ok(request, {});
  },
  'refuses, and hopes that the client goes on without': (request, peer) => {
    peer.fail(request, { code: 'BAD_REQUEST', message: 'there is no such operation', hint: '' });
  },
  'ends the connection': (_request, peer) => {
    peer.socket.destroy();
  },
};

async function fake(t: TestContext, answer: Answer) {
  const { path, dispose } = await temporarySocket();
  const server = await startRawServer(path, (request, peer) => {
    if (request.op === 'hello') peer.ok(request, hello);
    else if (request.op === 'handshake') answer(request, peer);
    else peer.ok(request, {});
  });
  t.after(async () => {
    await server.stop();
    await dispose();
  });
  return server;
}

describe('A13: somebody else at the path of the socket', () => {
  for (const [how, answer] of Object.entries(fakes)) {
    test(`A13: who ${how} gets nothing of an enrolled client but hello and a handshake`, async (t) => {
      const server = await fake(t, answer);
      await assert.rejects(
        connect({ socket: server.path, env: {}, clientKey }),
        (error: { code: string }) => {
          const isUntrusted = how.includes('answers') || how.includes('key') || how.includes('pattern');
          assert.equal(error.code === 'UNTRUSTED_LISTENER', isUntrusted, error.code);
          return true;
        },
      );
      const asked = new Set(server.peers.flatMap(({ requests }) => requests.map(({ op }) => op)));
      assert.deepEqual([...asked], ['hello', 'handshake']);
    });
  }

  test('A13: hush sends neither passphrase nor value to who does not hold the pinned key', async (t) => {
    const server = await fake(t, (request, peer) => {
      peer.ok(request, { message: new Uint8Array(48) });
    });
    const folder = mkdtempSync(join(tmpdir(), 'hush-a13-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, 'app.key');
    writeFileSync(file, clientKey, { mode: 0o600 });
    const child = spawn(process.execPath, [hush, 'unlock', '--passphrase-stdin', '--client-key', file], {
      env: { ...cleanEnvironment(), HUSH_SOCKET: server.path },
    });
    child.stdin.end(Buffer.concat([utf8('a passphrase that is not for everybody'), utf8('\n')]));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 10, said);
    assert.match(said, /does not hold the key of the daemon/);
    assert.ok(server.peers.every(({ requests }) => !requests.some(({ op }) => op === 'unlock')));
  });
});
