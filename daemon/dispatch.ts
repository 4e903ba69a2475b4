import { HushError, reportOf } from '../protocol/errors.ts';
import { isOperationName, operations } from '../protocol/operations.ts';
import type { ResultOf } from '../protocol/index.ts';
import { firstDenial } from './gates/index.ts';
import type { GateState } from './gates/gate.ts';
import { parseCall, type Call } from './operations/call.ts';
import { answer, type Answer, type Context } from './operations/handlers.ts';
import type { Journal } from './journal.ts';
import type { Outcome } from './transport/connection.ts';
import type { Request } from './transport/message.ts';
import { sizeOfResult, wipeResult } from './operations/results.ts';
import type { Peer } from './peer.ts';

/** Carries requests through the gates to their handlers, and their outcomes through the audit to the peer. */
export interface Dispatcher {
  /** Starts a request; `settle` gets its outcome once the audit has it, in this turn or a later one. */
  begin(peer: Peer, request: Request, settle: (outcome: Outcome) => void): void;
  /** Writes the audit of all that ended in this turn, then settles it. */
  endTurn(): void;
  /** Resolves when nothing is under way any more. */
  idle(): Promise<void>;
}

interface DispatcherParts {
  readonly gateState: GateState;
  readonly context: (peer: Peer) => Context;
  readonly journal: Journal;
  /** Told of errors that are bugs, not outcomes. */
  readonly onBug: (error: unknown) => void;
  readonly batchItems: () => number;
  readonly frameBytes: number;
}

/** What a call ended with, before its audit record is written. */
interface Ending {
  readonly settle: (outcome: Outcome) => void;
  readonly outcome: Outcome;
  /** Whether the record must be on the disk before the peer hears of it. */
  readonly changes: boolean;
  /** Whether the peer must not hear of it when the record could not be written. */
  readonly guarded: boolean;
}

/** One entry of a batch. */
interface BatchItem {
  readonly op: string;
  readonly params: unknown;
}

/** What a batch leaves free in a frame for everything that is not a value. */
const batchOverheadBytes = 64 * 1024;

