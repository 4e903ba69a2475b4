import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFrameEncoder, createFrameReader, decodeMessage } from '../../protocol/frames.ts';
import type { Limits } from '../../protocol/shapes.ts';

export const limits: Limits = {
  frameBytes: 1_500_000,
  valueBytes: 65_536,
  plaintextBytes: 1_048_576,
  connections: 64,
  inFlight: 64,
  helloMs: 2000,
  frameMs: 2000,
  idleMs: 60_000,
  writeBacklogBytes: 4_000_000,
  drainMs: 2000,
  batchItems: 100,
};

/** One request as a server of the tests sees it; binaries are copies. */
export interface Request {
  readonly id: number;
  readonly op: string;
  readonly params: Record<string, unknown>;
}

/** The server's end of one connection. */
export interface Peer {
  readonly socket: Socket;
  readonly requests: Request[];
  /** The sizes of what each read gave. */
  readonly reads: number[];
  send(message: object): void;
  ok(request: Request, ok: object): void;
  fail(request: Request, error: object): void;
}

export interface TestServer {
  readonly path: string;
  readonly peers: Peer[];
  /** Stops listening and drops all connections; the socket's path goes away. */
  stop(): Promise<void>;
}

/** A path for a socket in a folder of its own, which `dispose` removes. */
export async function temporarySocket(): Promise<{ path: string; dispose: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hush-client-'));
  return { path: join(folder, 'hushd.sock'), dispose: () => rm(folder, { recursive: true }) };
}

/** Lets the server greet like the daemon; for anything else `handle` decides. */
export function startServer(
  path: string,
  handle: (request: Request, peer: Peer) => void,
  told: Partial<Limits> = {},
): Promise<TestServer> {
  return startRawServer(path, (request, peer) => {
    if (request.op !== 'hello') {
      handle(request, peer);
      return;
    }
    peer.ok(request, { version: 1, versions: [1], daemon: 'test', limits: { ...limits, ...told } });
  });
}

/** A server on a real socket that speaks in frames, and says what `handle` makes it say. */
export async function startRawServer(
  path: string,
  handle: (request: Request, peer: Peer) => void,
): Promise<TestServer> {
  const peers: Peer[] = [];
  const server = createServer((socket) => {
    const encoder = createFrameEncoder();
    const reader = createFrameReader(limits.frameBytes);
    const send = (message: object): void => {
      socket.write(encoder.encode(message, limits.frameBytes, (frame) => Buffer.from(frame)));
    };
    const peer: Peer = {
      socket,
      requests: [],
      reads: [],
      send,
      ok: ({ id }, ok) => {
        send({ id, ok });
      },
      fail: ({ id }, error) => {
        send({ id, error });
      },
    };
    peers.push(peer);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      peer.reads.push(chunk.byteLength);
      reader.push(chunk, (bytes, start, end) => {
        // The client under test sends requests of this shape, or the test fails on its own terms.
        const request = structuredClone(decodeMessage(bytes, start, end)) as unknown as Request;
        peer.requests.push(request);
        handle(request, peer);
        return true;
      });
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    peers,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of peers) socket.destroy();
      await closed;
    },
  };
}
