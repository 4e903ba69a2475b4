import type { Socket } from 'node:net';
import { HushError, reportOf } from '../../protocol/errors.ts';
import { createFrameReader, protocolVersions } from '../../protocol/frames.ts';
import type { FrameEncoder, Limits } from '../../protocol/index.ts';
import { operations } from '../../protocol/operations.ts';
import { parseRequest, type Request } from './message.ts';
import { createOutbox } from './outbox.ts';
import type { Slabs } from './slabs.ts';

/** What a request ends with: the result, or why not. */
export type Outcome = { readonly ok: object } | { readonly error: HushError };

/** Where requests go to be served. */
export interface Service {
  /** Starts a request of this connection; `settle` is called once, in this turn or a later one. */
  begin(request: Request, settle: (outcome: Outcome) => void): void;
  /** Says that all the requests which arrived together have begun. */
  endTurn(): void;
  /** Told of what was refused before it was a request, or for a limit of the connection. */
  refused(error: HushError): void;
}

/** One client's connection, from accept to close. */
export interface Connection {
  /** Takes bytes that arrived; they are wiped by the caller afterwards. */
  receive(chunk: Uint8Array): void;
  /** The named limit that is overdue at `now` (monotonic milliseconds), or undefined. */
  overdue(now: number): 'helloMs' | 'frameMs' | 'idleMs' | 'drainMs' | undefined;
  /** Tells the peer why, then closes. */
  refuse(error: HushError): void;
  /** Takes no more requests, closes once all that began has been answered. */
  finish(): void;
  /** Whether hello has been said, and since when nothing came (monotonic milliseconds). */
  greeted(): boolean;
  idleSince(): number;
  /** Requests that have no answer yet. */
  inFlight(): number;
  destroy(): void;
}

/**
 * Requests that arrived together and end together, with one write of the audit. More would save little, and their
 * results are all in memory until then.
 */
const requestsInTurn = 32;

interface ConnectionParts {
  readonly socket: Socket;
  readonly limits: Limits;
  readonly encoder: FrameEncoder;
  readonly slabs: Slabs;
  readonly service: Service;
  readonly now: () => number;
  /** What hello answers, besides the version that was chosen. */
  readonly hello: { readonly versions: readonly number[]; readonly daemon: string; readonly limits: Limits };
}

const nothing = new Uint8Array(new ArrayBuffer(0));

