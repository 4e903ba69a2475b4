import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Packr, Unpackr } from 'msgpackr';
import type { ClientKey } from '../../noise/client-key.ts';
import { beginInitiator } from '../../noise/handshake.ts';
import { createRecordReader, prologueOf, sealedLength, sealRecords } from '../../noise/records.ts';

/** One request of a load, encoded once; each sending only writes its id. */
export interface Request {
  /** The whole frame: length, then `{id, op, params}`, the id as a msgpack uint32. */
  readonly frame: Buffer;
}

/** How long single round trips took, in microseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** One connection that asks as fast as a plain Node client can. */
export interface Rounds {
  /** Sends `count` requests, each after the reply to the one before, taking them in turn. */
  readonly oneAtATime: (requests: readonly Request[], count: number) => Promise<Latency>;
  /** Sends `count` requests, `inFlight` of them open at any time, and gives the replies per second. */
  readonly pipelined: (requests: readonly Request[], count: number, inFlight: number) => Promise<number>;
  readonly close: () => void;
}

/** A connection that speaks hushd's protocol. */
export interface Load extends Rounds {
  /** One call with its reply decoded. Rejects with the code and message of an error reply. */
  readonly call: (op: string, params: object) => Promise<unknown>;
  /** How many bytes the frame of a reply has. */
  readonly replyLength: (request: Request) => Promise<number>;
}

/** Takes one reply: `id`, and where its frame's body lies. */
type OnReply = (bytes: Buffer, start: number, end: number) => void;

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

/** Where the id's four bytes stand in a request: after length (4), map (1), `id` (3) and the uint32 mark (1). */
const idOffset = 9;

/** A request as text, to hand it to another process. */
export const requestToText = ({ frame }: Request): string => frame.toString('base64');

/** The request of such a text. */
export const requestFromText = (text: string): Request => ({ frame: Buffer.from(text, 'base64') });

/** The request `{id, op, params}` with its id still to be written. */
export function requestOf(op: string, params: object): Request {
  const body = Buffer.concat([
    Buffer.of(0x83, 0xa2, 0x69, 0x64, 0xce, 0, 0, 0, 0),
    packr.pack('op'),
    packr.pack(op),
    packr.pack('params'),
    packr.pack(params),
  ]);
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32BE(body.length, 0);
  frame.set(body, 4);
  return { frame };
}

/** The value below which the given part (0 to 1) of the sorted figures lie. */
export function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN;
}

/** The id of a reply that begins `{id: n, ok: …` in any of msgpack's forms, or -1 for every other body. */
function idOfSuccess(bytes: Buffer, start: number): number {
  let at = start;
  if (bytes[at] === 0x82) at += 1;
  else if (bytes[at] === 0xde) at += 3;
  else return -1;
  if (bytes[at] !== 0xa2 || bytes[at + 1] !== 0x69 || bytes[at + 2] !== 0x64) return -1;
  at += 3;
  const mark = bytes[at] ?? 0;
  let id = mark;
  if (mark <= 0x7f) at += 1;
  else if (mark === 0xcc) [id, at] = [bytes.readUInt8(at + 1), at + 2];
  else if (mark === 0xcd) [id, at] = [bytes.readUInt16BE(at + 1), at + 3];
  else if (mark === 0xce) [id, at] = [bytes.readUInt32BE(at + 1), at + 5];
  else return -1;
  return bytes[at] === 0xa2 && bytes[at + 1] === 0x6f && bytes[at + 2] === 0x6b ? id : -1;
}

/** What a reply that is not a plain success says. */
function failureOf(bytes: Buffer, start: number, end: number): Error {
  const reply: unknown = unpackr.unpack(bytes.subarray(start, end));
  return new Error(`the load met ${JSON.stringify(reply)}`);
}

/** What a reply in a frame, which is no error, has under `ok`. */
function okOf(frame: Buffer): unknown {
  // The body begins `{id, ok`, as was seen when it came.
  return (unpackr.unpack(frame.subarray(4)) as { ok: unknown }).ok;
}

/** Cuts the bytes that a socket reads into frames; what is left of a frame waits for the next bytes. */
function frameCutter(onFrame: OnReply): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    let at = 0;
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      onFrame(bytes, at + 4, end);
      at = end;
    }
    if (at < bytes.length) rest = Buffer.from(bytes.subarray(at));
  };
}

/**
 * Connects to a socket and says `hello`; with a key it goes on as the enrolled client. Rejects if nobody listens, or on
 * a reply that is an error.
 */
