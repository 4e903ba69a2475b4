import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect } from '../../client/index.ts';
import { writeClientKey } from '../../noise/client-key.ts';
import { acceptEphemeral } from '../../noise/ephemeral.ts';
import { prologueOf } from '../../noise/records.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { createFrameEncoder } from '../../protocol/frames.ts';
import { coded } from './coded.ts';
import { limits, startRawServer, temporarySocket, type Peer, type Request } from './server.ts';

const encoder = createFrameEncoder();
const frameOf = (message: object): Uint8Array =>
  encoder.encode(message, 100_000, (frame) => Uint8Array.from(frame));

const privateKey = newPrivateKey();
const clientKey = writeClientKey({
  name: 'app',
  privateKey,
  publicKey: publicKeyOf(privateKey),
  daemonKey: publicKeyOf(newPrivateKey()),
});

/** A daemon that knows handshakes of the pattern NN; `handle` gets all else, its values still sealed. */
async function serve(
  t: TestContext,
  handle: (request: Request, peer: Peer) => void,
  { asks = false, busy = 0 }: { readonly asks?: boolean; readonly busy?: number } = {},
) {
  const { path, dispose } = await temporarySocket();
  const told = { version: 1, versions: [1], daemon: 'test', limits, fieldEncryption: asks };
  let refusals = busy;
  const server = await startRawServer(path, (request, peer) => {
    if (request.op === 'hello') {
      peer.ok(request, told);
    } else if (request.op === 'handshake' && refusals > 0) {
      refusals -= 1;
      peer.fail(request, {
        code: 'RATE_LIMITED',
        message: 'too many handshakes',
        hint: '',
        retryAfterMs: 20,
      });
    } else if (request.op === 'handshake') {
      assert.equal(request.params['pattern'], 'NN');
      const [hello] = peer.requests;
      assert(hello);
      const prologue = prologueOf(frameOf(hello), frameOf({ id: hello.id, ok: told }));
      // The client under test sends a message of this shape, or the test fails on its own terms.
      const accepted = acceptEphemeral(prologue, request.params['message'] as Uint8Array);
      peer.ok(request, { message: accepted.message2 });
    } else {
      handle(request, peer);
    }
  });
  t.after(async () => {
    await server.stop();
    await dispose();
  });
  return server;
}

const operationsOf = (peer: Peer | undefined): string[] => peer?.requests.map(({ op }) => op) ?? [];
const stored = { version: 1, createdAt: '', updatedAt: '', created: true };

describe('the handshake of a client', () => {
  test('is left out where nobody asks for it, and made where either end does', async (t) => {
    for (const [asks, fieldEncryption, shakes] of [
      [false, false, false],
      [true, false, true],
      [false, true, true],
      [true, true, true],
    ] as const) {
      let sent: unknown;
      const server = await serve(
        t,
        (request, peer) => {
          sent = request.params['value'];
          peer.ok(request, stored);
        },
        { asks },
      );
      const client = await connect({ socket: server.path, env: {}, fieldEncryption });
      await client.set('global/a', new TextEncoder().encode('a value'));
      client.close();
      const asked = operationsOf(server.peers[0]);
      assert.deepEqual(asked, shakes ? ['hello', 'handshake', 'secret.set'] : ['hello', 'secret.set']);
      assert(sent instanceof Uint8Array);
      assert.equal(Buffer.from(sent).includes('a value'), !shakes);
      assert.equal(sent.byteLength, shakes ? 7 + 28 : 7);
    }
  });

  test('is tried once more after the time that a busy daemon names, and given up where that does not help', async (t) => {
    const once = await serve(t, (request, peer) => peer.ok(request, stored), { busy: 1 });
    const client = await connect({ socket: once.path, env: {}, fieldEncryption: true });
    await client.set('global/a', new Uint8Array(1));
    client.close();
    assert.deepEqual(operationsOf(once.peers[0]), ['hello', 'handshake', 'handshake', 'secret.set']);
    const always = await serve(t, () => undefined, { busy: 9 });
    await assert.rejects(
      connect({ socket: always.path, env: {}, fieldEncryption: true }),
      coded('RATE_LIMITED', /too many handshakes/),
    );
  });

  test('with the text of a key that is none, or with two of them, fails before anything is sent', async (t) => {
    const server = await serve(t, () => undefined);
    const folder = mkdtempSync(join(tmpdir(), 'hush-client-key-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, 'app.key');
    writeFileSync(file, clientKey, { mode: 0o600 });
    const given = { socket: server.path, env: {} };
    await assert.rejects(
      connect({ ...given, clientKey, clientKeyFile: file }),
      coded('BAD_REQUEST', /clientKey and clientKeyFile/),
    );
    await assert.rejects(
      connect({ ...given, clientKey: clientKey.subarray(0, 100) }),
      coded('DAMAGED', /client key/),
    );
    await assert.rejects(
      connect({ ...given, env: { HUSH_CLIENT_KEY_FILE: join(folder, 'none') } }),
      coded('BAD_REQUEST', /does not exist/),
    );
    chmodSync(file, 0o640);
    await assert.rejects(connect({ ...given, clientKeyFile: file }), coded('UNSAFE_MODE', /mode 640/));
    assert.ok(server.peers.every((peer) => operationsOf(peer).every((op) => op === 'hello')));
  });
});
