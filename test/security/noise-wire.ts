import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Unpackr } from 'msgpackr';
import type { HushClient } from '../../client/index.ts';
import { writeClientKey } from '../../noise/client-key.ts';
import { beginInitiator } from '../../noise/handshake.ts';
import { createRecordReader, prologueOf, sealedLength, sealRecords } from '../../noise/records.ts';
import type { Transport } from '../../noise/transport.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { newBytes } from '../../protocol/bytes.ts';
import { requestFrame, wireOver, type Reply, type Wire } from './wire.ts';

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

/** An enrolled client, and what its key file holds. */
export interface Enrolled {
  readonly name: string;
  readonly privateKey: Uint8Array<ArrayBuffer>;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly daemonKey: Uint8Array<ArrayBuffer>;
  /** The bytes of its key file. */
  readonly file: Uint8Array<ArrayBuffer>;
}

/** Enrols a client by what an operator may do. */
export async function enrol(operator: HushClient, name: string): Promise<Enrolled> {
  const privateKey = newPrivateKey();
  const publicKey = publicKeyOf(privateKey);
  const told = await operator.call('client.add', { name, publicKey });
  const daemonKey = newBytes(32);
  daemonKey.set(told.daemonKey);
  const key = { name, privateKey, publicKey, daemonKey };
  return { ...key, file: writeClientKey(key) };
}

/** A connection after hello, with the exact bytes of both: what a handshake by hand takes. */
export interface Greeted {
  readonly socket: Socket;
  readonly prologue: Uint8Array;
  /** Sends a handshake with any message; gives the reply, or undefined where the connection ends without one. */
  shake(pattern: string, message: Uint8Array): Promise<Reply | undefined>;
  /** Resolves with what was received and not read yet, once the connection has ended. */
  rest(): Promise<Buffer>;
  /** The records of bytes under a transport; nothing is sent. */
  records(transport: Transport, plain: Uint8Array): Uint8Array;
  /** A wire inside the records of a transport. */
  secured(transport: Transport): Wire;
}

/** Connects to the socket at `path`, and says hello. The connection is closed after the test. */
export async function greetByHand(t: TestContext, path: string, params: object = {}): Promise<Greeted> {
  const socket = connect(path);
  t.after(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  let unread = Buffer.alloc(0);
  let isOver = false;
  let wake = (): void => undefined;
  let divert: ((chunk: Buffer) => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    if (divert !== undefined) divert(chunk);
    else unread = Buffer.concat([unread, chunk]);
    wake();
  });
  socket.on('close', () => {
    isOver = true;
    wake();
  });
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  const frame = async (): Promise<Buffer | undefined> => {
    while (unread.length < 4 || unread.length < 4 + unread.readUInt32BE(0)) {
      if (isOver) return undefined;
      await changed();
    }
    const end = 4 + unread.readUInt32BE(0);
    const taken = unread.subarray(0, end);
    unread = unread.subarray(end);
    return taken;
  };

  const hello = requestFrame(1, 'hello', { versions: [1], ...params });
  socket.write(hello);
  const answer = await frame();
  if (answer === undefined) throw new Error('hello was not answered');

  const records = (transport: Transport, plain: Uint8Array): Uint8Array => {
    const out = newBytes(sealedLength(plain.byteLength));
    sealRecords(transport, plain, out);
    return out;
  };

  return {
    socket,
    prologue: prologueOf(hello, answer),
    async shake(pattern, message) {
      socket.write(requestFrame(2, 'handshake', { pattern, message }));
      const reply = await frame();
      // What the daemon says has this shape, or the test fails by what it then asserts.
      return reply === undefined ? undefined : (unpackr.unpack(reply.subarray(4)) as Reply);
    },
    async rest() {
      while (!isOver) await changed();
      return unread;
    },
    records,
    secured(transport) {
      const reader = createRecordReader(transport);
      const opened = new PassThrough();
      const take = (chunk: Buffer): void => {
        reader.push(chunk, (plain) => opened.write(Buffer.from(plain)) || true);
      };
      divert = take;
      if (unread.length > 0) take(unread);
      unread = Buffer.alloc(0);
      socket.once('close', () => opened.end());
      const sealing = new Writable({
        write(chunk: Buffer, _encoding, done) {
          socket.write(records(transport, chunk));
          done();
        },
      });
      return wireOver(opened, sealing, () => socket.destroy());
    },
  };
}

/** A whole handshake of an enrolled client by hand; gives the wire inside it, and the transport. */
export async function enrolledWire(
  t: TestContext,
  path: string,
  key: Pick<Enrolled, 'privateKey' | 'daemonKey'>,
): Promise<{ readonly wire: Wire; readonly transport: Transport; readonly greeted: Greeted }> {
  const greeted = await greetByHand(t, path);
  const initiator = beginInitiator({
    prologue: greeted.prologue,
    staticKey: key.privateKey,
    remoteStatic: key.daemonKey,
  });
  const reply = await greeted.shake('IK', initiator.message1);
  const message = reply?.ok?.['message'];
  if (!(message instanceof Uint8Array)) throw new Error(JSON.stringify(reply?.error));
  const transport = initiator.receive(message);
  return { wire: greeted.secured(transport), transport, greeted };
}

/** Which way bytes go through a relay. */
export type Way = 'toDaemon' | 'toClient';

/** A socket that hands everything on to another, and remembers it. */
export interface Relay {
  readonly path: string;
  /** All bytes of the last connection, each way. */
  seen(way: Way): Buffer;
}

/**
 * Listens beside the socket at `path`, and hands on what comes. `change` may change bytes on their way: it gets each
 * piece and where in its direction of the connection it begins.
 */
export async function startRelay(
  t: TestContext,
  path: string,
  change: (piece: Buffer, at: number, way: Way) => Buffer = (piece) => piece,
): Promise<Relay> {
  const own = join(dirname(path), `relay-${randomBytes(4).toString('hex')}`);
  let seen: Record<Way, Buffer[]> = { toDaemon: [], toClient: [] };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const pieces: Record<Way, Buffer[]> = { toDaemon: [], toClient: [] };
    seen = pieces;
    const daemon = connect(path);
    const passOn = (from: Socket, to: Socket, way: Way): void => {
      let at = 0;
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('data', (chunk: Buffer) => {
        pieces[way].push(chunk);
        to.write(change(Buffer.from(chunk), at, way));
        at += chunk.length;
      });
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
    };
    passOn(client, daemon, 'toDaemon');
    passOn(daemon, client, 'toClient');
  });
  server.listen(own);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { path: own, seen: (way) => Buffer.concat(seen[way]) };
}
