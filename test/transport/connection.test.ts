import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { handshakeFailed } from '../../noise/handshake.ts';
import { createFrameEncoder, createFrameReader, decodeMessage } from '../../protocol/frames.ts';
import type { Limits } from '../../protocol/index.ts';
import type { Service } from '../../daemon/transport/service.ts';
import { listen } from '../../daemon/transport/listener.ts';

const limits: Limits = {
  frameBytes: 200_000,
  valueBytes: 100,
  plaintextBytes: 100,
  connections: 4,
  inFlight: 2,
  helloMs: 60_000,
  frameMs: 60_000,
  idleMs: 60_000,
  writeBacklogBytes: 1_000_000,
  drainMs: 60_000,
  batchItems: 10,
};
const encoder = createFrameEncoder();
const frameOf = (message: object): Buffer =>
  encoder.encode(message, 1_000_000, (frame) => Buffer.from(frame));
const hello = frameOf({ id: 0, op: 'hello', params: { versions: [1] } });

async function serve(t: TestContext, service: () => Service, given: Partial<Limits> = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-transport-'));
  const path = join(folder, 'sock');
  const now = (): number => performance.now();
  const parts = {
    path,
    limits: { ...limits, ...given },
    daemon: 'test',
    now,
    service,
    onLimit: () => undefined,
  };
  const listener = await listen(parts);
  t.after(async () => {
    await listener.close();
    rmSync(folder, { recursive: true });
  });
  return path;
}

/** The next `count` replies on a socket; fewer if it closes before. */
async function replies(socket: Socket, count: number): Promise<Record<string, unknown>[]> {
  const reader = createFrameReader(1_000_000);
  const seen: Record<string, unknown>[] = [];
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk, (bytes, start, end) => {
        seen.push(structuredClone(decodeMessage(bytes, start, end)));
        if (seen.length >= count) resolve();
        return true;
      });
    });
    socket.once('close', () => {
      resolve();
    });
  });
  await done;
  return seen;
}

/** A service that begins requests like this, and knows of no handshake. */
const serviceWith = (begin: Service['begin']): Service => ({
  whenKnown: () => undefined,
  begin,
  endTurn: () => undefined,
  greeted: () => undefined,
  refused: () => undefined,
  wantsFields: () => false,
  handshake: () => {
    throw handshakeFailed();
  },
});

const echo = (): Service =>
  serviceWith((request, settle) => {
    settle({ ok: { op: request.op } });
  });