/** A connection over an accepted socket that is read elsewhere (see listener.ts). */
export function createConnection(parts: ConnectionParts): Connection {
  const { socket, limits, encoder, service, now } = parts;
  const reader = createFrameReader(limits.frameBytes);
  const outbox = createOutbox(socket, parts.slabs, afterWrite);
  let greeted = false;
  let inFlight = 0;
  let begunInTurn = 0;
  /** Whether frames were put off because replies wait to be written. */
  let stopped = false;
  let closing = false;
  let finishing = false;
  let flushPlanned = false;
  /** Whether bytes of this connection are being taken: what settles meanwhile leaves at the end of that. */
  let taking = false;
  const openedAt = now();
  let lastByteAt = openedAt;
  /** Since when a begun frame has been waiting for its end. */
  let frameSince: number | undefined;
  /** Since when replies wait for a peer that does not read. */
  let blockedSince: number | undefined;

  function send(message: object): void {
    encoder.encode(message, limits.frameBytes, (frame) => {
      outbox.add(frame);
    });
  }

  function reply(id: number, outcome: Outcome): void {
    if ('error' in outcome) {
      send({ id, error: reportOf(outcome.error) });
      return;
    }
    try {
      send({ id, ok: outcome.ok });
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      send({ id, error: reportOf(error) });
    }
  }

  /** Replies that settle outside a turn of this connection leave together, at the end of the current job. */
  function planFlush(): void {
    if (flushPlanned || taking) return;
    flushPlanned = true;
    queueMicrotask(() => {
      flushPlanned = false;
      outbox.flush();
      if (finishing && inFlight === 0) end();
    });
  }

  function end(): void {
    socket.end(() => socket.destroy());
  }

  function refuse(error: HushError): void {
    if (closing) return;
    closing = true;
    blockedSince ??= now();
    service.refused(error);
    send({ id: null, error: reportOf(error) });
    outbox.flush();
    reader.wipe();
    end();
  }

  function hello(request: Request): void {
    const params = operations.hello.params.safeParse(request.params);
    if (!params.success)
      throw new HushError('BAD_REQUEST', 'hello needs the versions that the client speaks');
    const offered = params.data.versions;
    const version = protocolVersions.find((known) => offered.includes(known));
    if (version === undefined) {
      refuse(
        new HushError(
          'UNSUPPORTED_VERSION',
          `the client speaks versions ${offered.join(', ')}, this daemon speaks ${protocolVersions.join(', ')}`,
        ),
      );
      return;
    }
    greeted = true;
    reply(request.id, { ok: { version, ...parts.hello } });
  }

  function serve(bytes: Uint8Array, start: number, end: number): boolean {
    frameSince = undefined;
    try {
      const request = parseRequest(bytes, start, end);
      if (!greeted) {
        if (request.op !== 'hello') throw new HushError('BAD_REQUEST', 'the first request must be hello');
        hello(request);
      } else if (request.op === 'hello') {
        throw new HushError('BAD_REQUEST', 'hello is said once a connection');
      } else if (inFlight >= limits.inFlight) {
        const error = new HushError('LIMIT_EXCEEDED', `more than ${limits.inFlight} requests are in flight`, {
          limit: 'inFlight',
        });
        service.refused(error);
        reply(request.id, { error });
      } else {
        begin(request);
      }
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      refuse(error);
    }
    stopped = !closing && isBlocked();
    return !closing && !stopped;
  }

  function begin(request: Request): void {
    if (++begunInTurn > requestsInTurn) endTurn();
    inFlight++;
    service.begin(request, (outcome) => {
      inFlight--;
      if (socket.destroyed) return;
      reply(request.id, outcome);
      planFlush();
    });
  }

  function endTurn(): void {
    begunInTurn = 0;
    service.endTurn();
  }

  function isBlocked(): boolean {
    return socket.writableLength + outbox.collected() > limits.writeBacklogBytes;
  }

  function take(chunk: Uint8Array): void {
    stopped = false;
    taking = true;
    try {
      reader.push(chunk, serve);
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      refuse(error);
    }
    try {
      endTurn();
    } finally {
      taking = false;
    }
    outbox.flush();
    if (finishing && inFlight === 0) end();
  }

  /** Takes what there is; answers whether the peer may be read from. */
  function advance(chunk: Uint8Array): boolean {
    take(chunk);
    // What stopped for its replies goes on at once where the kernel took them all.
    while (stopped && !closing && !isBlocked()) take(nothing);
    if (closing) return false;
    if (isBlocked()) {
      blockedSince ??= now();
      socket.pause();
    }
    if (reader.pending() && blockedSince === undefined) frameSince ??= now();
    else frameSince = undefined;
    return blockedSince === undefined;
  }

  function afterWrite(): void {
    if (closing || blockedSince === undefined || socket.destroyed) return;
    if (socket.writableLength > limits.writeBacklogBytes / 2) return;
    blockedSince = undefined;
    if (advance(nothing)) socket.resume();
  }

  socket.once('close', () => {
    closing = true;
    reader.wipe();
    outbox.wipe();
  });

  return {
    receive(chunk) {
      if (closing) return;
      lastByteAt = now();
      advance(chunk);
    },
    overdue(at) {
      if (finishing) return undefined;
      if (!closing && !greeted && at - openedAt > limits.helloMs) return 'helloMs';
      if (blockedSince !== undefined && at - blockedSince > limits.drainMs) return 'drainMs';
      if (closing) return undefined;
      if (frameSince !== undefined && at - frameSince > limits.frameMs) return 'frameMs';
      if (inFlight === 0 && at - lastByteAt > limits.idleMs) return 'idleMs';
      return undefined;
    },
    refuse,
    finish() {
      closing = true;
      finishing = true;
      planFlush();
    },
    greeted: () => greeted,
    idleSince: () => lastByteAt,
    inFlight: () => inFlight,
    destroy: () => socket.destroy(),
  };
}
