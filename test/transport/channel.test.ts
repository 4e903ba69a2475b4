import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { createGcm } from '../../client/local/aes-gcm.ts';
import type { Request } from '../../daemon/transport/message.ts';
import type { Outcome, Service } from '../../daemon/transport/service.ts';
import { listen } from '../../daemon/transport/listener.ts';
import { createFieldOpener, createFieldSealer, openFields, sealFields } from '../../noise/fields.ts';
import { acceptResponder, beginInitiator, handshakeFailed } from '../../noise/handshake.ts';
import type { Transport } from '../../noise/transport.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import type { HushError } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/index.ts';
import { greetByHand, type Greeted } from '../security/noise-wire.ts';
import { codeOf, requestFrame, type Wire } from '../security/wire.ts';
import { eventually } from '../security/facts.ts';

const limits: Limits = {
  frameBytes: 400_000,
  valueBytes: 100,
  plaintextBytes: 100,
  connections: 4,
  inFlight: 1000,
  helloMs: 60_000,
  frameMs: 60_000,
  idleMs: 60_000,
  writeBacklogBytes: 1_000_000,
  drainMs: 60_000,
  batchItems: 10,
};

/** What a test sees of the daemon's end. */
interface Seen {
  readonly transports: Transport[];
  readonly refused: HushError[];
  readonly limits: string[];
  proved: number;
}

interface Served {
  readonly path: string;
  readonly seen: Seen;
  /** A connection of the client, after the handshake. */
  open(sealsFields?: boolean): Promise<{ wire: Wire; greeted: Greeted; transport: Transport }>;
}

/** A listener that knows one client, and begins requests like this. */
async function serve(t: TestContext, begin: Service['begin'], given: Partial<Limits> = {}): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-channel-'));
  const path = join(folder, 'sock');
  const [clientKey, daemonKey] = [newPrivateKey(), newPrivateKey()];
  const seen: Seen = { transports: [], refused: [], limits: [], proved: 0 };
  const service: Service = {
    whenKnown: () => undefined,
    begin,
    endTurn: () => undefined,
    greeted: () => undefined,
    refused: (error) => void seen.refused.push(error),
    wantsFields: () => false,
    handshake: ({ prologue, message, pattern, sealsFields }) => {
      if (pattern === 'NN') throw handshakeFailed();
      const isEnrolled = (key: Uint8Array): boolean => Buffer.from(key).equals(publicKeyOf(clientKey));
      const accepted = acceptResponder({ prologue, staticKey: daemonKey, message1: message, isEnrolled });
      const { transport, message2 } = accepted;
      seen.transports.push(transport);
      const fieldKey = sealsFields ? transport.fieldKey : undefined;
      return { message: message2, transport, fieldKey, proved: () => (seen.proved += 1) };
    },
  };
  const listener = await listen({
    path,
    limits: { ...limits, ...given },
    daemon: 'test',
    now: () => performance.now(),
    service: () => service,
    onLimit: (limit) => void seen.limits.push(limit),
  });
  t.after(async () => {
    await listener.close();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    seen,
    async open(sealsFields = false) {
      const greeted = await greetByHand(t, path, sealsFields ? { fieldEncryption: true } : {});
      const initiator = beginInitiator({
        prologue: greeted.prologue,
        staticKey: clientKey,
        remoteStatic: publicKeyOf(daemonKey),
      });
      const message2 = (await greeted.shake('IK', initiator.message1))?.ok?.['message'];
      assert.ok(message2 instanceof Uint8Array);
      const transport = initiator.receive(message2);
      return { wire: greeted.secured(transport), greeted, transport };
    },
  };
}

const echo: Service['begin'] = ({ op, params }, settle) => {
  settle({ ok: { op, params } });
};

test('frames are served however they are cut into records, and records into pieces', async (t) => {
  const { open, seen } = await serve(t, echo);
  const property = fc.asyncProperty(
    fc.array(fc.nat(3000), { minLength: 1, maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 }),
    async (sizes, recordCuts, pieceCuts) => {
      const { wire, greeted, transport } = await open();
      const frames = Buffer.concat(
        sizes.map((size, id) => requestFrame(id, 'x', { value: new Uint8Array(size).fill(id) })),
      );
      const sealed = Buffer.concat(cut(frames, recordCuts).map((plain) => greeted.records(transport, plain)));
      for (const piece of cut(sealed, pieceCuts)) greeted.socket.write(piece);
      for (const [id, size] of sizes.entries()) {
        const reply = await wire.next();
        assert.equal(reply?.id, id);
        const { value } = (reply.ok?.['params'] ?? {}) as { value: Uint8Array };
        assert.deepEqual(Buffer.from(value), Buffer.alloc(size, id));
      }
      wire.close();
      await wire.ended;
    },
  );
  await fc.assert(property, { numRuns: 25 });
  assert.deepEqual(seen.refused, []);
  assert.equal(seen.proved, seen.transports.length, 'each has proved itself once, by its first record');
});

