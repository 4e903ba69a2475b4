import { createConnection as createSocket } from 'node:net';
import type { Socket } from 'node:net';
import { peerCredentials, socketFd } from '../native/peer-credentials.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';
import { HushError, errorOf } from '../protocol/errors.ts';
import {
  createFrameEncoder,
  createFrameReader,
  decodeMessage,
  protocolVersions,
} from '../protocol/frames.ts';
import { operations } from '../protocol/operations.ts';
import type { OperationName, ParamsOf, ResultOf } from '../protocol/operations.ts';
import type { Limits } from '../protocol/shapes.ts';
import { newBytes, withOwnBinaries, wipeBinaries } from './bytes.ts';
import { createCallTable } from './calls.ts';
import type { Call } from './calls.ts';
import { checkListener } from './listener.ts';
import type { TrustedListeners } from './listener.ts';
import { createOutbox } from './outbox.ts';
import { checkParams, checkSizes } from './params.ts';
import { errorReply } from './reply.ts';

/** What a connection needs to be opened. */
export interface ConnectionOptions {
  /** The absolute path of the daemon's socket. */
  readonly socket: string;
  readonly trusted: TrustedListeners;
  /** When the opening is given up, on the clock of `performance.now()`. */
  readonly expiresAt: number;
  /** Called once when the connection, having been open, has ended. */
  readonly onClose: (reason: HushError) => void;
}

/** An open connection to the daemon, greeted, with a trusted listening end. */
export interface Connection {
  readonly limits: Limits;
  /** Who listens, as the kernel says. */
  readonly listener: PeerCredentials;
  /** Why the connection has ended, once it has; the very error that its calls in flight ended with. */
  ended(): HushError | undefined;
  /**
   * Sends one request and gives its reply, in whatever order replies come. Binary results are the caller's to
   * wipe. Rejects with what the daemon answered, DEADLINE, BAD_REQUEST or TOO_LARGE before anything is sent, or
   * UNREACHABLE at once when the connection drops.
   */
  call<Name extends OperationName>(
    op: Name,
    params: ParamsOf<Name>,
    expiresAt: number,
  ): Promise<ResultOf<Name>>;
  /** Ends the connection, and its calls with the reason. */
  close(reason: HushError): void;
}

/** The largest frame before `hello` has told the limits. */
const greetingBytes = 64 * 1024;
const readBufferBytes = 64 * 1024;

/**
 * Opens a connection: checks by SO_PEERCRED who listens before a byte is sent, then greets.
 * Rejects with UNREACHABLE, UNTRUSTED_LISTENER, UNSUPPORTED_VERSION, DEADLINE, or what the daemon answers.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const wire = await openWire(options.socket, options.trusted);
  try {
    const hello = await wire.call(
      'hello',
      { versions: [...protocolVersions], client: 'hushd' },
      options.expiresAt,
    );
    if (!protocolVersions.includes(hello.version)) {
      throw new HushError(
        'UNSUPPORTED_VERSION',
        `the client speaks protocol ${protocolVersions.join(', ')}, the daemon ${hello.versions.join(', ')}`,
      );
    }
    wire.obey(hello.limits, options.onClose);
    return {
      limits: hello.limits,
      listener: wire.listener,
      ended: wire.ended,
      call: wire.call,
      close: wire.close,
    };
  } catch (error) {
    wire.close(dropped('the greeting failed'));
    throw error;
  }
}

interface Wire extends Omit<Connection, 'limits'> {
  /** Goes over from the greeting to the daemon's limits. */
  obey(limits: Limits, onClose: (reason: HushError) => void): void;
}

