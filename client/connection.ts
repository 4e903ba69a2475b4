import type { PeerCredentials } from '../native/peer-credentials.ts';
import { copyBytes } from '../protocol/bytes.ts';
import { HushError, errorOf } from '../protocol/errors.ts';
import {
  createFrameEncoder,
  createFrameReader,
  decodeMessage,
  prefixBytes,
  protocolVersions,
} from '../protocol/frames.ts';
import type { OperationName, ParamsOf, ResultOf } from '../protocol/operations.ts';
import type { Limits } from '../protocol/shapes.ts';
import { withOwnBinaries, wipeBinaries } from './bytes.ts';
import { createCallTable } from './calls.ts';
import type { Call } from './calls.ts';
import type { ClientKeySource } from './client-key.ts';
import type { Hellos, Secured } from './handshake.ts';
import type { Known, Vocabulary } from './known.ts';
import type { TrustedListeners } from './listener.ts';
import { createOutbox } from './outbox.ts';
import { checkSizes } from './params.ts';
import { errorReply } from './reply.ts';
import { dropped } from './stream.ts';
import type { Connector } from './stream.ts';

/** What a connection needs to be opened. */
export interface ConnectionOptions {
  /** The absolute path of the daemon's socket. */
  readonly socket: string;
  readonly trusted: TrustedListeners;
  readonly connector: Connector;
  /** The operations that will be called, `hello` and `handshake` among them. */
  readonly known: Vocabulary;
  /** The key of an enrolled client: the daemon's in it then stands in for who listens. */
  readonly clientKey?: ClientKeySource | undefined;
  /** Whether values are sealed by themselves where the daemon does not ask for it too. */
  readonly fieldEncryption?: boolean | undefined;
  /** When the opening is given up, on the clock of `now()`. */
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

/**
 * Opens a connection: checks by SO_PEERCRED who listens before a byte is sent, then greets, and shakes hands where
 * there is a client's key or values are to be sealed. With a client's key nothing but hello is sent before the other
 * end has proved that it holds the daemon's.
 * Rejects with UNREACHABLE, UNTRUSTED_LISTENER, UNSUPPORTED_VERSION, DEADLINE, what is wrong with the client's key, or
 * what the daemon answers.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { clientKey, fieldEncryption = false, expiresAt } = options;
  const wire = await openWire(
    options.socket,
    clientKey === undefined ? options.trusted : undefined,
    options.known,
    options.connector,
    expiresAt,
  );
  try {
    const greeting = { versions: [...protocolVersions], client: 'hushd' };
    const hello = await wire.call(
      'hello',
      fieldEncryption ? { ...greeting, fieldEncryption } : greeting,
      expiresAt,
    );
    if (!protocolVersions.includes(hello.version)) {
      throw new HushError(
        'UNSUPPORTED_VERSION',
        `the client speaks protocol ${protocolVersions.join(', ')}, the daemon ${hello.versions.join(', ')}`,
      );
    }
    const sealsFields = fieldEncryption || hello.fieldEncryption === true;
    if (clientKey !== undefined || sealsFields) await secure(wire, clientKey, sealsFields, expiresAt);
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

/** Shakes hands; whoever need not loads nothing of what that takes. */
async function secure(
  wire: Wire,
  source: ClientKeySource | undefined,
  sealsFields: boolean,
  expiresAt: number,
): Promise<void> {
  const { shakeHands } = await import('./handshake.ts');
  const key = await source?.read();
  try {
    const ask = (params: ParamsOf<'handshake'>, until: number): Promise<ResultOf<'handshake'>> =>
      wire.call('handshake', params, until);
    wire.secure(await shakeHands({ hellos: wire.hellos(), key, sealsFields, expiresAt, ask }));
  } finally {
    key?.privateKey.fill(0);
  }
}

interface Wire extends Omit<Connection, 'limits'> {
  /** The bytes of both hellos. Throws UNAVAILABLE before they are there. */
  hellos(): Hellos;
  /** Goes on as a handshake has agreed; the wire wipes its keys. */
  secure(agreed: Secured): void;
  /** Goes over from the greeting to the daemon's limits. */
  obey(limits: Limits, onClose: (reason: HushError) => void): void;
}

async function openWire(
  path: string,
  trusted: TrustedListeners | undefined,
  known: Vocabulary,
  connectTo: Connector,
  expiresAt: number,
): Promise<Wire> {
  const encoder = createFrameEncoder();
  let reader = createFrameReader(greetingBytes);
  let frameBytes = greetingBytes;
  let limits: Limits | undefined;
  let onClose: ((reason: HushError) => void) | undefined;
  let ended: HushError | undefined;
  let secured: Secured | undefined;
  /** The first frame each way, until the greeting is over. */
  let hellos: Partial<Record<keyof Hellos, Uint8Array>> | undefined = {};

  const { socket, listener } = await connectTo(path, trusted, receive, expiresAt);
  const outbox = createOutbox(socket);
  const calls = createCallTable({
    isRepeatable: (op) => known(op).repeatable,
    send(id, { op, params }) {
      const sealed = secured?.fields === undefined ? params : secured.fields.seal(id, params);
      encoder.encode({ id, op, params: sealed }, frameBytes, hellos === undefined ? outbox.add : sendHello);
    },
    onBusy: (busy) => (busy ? socket.ref() : socket.unref()),
    onStuck() {
      end(dropped('the daemon stopped answering'));
    },
  });

  function sendHello(frame: Uint8Array): void {
    if (hellos !== undefined) hellos.sent ??= copyBytes(frame);
    outbox.add(frame);
  }

  function end(reason: HushError): void {
    if (ended !== undefined) return;
    ended = reason;
    socket.destroy();
    outbox.wipe();
    reader.wipe();
    secured?.wipe();
    calls.failAll(reason);
    onClose?.(reason);
  }

  function receive(chunk: Uint8Array): void {
    try {
      if (secured?.records === undefined) takePlain(chunk);
      else secured.records.receive(chunk, takePlain);
    } catch (error) {
      if (error instanceof HushError && error.code === 'UNIDENTIFIED') {
        end(error);
        return;
      }
      const why = error instanceof HushError ? `: ${error.message}` : '';
      end(new HushError('UNAVAILABLE', `the daemon sent what is no reply${why}`));
    }
  }

  /** Answers whether more may follow. */
  function takePlain(plain: Uint8Array): boolean {
    reader.push(plain, (bytes, start, stop) => {
      if (hellos !== undefined) hellos.received ??= copyBytes(bytes.subarray(start - prefixBytes, stop));
      answer(decodeMessage(bytes, start, stop));
      return ended === undefined;
    });
    return ended === undefined;
  }

  function answer(message: Record<string, unknown>): void {
    const { id, ok } = message;
    if (typeof id === 'number' && typeof ok === 'object' && ok !== null) {
      const call = callOf(id);
      if (call !== 'late') resolveWith(call, known(call.op), opened(id, ok, call));
      return;
    }
    const failed = errorReply(message);
    if (failed === undefined) throw new HushError('UNAVAILABLE', 'neither a result nor an error is in it');
    const error = errorOf(failed.error);
    if (failed.id === null) {
      end(error);
      return;
    }
    const call = callOf(failed.id);
    if (call !== 'late') call.reject(error);
  }

  /** The result in memory of its own. Where it is not the daemon's, the call and then the connection end. */
  function opened(id: number, ok: object, call: Call): unknown {
    try {
      return secured?.fields?.open(id, ok) ?? withOwnBinaries(ok);
    } catch (error) {
      if (error instanceof HushError) call.reject(error);
      throw error;
    }
  }

  function callOf(id: number): Call | 'late' {
    const call = calls.settle(id);
    if (call === undefined) throw new HushError('UNAVAILABLE', 'it answers a call that was never made');
    return call;
  }

  /** Throws where the wire has ended, or the daemon said more than it was asked. */
  function throwUnlessQuiet(): void {
    if (ended !== undefined) throw ended;
    if (reader.pending())
      throw new HushError('UNAVAILABLE', 'the daemon sent more than the greeting asked for');
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
      const checked = known(op).sent(params);
      if (limits !== undefined) checkSizes(op, checked, limits);
      const result = await new Promise<unknown>((resolve, reject) => {
        calls.add({ op, params: checked, expiresAt, resolve, reject });
      });
      // The reply was read as a result of this operation before the promise was resolved.
      return result as ResultOf<typeof op>;
    },
    hellos() {
      const { sent, received } = hellos ?? {};
      if (sent !== undefined && received !== undefined) return { sent, received };
      throw new HushError('UNAVAILABLE', 'there was no hello yet');
    },
    secure(agreed) {
      secured = agreed;
      if (ended !== undefined || reader.pending()) agreed.wipe();
      throwUnlessQuiet();
      if (agreed.records !== undefined) outbox.secure(agreed.records.seal);
    },
    obey(told, whenClosed) {
      throwUnlessQuiet();
      hellos = undefined;
      limits = told;
      frameBytes = told.frameBytes;
      reader = createFrameReader(told.frameBytes);
      onClose = whenClosed;
      calls.allow(told.inFlight);
    },
    close: end,
  };
}

function resolveWith(call: Call, { read }: Known, ok: unknown): void {
  const result = read(ok);
  if (result !== undefined) {
    call.resolve(result);
  } else {
    wipeBinaries(ok);
    call.reject(new HushError('UNAVAILABLE', `the daemon's answer to ${call.op} has not the shape of one`));
  }
}
