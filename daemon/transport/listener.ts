import { Socket, createServer } from 'node:net';
import { HushError } from '../../protocol/errors.ts';
import { createFrameEncoder, protocolVersions } from '../../protocol/frames.ts';
import type { Limits } from '../../protocol/index.ts';
import { copyBytes, wipe } from '../memory/plain-bytes.ts';
import { createConnection, type Connection } from './connection.ts';
import type { Service } from './service.ts';
import { createSlabs } from './slabs.ts';

const sweepMs = 250;
const readBytes = 64 * 1024;

/** The socket that clients connect to, and their connections. */
export interface Listener {
  /** Stops accepting, lets what began finish, then closes every connection. */
  close(): Promise<void>;
}

interface ListenerParts {
  readonly path: string;
  /** A socket that listens at `path` already, and belongs to the listener from now on. */
  readonly fd?: number | undefined;
  readonly limits: Limits;
  readonly daemon: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Called once a connection with its socket, before anything is read from it. */
  readonly service: (socket: Socket) => Service;
  /** Told of each connection that is closed for passing a limit. */
  readonly onLimit: (limit: string) => void;
}

/** What Node keeps of a stream behind its public face: the handle that reads. */
interface WithHandle {
  _handle: object | null;
}

/**
 * Node reads accepted sockets into fresh memory that keeps the last bytes. This gives the accepted handle a
 * socket that reads into `buffer`, which is ours to wipe. It leans on `_handle`, a private field of Node,
 * tested on each Node that hushd runs on (test/transport/connection.test.ts).
 */
function readInto(accepted: Socket, buffer: Uint8Array, received: (bytes: number) => void): Socket {
  // Every net.Socket has this field; Node's types leave it out because it is private.
  const holder = accepted as unknown as WithHandle;
  const handle = holder._handle;
  if (handle === null) throw new HushError('UNAVAILABLE', 'the connection was gone before it was read');
  holder._handle = null;
  const options = {
    handle,
    onread: {
      buffer,
      callback: (bytes: number) => {
        received(bytes);
        return true;
      },
    },
  };
  // The constructor takes a handle (as net.createServer itself gives it); the types name only a descriptor.
  return new Socket(options as ConstructorParameters<typeof Socket>[0]);
}

function receive(connection: Connection, chunk: Uint8Array): void {
  try {
    connection.receive(chunk);
  } finally {
    wipe(chunk);
  }
}

/** Listens on a Unix-domain socket at `path`, which must be free, or on the one that was handed over. */
export async function listen(parts: ListenerParts): Promise<Listener> {
  const { limits, now } = parts;
  const open = new Set<Connection>();
  /** Told to go, and no longer counted: their last bytes are on the way. */
  const leaving = new Set<Connection>();
  const encoder = createFrameEncoder();
  const slabs = createSlabs(8);
  const buffer = Buffer.from(new ArrayBuffer(readBytes));
  const hello = { versions: protocolVersions, daemon: parts.daemon, limits };
  let closed: (() => void) | undefined;

  const refuse = (connection: Connection, limit: keyof Limits): void => {
    parts.onLimit(limit);
    connection.refuse(
      new HushError('LIMIT_EXCEEDED', `the connection was closed: ${limit} is ${limits[limit]}`, { limit }),
    );
  };

  /** Past the limit the connection that is least missed makes room: not greeted first, then longest idle. */
  const makeRoom = (): void => {
    if (open.size < limits.connections) return;
    let victim: Connection | undefined;
    for (const connection of open) {
      if (connection.inFlight() > 0) continue;
      if (victim === undefined) victim = connection;
      else if (victim.greeted() !== connection.greeted()) victim = victim.greeted() ? connection : victim;
      else if (connection.idleSince() < victim.idleSince()) victim = connection;
    }
    if (victim === undefined) return;
    refuse(victim, 'connections');
    open.delete(victim);
    leaving.add(victim);
  };

  const accept = (accepted: Socket): void => {
    makeRoom();
    const socket = readInto(accepted, buffer, (bytes) => {
      const chunk = buffer.subarray(0, bytes);
      const known = service.whenKnown();
      if (known === undefined) {
        receive(connection, chunk);
        return;
      }
      // The buffer is every connection's; what waits has its own.
      const waiting = copyBytes(chunk);
      wipe(chunk);
      socket.pause();
      void known.then(() => {
        socket.resume();
        receive(connection, waiting);
      });
    });
    socket.on('error', () => {
      socket.destroy();
    });
    const service = parts.service(socket);
    const connection = createConnection({
      socket,
      limits,
      encoder,
      slabs,
      now,
      hello,
      service,
    });
    socket.once('close', () => {
      open.delete(connection);
      leaving.delete(connection);
      if (open.size + leaving.size === 0) closed?.();
    });
    if (open.size >= limits.connections) {
      leaving.add(connection);
      refuse(connection, 'connections');
      return;
    }
    open.add(connection);
    socket.resume();
  };

  const server = createServer({ pauseOnConnect: true }, accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const { path, fd } = parts;
    server.listen({ ...(fd === undefined ? { path } : { fd }), backlog: 511 }, () => {
      server.off('error', reject);
      resolve();
    });
  });

  const sweep = setInterval(() => {
    const at = now();
    for (const connection of [...open, ...leaving]) {
      const limit = connection.overdue(at);
      if (limit === undefined) continue;
      if (limit === 'drainMs') {
        parts.onLimit(limit);
        connection.destroy();
      } else {
        refuse(connection, limit);
      }
    }
  }, sweepMs);
  sweep.unref();

  return {
    async close() {
      server.close();
      for (const connection of open) connection.finish();
      const gone = new Promise<void>((resolve) => {
        closed = resolve;
      });
      if (open.size + leaving.size > 0) {
        const timer = setTimeout(() => {
          for (const connection of [...open, ...leaving]) connection.destroy();
        }, 2000);
        await gone;
        clearTimeout(timer);
      }
      clearInterval(sweep);
    },
  };
}
