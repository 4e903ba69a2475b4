import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { Packr, Unpackr } from 'msgpackr';
import { z } from 'zod';

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

const reply = z.strictObject({
  id: z.number().nullable(),
  ok: z.record(z.string(), z.unknown()).optional(),
  error: z
    .strictObject({
      code: z.string(),
      message: z.string(),
      hint: z.string(),
      retryAfterMs: z.number().int().positive().optional(),
      limit: z.string().optional(),
      approval: z.string().optional(),
    })
    .optional(),
});

/** One message of the daemon: a result, or an error. */
export type Reply = z.output<typeof reply>;

/** A connection that sends whatever it is told to, and believes nothing. */
export interface Wire {
  /** Writes bytes as they are. */
  write(bytes: Uint8Array): void;
  /** Sends a request with an id of its own, and gives the reply with that id. Rejects if the connection ends first. */
  ask(op: string, params: object): Promise<Reply>;
  /** The next reply that no `ask` waits for; undefined once the connection has ended. */
  next(): Promise<Reply | undefined>;
  /** Resolves once the connection has ended. */
  readonly ended: Promise<unknown>;
  close(): void;
}

/** The MessagePack bytes of a value. */
export const pack = (value: unknown): Uint8Array => Uint8Array.from(packr.encode(value));

/** Bytes as a frame: their length in 4 bytes, big endian, before them. */
export function frameOf(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, 4);
  return frame;
}

/** A request as a frame. */
export const requestFrame = (id: number, op: string, params: unknown): Uint8Array =>
  frameOf(pack({ id, op, params }));

/** What a reply came to: `ok`, or the code of its error. */
export const codeOf = (given: Reply | undefined): string =>
  given === undefined ? 'closed' : (given.error?.code ?? 'ok');

/** What stands at the end of a way of keys and indexes through a value; undefined where the way ends before. */
export const within = (value: unknown, ...way: readonly (string | number)[]): unknown =>
  way.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );

/** A wire over two streams; `close` destroys what is under them. */
export function wireOver(readable: Readable, writable: Writable, close: () => void): Wire {
  const asked = new Map<number, { resolve: (given: Reply) => void; reject: (error: Error) => void }>();
  const unasked: Reply[] = [];
  const waiting: ((given: Reply | undefined) => void)[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<undefined>();
  let unread = Buffer.alloc(0);
  let lastId = 1_000_000;
  let isOver = false;

  const take = (given: Reply): void => {
    const asker = given.id === null ? undefined : asked.get(given.id);
    if (asker !== undefined && given.id !== null) {
      asked.delete(given.id);
      asker.resolve(given);
      return;
    }
    const waiter = waiting.shift();
    if (waiter === undefined) unasked.push(given);
    else waiter(given);
  };

  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    for (const { reject } of asked.values()) reject(new Error('the connection ended before the reply'));
    for (const waiter of waiting.splice(0)) waiter(undefined);
    end(undefined);
  };

  readable.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 4 && unread.length >= 4 + unread.readUInt32BE(0)) {
      const length = 4 + unread.readUInt32BE(0);
      take(reply.parse(unpackr.unpack(unread.subarray(4, length))));
      unread = unread.subarray(length);
    }
  });
  for (const event of ['end', 'close', 'error']) readable.on(event, finish);
  writable.on('error', finish);

  const write = (bytes: Uint8Array): void => {
    if (writable.writable) writable.write(bytes);
  };

  return {
    write,
    ask(op, params) {
      const id = lastId++;
      write(requestFrame(id, op, params));
      return new Promise((resolve, reject) => {
        asked.set(id, { resolve, reject });
        if (isOver) finish();
        if (isOver) reject(new Error('the connection has ended'));
      });
    },
    next() {
      const first = unasked.shift();
      if (first !== undefined) return Promise.resolve(first);
      if (isOver) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    ended,
    close,
  };
}

/** A connection to the socket at `path`, not greeted, closed after the test. */
export async function openWire(t: TestContext, path: string): Promise<Wire> {
  const socket = connect(path);
  t.after(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return wireOver(socket, socket, () => socket.destroy());
}

/** Says hello, which must be answered. */
export async function greet(wire: Wire, client = 'test'): Promise<Wire> {
  const answer = await wire.ask('hello', { versions: [1], client });
  assert.equal(codeOf(answer), 'ok', answer.error?.message);
  return wire;
}

/** A greeted connection to the socket at `path`. */
export const greetedWire = async (t: TestContext, path: string): Promise<Wire> =>
  greet(await openWire(t, path));
