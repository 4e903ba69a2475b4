import type { Socket } from 'node:net';
import { HushError, reportOf } from '../../protocol/errors.ts';
import { createFrameReader, prefixBytes } from '../../protocol/frames.ts';
import type { FrameEncoder, Limits } from '../../protocol/index.ts';
import { wipeResult } from '../operations/results.ts';
import { createChannel } from './channel.ts';
import { answerHello, type HelloFacts } from './greeting.ts';
import { parseRequest, type Request } from './message.ts';
import { createOutbox } from './outbox.ts';
import type { Outcome, Service } from './service.ts';
import type { Slabs } from './slabs.ts';

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
  readonly hello: HelloFacts;
}

const nothing = new Uint8Array(new ArrayBuffer(0));

/** A connection over an accepted socket that is read elsewhere (see listener.ts). */
export function createConnection(parts: ConnectionParts): Connection {
  const { socket, limits, encoder, service, now } = parts;
  const reader = createFrameReader(limits.frameBytes);
  const outbox = createOutbox(socket, parts.slabs, afterWrite);
  const channel = createChannel({ outbox, handshake: service.handshake, end: refuse });
  let greeted = false;
  /** Whether a handshake has just been agreed on: what follows is no plain frame any more. */
  let shaken = false;
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
      send({ id, ok: channel.sealsFields() ? channel.seal(id, outcome.ok) : outcome.ok });
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
    channel.wipe();
    end();
  }

  /** Ends a connection whose records are not the peer's: nobody is there who could be told of it. */
  function cut(error: HushError): void {
    if (closing) return;
    closing = true;
    service.refused(error);
    socket.destroy();
  }

  function hello({ id, params }: Request, frame: Uint8Array): void {
    const { ok, sealsFields } = answerHello(params, parts.hello, service.wantsFields());
    greeted = true;
    encoder.encode({ id, ok }, limits.frameBytes, (answer) => {
      channel.greeted(frame, answer, sealsFields);
      outbox.add(answer);
    });
    service.greeted();
  }

  function handshake({ id, params }: Request): void {
    try {
      channel.shake(params, (ok) => {
        reply(id, { ok });
      });
      shaken = true;
    } catch (error) {
      if (!(error instanceof HushError && error.code === 'RATE_LIMITED')) throw error;
      service.refused(error);
      reply(id, { error });
    }
  }

  function serve(bytes: Uint8Array, start: number, end: number): boolean {
    frameSince = undefined;
    try {
      const request = parseRequest(bytes, start, end);
      if (!greeted) {
        if (request.op !== 'hello') throw new HushError('BAD_REQUEST', 'the first request must be hello');
        hello(request, bytes.subarray(start - prefixBytes, end));
      } else if (request.op === 'hello') {
        throw new HushError('BAD_REQUEST', 'hello is said once a connection');
      } else if (request.op === 'handshake') {
        handshake(request);
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
    return !closing && !stopped && !shaken;
  }

  function begin(request: Request): void {
    if (++begunInTurn > requestsInTurn) endTurn();
    inFlight++;
    channel.settled();
    if (channel.sealsFields()) beginOpened(request);
    else service.begin(request, (outcome) => settle(request.id, outcome));
  }

  function settle(id: number, outcome: Outcome): void {
    inFlight--;
    if (socket.destroyed) return;
    reply(id, outcome);
    planFlush();
  }

  /** Begins a request whose values are sealed; what they open to is wiped when it has ended. */
  function beginOpened({ id, op, params: sealed }: Request): void {
    const params = channel.open(id, sealed);
    service.begin({ id, op, params }, (outcome) => {
      if (typeof params === 'object' && params !== null) wipeResult(params);
      settle(id, outcome);
    });
  }

  function endTurn(): void {
    begunInTurn = 0;
    service.endTurn();
  }

  function isBlocked(): boolean {
    return socket.writableLength + outbox.collected() > limits.writeBacklogBytes;
  }

  function takePlain(chunk: Uint8Array): void {
    try {
      reader.push(chunk, serve);
      if (shaken && reader.pending())
        throw new HushError('BAD_REQUEST', 'nothing may follow a handshake before its answer');
      shaken = false;
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      refuse(error);
    }
  }

  function takeRecords(chunk: Uint8Array): void {
    // Frames that were put off come before what is still sealed.
    takePlain(nothing);
    if (stopped && chunk.byteLength === 0) return;
    try {
      channel.receive(chunk, (plain) => {
        takePlain(plain);
        return !closing && !stopped;
      });
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      cut(error);
    }
  }

  function take(chunk: Uint8Array): void {
    stopped = false;
    taking = true;
    if (channel.isSealed()) takeRecords(chunk);
    else takePlain(chunk);
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
    if ((reader.pending() || channel.pending()) && blockedSince === undefined) frameSince ??= now();
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
    channel.wipe();
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
