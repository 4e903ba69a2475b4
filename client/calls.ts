import { HushError } from '../protocol/errors.ts';
import type { OperationName } from '../protocol/operations.ts';
import { now } from './clock.ts';

/** One call of a client, from its making to its answer. */
export interface Call {
  readonly op: OperationName;
  readonly params: object;
  /** When its caller stops waiting, on the clock of `now()`. */
  readonly expiresAt: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: HushError) => void;
}

/** What the calls of one connection need of it. */
export interface CallTableOptions {
  /** Sends a call under its id; what it throws is the call's answer. */
  send(id: number, call: Call): void;
  /** The first call has come, or the last one has gone. */
  onBusy(busy: boolean): void;
  /** As many calls as the daemon takes at once have been given up without an answer. */
  onStuck(): void;
  /** Whether sending it a second time does no harm. */
  isRepeatable(op: OperationName): boolean;
}

/** The calls of one connection: those in flight, those waiting for room, those whose callers gave up. */
export interface CallTable {
  add(call: Call): void;
  /** The call that a reply's id answers; `late` if its caller gave up; undefined if no call has that id. */
  settle(id: number): Call | 'late' | undefined;
  /** Sets how many calls may be in flight. */
  allow(inFlight: number): void;
  /** Ends all calls with one error. */
  failAll(error: HushError): void;
}

/** A table that lets one call be in flight until told otherwise. */
export function createCallTable({ send, onBusy, onStuck, isRepeatable }: CallTableOptions): CallTable {
  const inFlight = new Map<number, Call>();
  const waiting = new Set<Call>();
  const late = new Set<number>();
  let room = 1;
  let lastId = 0;
  let busy = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Infinity;

  const deadlinePassed = ({ op }: Call, sent: boolean): HushError => {
    const unknown = sent && !isRepeatable(op) ? '; whether it was carried out is not known' : '';
    return new HushError('DEADLINE', `the daemon did not answer ${op} in time${unknown}`);
  };

  const noteBusy = (): void => {
    const now = inFlight.size + waiting.size > 0;
    if (now !== busy) onBusy((busy = now));
  };

  const start = (call: Call): void => {
    const id = ++lastId;
    inFlight.set(id, call);
    try {
      send(id, call);
    } catch (error) {
      inFlight.delete(id);
      call.reject(error instanceof HushError ? error : notSendable(call));
    }
  };

  const startWaiting = (): void => {
    for (const call of waiting) {
      if (inFlight.size + late.size >= room) return;
      waiting.delete(call);
      start(call);
    }
  };

  /** One timer for all deadlines: it is left running when calls end, and set again only for an earlier one. */
  const watch = (expiresAt: number): void => {
    if (expiresAt >= timerAt) return;
    clearTimeout(timer);
    timerAt = expiresAt;
    timer = setTimeout(expire, Math.max(1, Math.ceil(expiresAt - now()))).unref();
  };

  const expire = (): void => {
    const moment = now();
    timerAt = Infinity;
    let next = Infinity;
    for (const call of waiting) {
      if (call.expiresAt > moment) next = Math.min(next, call.expiresAt);
      else if (waiting.delete(call)) call.reject(deadlinePassed(call, false));
    }
    for (const [id, call] of inFlight) {
      if (call.expiresAt > moment) {
        next = Math.min(next, call.expiresAt);
      } else {
        inFlight.delete(id);
        late.add(id);
        call.reject(deadlinePassed(call, true));
      }
    }
    if (next < Infinity) watch(next);
    noteBusy();
    if (late.size >= room) onStuck();
  };

  return {
    add(call) {
      if (call.expiresAt <= now()) {
        call.reject(deadlinePassed(call, false));
        return;
      }
      if (inFlight.size + late.size < room) start(call);
      else waiting.add(call);
      noteBusy();
      if (busy) watch(call.expiresAt);
    },
    settle(id) {
      const call = inFlight.get(id);
      if (call === undefined && !late.has(id)) return undefined;
      inFlight.delete(id);
      late.delete(id);
      if (waiting.size > 0) startWaiting();
      noteBusy();
      return call ?? 'late';
    },
    allow(inFlightAtMost) {
      room = Math.max(1, inFlightAtMost);
      startWaiting();
    },
    failAll(error) {
      const ended = [...inFlight.values(), ...waiting];
      inFlight.clear();
      waiting.clear();
      late.clear();
      clearTimeout(timer);
      timerAt = Infinity;
      noteBusy();
      for (const call of ended) call.reject(error);
    },
  };
}

function notSendable({ op }: Call): HushError {
  return new HushError('BAD_REQUEST', `the parameters of ${op} cannot be written as a message`);
}