/** A dispatcher over the daemon's state. */
export function createDispatcher(parts: DispatcherParts): Dispatcher {
  const { gateState, journal } = parts;
  let endings: Ending[] = [];
  let underWay = 0;
  const whenIdle: (() => void)[] = [];

  const errorOf = (error: unknown): HushError => {
    if (error instanceof HushError) return error;
    parts.onBug(error);
    return new HushError('UNAVAILABLE', 'the daemon failed inside; its log has the details');
  };

  /** One call through the gates and its handler; its record is with the journal when this returns or resolves. */
  const run = (peer: Peer, call: Call): Outcome | Promise<Outcome> => {
    const record = (outcome: Outcome, commit?: number): Outcome => {
      journal.note(peer, call, 'error' in outcome ? outcome.error : undefined, commit);
      return outcome;
    };
    const succeed = ({ result, commit }: Answer): Outcome => record({ ok: result }, commit);
    const fail = (error: unknown): Outcome => record({ error: errorOf(error) });

    const denial = firstDenial(call, peer, gateState);
    if (denial !== undefined) return record({ error: denial });
    try {
      if (isGuarded(call)) journal.requireWritable();
      const given = answer(call, parts.context(peer));
      return given instanceof Promise ? given.then(succeed, fail) : succeed(given);
    } catch (error) {
      return fail(error);
    }
  };

  /** One item of a batch; only operations that end at once may stand in one. */
  const runItem = (peer: Peer, item: BatchItem): Outcome => {
    try {
      const call = parseCall(item.op, item.params);
      if (!call.batchable) throw new HushError('BAD_REQUEST', `${call.name} cannot stand in a batch`);
      const outcome = run(peer, call);
      if (outcome instanceof Promise) throw new Error(`${call.name} is batchable and does not end at once`);
      return outcome;
    } catch (error) {
      return refuseUnread(peer, error);
    }
  };

  /** Gate 0: a request that could not be read as a call is on record all the same. */
  const refuseUnread = (peer: Peer, error: unknown): Outcome => {
    const named = errorOf(error);
    journal.noteUnread(peer, named);
    return { error: named };
  };

  /** One item after the other, each with its own gates, token and record; what no reply could hold is not begun. */
  const runBatch = (peer: Peer, items: readonly BatchItem[]): Outcome => {
    if (items.length > parts.batchItems()) {
      const message = `a batch holds at most ${parts.batchItems()} items`;
      return refuseUnread(peer, new HushError('LIMIT_EXCEEDED', message, { limit: 'batchItems' }));
    }
    const full = new HushError('TOO_LARGE', 'the reply has no room for this item', { limit: 'frameBytes' });
    let room = parts.frameBytes - batchOverheadBytes;
    const results = items.map((item): ResultOf<'batch'>['results'][number] => {
      if (room <= 0) return { error: reportOf(full) };
      const outcome = runItem(peer, item);
      if ('error' in outcome) return { error: reportOf(outcome.error) };
      room -= sizeOfResult(outcome.ok);
      if (room >= 0) return { ok: { ...outcome.ok } };
      wipeResult(outcome.ok);
      return { error: reportOf(full) };
    });
    return { ok: { results } };
  };

  const settle = ({ settle: done, outcome }: Ending): void => {
    underWay--;
    try {
      done(outcome);
    } finally {
      if ('ok' in outcome) wipeResult(outcome.ok);
    }
    if (underWay === 0) for (const resolve of whenIdle.splice(0)) resolve();
  };

  const settleWith = (ending: Ending, error: HushError): void => {
    if ('ok' in ending.outcome) wipeResult(ending.outcome.ok);
    settle({ ...ending, outcome: { error } });
  };

  const endTurn = (): void => {
    if (endings.length === 0) return;
    const ended = endings;
    endings = [];
    journal.flush();
    const waiting: Ending[] = [];
    for (const ending of ended) {
      const failure = 'ok' in ending.outcome && ending.guarded ? journal.failure() : undefined;
      if (failure !== undefined) settleWith(ending, failure);
      else if (ending.changes && 'ok' in ending.outcome) waiting.push(ending);
      else settle(ending);
    }
    if (waiting.length === 0) return;
    journal.sync().then(
      () => {
        for (const ending of waiting) settle(ending);
      },
      (error: unknown) => {
        for (const ending of waiting) settleWith(ending, errorOf(error));
      },
    );
  };

  const begin: Dispatcher['begin'] = (peer, request, done) => {
    underWay++;
    const end = (outcome: Outcome, changes: boolean, guarded: boolean): void => {
      endings.push({ settle: done, outcome, changes, guarded });
    };
    let call: Call;
    try {
      call = parseCall(request.op, request.params);
    } catch (error) {
      end(refuseUnread(peer, error), false, false);
      return;
    }
    if (call.name === 'batch') {
      const denial = firstDenial(call, peer, gateState);
      if (denial !== undefined) end(refuseUnread(peer, denial), false, false);
      else end(runBatch(peer, call.params.items), call.params.items.some(changesSomething), true);
      return;
    }
    const outcome = run(peer, call);
    if (!(outcome instanceof Promise)) {
      end(outcome, call.changes, isGuarded(call));
      return;
    }
    void outcome.then((later) => {
      end(later, call.changes, isGuarded(call));
      endTurn();
    });
  };

  return {
    begin,
    endTurn,
    idle: () =>
      underWay === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            whenIdle.push(resolve);
          }),
  };
}

const changesSomething = ({ op }: BatchItem): boolean => isOperationName(op) && operations[op].changes;

/** Whether the call is refused while the audit cannot be written: all but what an operator needs to mend that. */
const isGuarded = (call: Call): boolean => !unguarded.has(call.name);

const unguarded: ReadonlySet<string> = new Set(['status', 'lock', 'daemon.stop']);