async function open(t: TestContext, path: string): Promise<Socket> {
  const socket = connect(path);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('bytes that were read are wiped from the read buffer before the next event', async (t) => {
  const views: Uint8Array[] = [];
  const path = await serve(t, () =>
    serviceWith((request, settle) => {
      const { secret } = request.params as { secret: Uint8Array };
      assert.equal(Buffer.from(secret).toString(), 'a secret on the wire');
      views.push(secret);
      settle({ ok: {} });
    }),
  );
  const socket = await open(t, path);
  const got = replies(socket, 2);
  socket.write(
    Buffer.concat([
      hello,
      frameOf({ id: 1, op: 'x', params: { secret: Buffer.from('a secret on the wire') } }),
    ]),
  );
  assert.equal((await got).length, 2);
  assert.equal(views.length, 1);
  assert.ok(views.every((view) => view.every((byte) => byte === 0)));
});

test('hello comes first, is said once, and needs a version in common', async (t) => {
  const path = await serve(t, echo);
  const cases: readonly (readonly [string, Buffer])[] = [
    ['BAD_REQUEST', frameOf({ id: 1, op: 'status', params: {} })],
    ['BAD_REQUEST', Buffer.concat([hello, hello])],
    ['UNSUPPORTED_VERSION', frameOf({ id: 1, op: 'hello', params: { versions: [99] } })],
    ['BAD_REQUEST', frameOf({ id: 1, op: 'hello', params: {} })],
    ['BAD_REQUEST', frameOf({ id: -1, op: 'hello', params: { versions: [1] } })],
    ['BAD_REQUEST', frameOf({ id: 1, op: 'hello', params: { versions: [1] }, more: 1 })],
  ];
  for (const [code, bytes] of cases) {
    const socket = await open(t, path);
    const got = replies(socket, 9);
    socket.write(bytes);
    const last = (await got).at(-1) as { id: unknown; error: { code: string } };
    assert.equal(last.id, null);
    assert.equal(last.error.code, code);
  }
});

test('more requests in flight than the limit are refused by id, and the rest are answered', async (t) => {
  const settles: (() => void)[] = [];
  const path = await serve(t, () =>
    serviceWith((_request, settle) => {
      settles.push(() => {
        settle({ ok: {} });
      });
    }),
  );
  const socket = await open(t, path);
  const refused = replies(socket, 2);
  socket.write(Buffer.concat([hello, ...[1, 2, 3].map((id) => frameOf({ id, op: 'x', params: {} }))]));
  const [, third] = await refused;
  assert.deepEqual([third?.['id'], (third?.['error'] as { limit: string }).limit], [3, 'inFlight']);
  const rest = replies(socket, 2);
  for (const settle of settles.reverse()) settle();
  assert.deepEqual(
    (await rest).map(({ id }) => id),
    [2, 1],
  );
});

test('when every connection is taken, one that has not said hello makes room before one that has', async (t) => {
  const path = await serve(t, echo, { connections: 2 });
  const greeted = await open(t, path);
  const welcome = replies(greeted, 1);
  greeted.write(hello);
  await welcome;
  const silent = await open(t, path);
  const told = replies(silent, 1);
  const third = await open(t, path);
  const served = replies(third, 1);
  third.write(hello);
  assert.equal((await served)[0]?.['id'], 0);
  assert.equal(((await told)[0]?.['error'] as { limit: string }).limit, 'connections');
  const still = replies(greeted, 1);
  greeted.write(frameOf({ id: 5, op: 'x', params: {} }));
  assert.equal((await still)[0]?.['id'], 5);
});

test('a reply that no frame can hold becomes a named error for that request alone', async (t) => {
  const path = await serve(t, () =>
    serviceWith((request, settle) => {
      settle({ ok: { value: new Uint8Array(request.op === 'large' ? 300_000 : 3) } });
    }),
  );
  const socket = await open(t, path);
  const got = replies(socket, 3);
  socket.write(
    Buffer.concat([
      hello,
      frameOf({ id: 1, op: 'large', params: {} }),
      frameOf({ id: 2, op: 'x', params: {} }),
    ]),
  );
  const [, first, second] = await got;
  assert.equal((first?.['error'] as { code: string }).code, 'TOO_LARGE');
  assert.ok('ok' in (second ?? {}));
});

test('a peer that does not read is not read from, and loses no reply once it does', async (t) => {
  let begun = 0;
  const value = new Uint8Array(50_000);
  const path = await serve(
    t,
    () =>
      serviceWith((_request, settle) => {
        begun++;
        settle({ ok: { value } });
      }),
    { writeBacklogBytes: 200_000, inFlight: 1000 },
  );
  const socket = await open(t, path);
  const total = 200;
  socket.pause();
  socket.write(hello);
  for (let id = 1; id <= total; id++) socket.write(frameOf({ id, op: 'x', params: {} }));
  const other = await open(t, path);
  const answered = replies(other, 2);
  other.write(Buffer.concat([hello, frameOf({ id: 7, op: 'x', params: {} })]));
  await answered;
  assert.ok(begun < total);
  const all = replies(socket, total + 1);
  socket.resume();
  assert.deepEqual(
    (await all).map(({ id }) => id),
    [0, ...Array.from({ length: total }, (_, index) => index + 1)],
  );
});