export async function openLoad(socketPath: string, key?: ClientKey): Promise<Load> {
  let onReply: OnReply = () => undefined;
  let onBatch: () => void = () => undefined;
  let onFailure: (reason: Error) => void = () => undefined;

  const cut = frameCutter((bytes, start, end) => {
    onReply(bytes, start, end);
  });
  let take: (chunk: Buffer) => void = cut;
  const socket: Socket = await new Promise((resolve, reject) => {
    const opening = connect({
      path: socketPath,
      onread: {
        buffer: Buffer.alloc(65_536),
        callback: (length, buffer) => {
          try {
            // The buffer given above is a Buffer, and Node hands that same one back.
            take((buffer as Buffer).subarray(0, length));
            onBatch();
          } catch (error) {
            onFailure(error instanceof Error ? error : new Error(String(error)));
          }
          return true;
        },
      },
    });
    opening.once('connect', () => {
      resolve(opening);
    });
    opening.once('error', reject);
  });
  let write: (bytes: Buffer) => void = (bytes) => void socket.write(bytes);
  socket.on('error', (error) => {
    onFailure(error);
  });
  socket.on('close', () => {
    onFailure(new Error('the other end closed the connection'));
  });

  /** Runs one load; `start` sets the handlers and sends, and calls `done` when the last reply is in. */
  const run = <T>(start: (done: (result: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      onFailure = reject;
      start((result) => {
        onReply = (bytes, from, to) => {
          throw failureOf(bytes, from, to);
        };
        onBatch = () => undefined;
        resolve(result);
      });
    });

  /** Sends one request; gives the whole frame of its reply, which is no error. */
  const exchange = (frame: Buffer): Promise<Buffer> =>
    run((done) => {
      onReply = (bytes, start, end) => {
        if (idOfSuccess(bytes, start) < 0) throw failureOf(bytes, start, end);
        done(Buffer.from(bytes.subarray(start - 4, end)));
      };
      write(frame);
    });

  const call: Load['call'] = async (op, params) => okOf(await exchange(requestOf(op, params).frame));

  /** Goes on in records, as the enrolled client. */
  const shakeHands = async (prologue: Uint8Array, { privateKey, daemonKey }: ClientKey): Promise<void> => {
    const initiator = beginInitiator({ prologue, staticKey: privateKey, remoteStatic: daemonKey });
    // The reply has the shape that docs/protocol.md gives.
    const { message } = (await call('handshake', { pattern: 'IK', message: initiator.message1 })) as {
      message: Uint8Array;
    };
    const transport = initiator.receive(message);
    const records = createRecordReader(transport);
    take = (chunk) => {
      records.push(chunk, (plain) => {
        cut(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength));
        return true;
      });
    };
    write = (bytes) => {
      const sealed = Buffer.from(new ArrayBuffer(sealedLength(bytes.length)));
      sealRecords(transport, bytes, sealed);
      socket.write(sealed);
    };
  };

  const replyLength: Load['replyLength'] = ({ frame }) =>
    run((done) => {
      onReply = (bytes, start, end) => {
        if (idOfSuccess(bytes, start) < 0) throw failureOf(bytes, start, end);
        done(4 + end - start);
      };
      frame.writeUInt32BE(1, idOffset);
      write(frame);
    });

  const oneAtATime: Load['oneAtATime'] = (requests, count) =>
    run((done) => {
      const frames = requests.map((request) => request.frame);
      const times = new Float64Array(count);
      let asked = 0;
      let sentAt = 0;
      const send = (): void => {
        const frame = frames[asked % frames.length] ?? Buffer.alloc(0);
        frame.writeUInt32BE(asked, idOffset);
        sentAt = performance.now();
        write(frame);
      };
      onReply = (bytes, start, end) => {
        const took = performance.now() - sentAt;
        if (idOfSuccess(bytes, start) !== asked) throw failureOf(bytes, start, end);
        times[asked] = took * 1000;
        asked += 1;
        if (asked < count) {
          send();
          return;
        }
        times.sort();
        done({ count, p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
      };
      send();
    });

  const pipelined: Load['pipelined'] = (requests, count, inFlight) =>
    run((done) => {
      const frames = requests.map((request) => request.frame);
      const longest = Math.max(...frames.map((frame) => frame.length));
      const open = new Uint8Array(count);
      let batch = Buffer.alloc(longest * inFlight);
      let sent = 0;
      let answered = 0;
      /** Sends as many requests as may be open, in one write. */
      const fill = (): void => {
        if (socket.writableLength > 0) batch = Buffer.alloc(batch.length);
        let used = 0;
        while (sent < count && sent - answered < inFlight) {
          const frame = frames[sent % frames.length] ?? Buffer.alloc(0);
          frame.writeUInt32BE(sent, idOffset);
          batch.set(frame, used);
          used += frame.length;
          open[sent] = 1;
          sent += 1;
        }
        if (used > 0) write(batch.subarray(0, used));
      };
      const startedAt = performance.now();
      onReply = (bytes, start, end) => {
        const id = idOfSuccess(bytes, start);
        if (open[id] !== 1) throw failureOf(bytes, start, end);
        open[id] = 0;
        answered += 1;
        if (answered === count) done(count / ((performance.now() - startedAt) / 1000));
      };
      onBatch = fill;
      fill();
    });

  const hello = requestOf('hello', { versions: [1], client: 'load' }).frame;
  const answer = await exchange(hello);
  if (key !== undefined) await shakeHands(prologueOf(hello, answer), key);
  return {
    call,
    replyLength,
    oneAtATime,
    pipelined,
    close: () => {
      socket.destroy();
    },
  };
}