async function openWire(path: string, trusted: TrustedListeners): Promise<Wire> {
  const encoder = createFrameEncoder();
  let reader = createFrameReader(greetingBytes);
  let frameBytes = greetingBytes;
  let limits: Limits | undefined;
  let onClose: ((reason: HushError) => void) | undefined;
  let ended: HushError | undefined;

  const { socket, listener } = await connectTo(path, trusted, receive);
  const outbox = createOutbox(socket);
  const calls = createCallTable({
    send(id, { op, params }) {
      encoder.encode({ id, op, params }, frameBytes, outbox.add);
    },
    onBusy: (busy) => (busy ? socket.ref() : socket.unref()),
    onStuck() {
      end(dropped('the daemon stopped answering'));
    },
  });

  function end(reason: HushError): void {
    if (ended !== undefined) return;
    ended = reason;
    socket.destroy();
    outbox.wipe();
    reader.wipe();
    calls.failAll(reason);
    onClose?.(reason);
  }

  function receive(chunk: Uint8Array): void {
    try {
      reader.push(chunk, (bytes, start, stop) => {
        answer(decodeMessage(bytes, start, stop));
        return ended === undefined;
      });
    } catch (error) {
      const why = error instanceof HushError ? `: ${error.message}` : '';
      end(new HushError('UNAVAILABLE', `the daemon sent what is no reply${why}`));
    }
  }

  function answer(message: Record<string, unknown>): void {
    const { id, ok } = message;
    if (typeof id === 'number' && typeof ok === 'object' && ok !== null) {
      const call = callOf(id);
      if (call !== 'late') resolveWith(call, withOwnBinaries(ok));
      return;
    }
    const failed = errorReply.safeParse(message);
    if (!failed.success) throw new HushError('UNAVAILABLE', 'neither a result nor an error is in it');
    const error = errorOf(failed.data.error);
    if (failed.data.id === null) {
      end(error);
      return;
    }
    const call = callOf(failed.data.id);
    if (call !== 'late') call.reject(error);
  }

  function callOf(id: number): Call | 'late' {
    const call = calls.settle(id);
    if (call === undefined) throw new HushError('UNAVAILABLE', 'it answers a call that was never made');
    return call;
  }

  socket.on('end', () => {
    end(dropped(reader.pending() ? 'the daemon closed the connection in the middle of a reply' : undefined));
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end(dropped(`the connection to the daemon broke (${error.code ?? 'unknown error'})`));
  });
  socket.on('close', () => {
    end(dropped());
  });

  return {
    listener,
    ended: () => ended,
    call: async (op, params, expiresAt) => {
      if (ended !== undefined) throw ended;
      const checked = checkParams(op, params);
      if (limits !== undefined) checkSizes(op, checked, limits);
      const result = await new Promise<unknown>((resolve, reject) => {
        calls.add({ op, params: checked, expiresAt, resolve, reject });
      });
      // The reply was parsed by this operation's own result schema before the promise was resolved.
      return result as ResultOf<typeof op>;
    },
    obey(told, whenClosed) {
      if (ended !== undefined) throw ended;
      if (reader.pending())
        throw new HushError('UNAVAILABLE', 'the daemon sent more than the greeting asked for');
      limits = told;
      frameBytes = told.frameBytes;
      reader = createFrameReader(told.frameBytes);
      onClose = whenClosed;
      calls.allow(told.inFlight);
    },
    close: end,
  };
}

function resolveWith(call: Call, ok: unknown): void {
  const result = operations[call.op].result.safeParse(ok);
  if (result.success) {
    call.resolve(result.data);
  } else {
    wipeBinaries(ok);
    call.reject(new HushError('UNAVAILABLE', `the daemon's answer to ${call.op} has not the shape of one`));
  }
}

function dropped(message = 'the daemon closed the connection'): HushError {
  return new HushError('UNREACHABLE', message);
}

/** A connected socket whose listening end is trusted; what it reads is wiped when `receive` returns. */
function connectTo(
  path: string,
  trusted: TrustedListeners,
  receive: (chunk: Uint8Array) => void,
): Promise<{ socket: Socket; listener: PeerCredentials }> {
  return new Promise((resolve, reject) => {
    const buffer = newBytes(readBufferBytes);
    const socket = createSocket({
      path,
      onread: {
        buffer,
        callback(length) {
          receive(buffer.subarray(0, length));
          buffer.fill(0, 0, length);
          return true;
        },
      },
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      reject(notReached(error.code));
    });
    socket.once('connect', () => {
      try {
        const listener = peerCredentials(socketFd(socket));
        checkListener(listener, trusted);
        socket.removeAllListeners('error');
        resolve({ socket, listener });
      } catch (error) {
        socket.destroy();
        reject(error instanceof Error ? error : dropped());
      }
    });
  });
}

/** UNREACHABLE without the socket's path: the sentence may travel further than the host. */
function notReached(code = 'unknown error'): HushError {
  switch (code) {
    case 'ENOENT':
      return new HushError('UNREACHABLE', 'hushd does not run: its socket does not exist');
    case 'ECONNREFUSED':
      return new HushError('UNREACHABLE', 'hushd does not run: nobody listens on its socket');
    case 'EACCES':
    case 'EPERM':
      return new HushError('UNREACHABLE', "this user may not open hushd's socket", {
        hint: 'run as the user of the daemon, or ask the operator',
      });
    default:
      return new HushError('UNREACHABLE', `hushd's socket cannot be opened (${code})`);
  }
}