/** The bytes in pieces of these lengths, again and again. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = lengths[index % lengths.length] ?? 1;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

test('a message longer than a record arrives whole, in both directions', async (t) => {
  const { open } = await serve(t, echo);
  const { wire } = await open();
  const value = Buffer.from(new Uint8Array(300_000).map((_, index) => index * 7));
  const reply = await wire.ask('x', { value });
  assert.deepEqual(Buffer.from((reply.ok?.['params'] as { value: Uint8Array }).value), value);
});

test('a peer that does not read is not read from, and loses no reply once it does', async (t) => {
  let begun = 0;
  const value = new Uint8Array(50_000);
  const { open } = await serve(
    t,
    (_request, settle) => {
      begun++;
      settle({ ok: { value } });
    },
    { writeBacklogBytes: 200_000 },
  );
  const { wire, greeted, transport } = await open();
  const total = 200;
  greeted.socket.pause();
  const requests = Array.from({ length: total }, (_, id) => requestFrame(id, 'x', {}));
  // Half of them in one record each, half in one record together.
  for (const request of requests.slice(0, total / 2))
    greeted.socket.write(greeted.records(transport, request));
  greeted.socket.write(greeted.records(transport, Buffer.concat(requests.slice(total / 2))));
  await eventually('the first are begun', () => begun > 0);
  assert.ok(begun < total);
  greeted.socket.resume();
  for (let id = 0; id < total; id++) assert.equal((await wire.next())?.id, id);
  assert.equal(begun, total);
});

test('errors of the whole connection are sealed too, and half a record is a frame that has begun', async (t) => {
  const { open, seen } = await serve(t, echo, { frameMs: 100 });
  const oversized = await open();
  oversized.greeted.socket.write(
    oversized.greeted.records(oversized.transport, Buffer.from([0xff, 0, 0, 0])),
  );
  assert.equal(codeOf(await oversized.wire.next()), 'TOO_LARGE');
  const half = await open();
  const record = half.greeted.records(half.transport, requestFrame(1, 'x', {}));
  half.greeted.socket.write(record.subarray(0, record.length - 1));
  assert.equal((await half.wire.next())?.error?.limit, 'frameMs');
  const dripping = await open();
  const frame = requestFrame(1, 'x', { value: new Uint8Array(1000) });
  dripping.greeted.socket.write(dripping.greeted.records(dripping.transport, frame.subarray(0, 3)));
  dripping.greeted.socket.write(dripping.greeted.records(dripping.transport, frame.subarray(3, 4)));
  assert.equal((await dripping.wire.next())?.error?.limit, 'frameMs');
  assert.deepEqual(seen.limits, ['frameMs', 'frameMs']);
});

test('values that were opened are wiped when their request has ended, and all keys when the connection has', async (t) => {
  const views: Uint8Array[] = [];
  const waiting: { request: Request; settle: (outcome: Outcome) => void }[] = [];
  const { open, seen } = await serve(t, (request, settle) => {
    waiting.push({ request, settle });
    views.push((request.params as { value: Uint8Array }).value);
  });
  const plain = await open();
  const asked = plain.wire.ask('x', { value: Buffer.from('a secret in a record') });
  await eventually('it has begun', () => views.length === 1);
  assert.ok(
    views[0]?.every((byte) => byte === 0),
    'the plaintext of a record lives no longer than its event',
  );
  waiting[0]?.settle({ ok: {} });
  await asked;
  plain.wire.close();
  await eventually(
    'the keys are gone',
    () => seen.transports[0]?.fieldKey.every((byte) => byte === 0) ?? false,
  );
  const over = seen.transports[0] ?? assert.fail();
  assert.throws(() => over.seal(new Uint8Array(1), new Uint8Array(17)), { code: 'UNAVAILABLE' });
});

test('a field that was opened lives until its request has ended, and is wiped then', async (t) => {
  const held: { value: Uint8Array; settle: (outcome: Outcome) => void }[] = [];
  const { open, seen } = await serve(t, ({ params }, settle) => {
    held.push({ value: (params as { value: Uint8Array }).value, settle });
  });
  const { wire, greeted, transport } = await open(true);
  const gcm = createGcm(transport.fieldKey);
  const params = sealFields(createFieldSealer(gcm, 'request'), 7, 'params', {
    value: Buffer.from('a secret field'),
  });
  greeted.socket.write(greeted.records(transport, requestFrame(7, 'x', params)));
  await eventually('it has begun', () => held.length === 1);
  const { value, settle } = held[0] ?? assert.fail();
  assert.equal(Buffer.from(value).toString(), 'a secret field');
  assert.ok(
    seen.transports[0]?.fieldKey.every((byte) => byte === 0),
    'its key is in the cipher alone by now',
  );
  settle({ ok: { value: Buffer.from('a secret reply') } });
  assert.ok(value.every((byte) => byte === 0));
  const reply = await wire.next();
  const opened = openFields(createFieldOpener(gcm, 'reply'), 7, 'ok', reply?.ok) as { value: Uint8Array };
  assert.equal(Buffer.from(opened.value).toString(), 'a secret reply');
});
