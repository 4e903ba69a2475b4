import { HushError } from '../protocol/errors.ts';
import { operationNamed, operations } from '../protocol/operations.ts';
import type { Limits } from '../protocol/index.ts';
import { runBatch, type BatchItem, type BatchSteps } from './batch.ts';
import { firstDenial } from './gates/index.ts';
import type { GateState } from './gates/gate.ts';
import { parseCall, type Call, type CallOf } from './operations/call.ts';
import type { Answer, Context } from './operations/handler.ts';
import { answer } from './operations/handlers.ts';
import { answerSets } from './operations/secrets.ts';
import type { Journal } from './journal.ts';
import type { Scratch } from './memory/scratch.ts';
import type { Outcome } from './transport/service.ts';
import type { Request } from './transport/message.ts';
import { wipeResult } from './operations/results.ts';
import type { Peer } from './peer.ts';

/** Carries requests through the gates to their handlers, and their outcomes through the audit to the peer. */
export interface Dispatcher {
  /** Starts a request; `settle` gets its outcome once the audit has it, in this turn or a later one. */
  begin(context: Context, request: Request, settle: (outcome: Outcome) => void): void;
  /** Writes the audit of all that ended in this turn, then settles it. */
  endTurn(): void;
  /** Puts on record that bytes of a connection were refused before they were a request. */
  refused(context: Context, error: HushError): void;
  /** How many requests have been settled since the start. */
  served(): number;
  /** Resolves when nothing is under way any more. */
  idle(): Promise<void>;
}

interface DispatcherParts {
  readonly gateState: GateState;
  readonly journal: Journal;
  /** Where results are made; free again once nothing is under way. */
  readonly scratch: Scratch;
  /** Told of each call that ended well. */
  readonly onDone: (call: Call) => void;
  /** Told of errors that are bugs, not outcomes. */
  readonly onBug: (error: unknown) => void;
  readonly limits: Limits;
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

/** A dispatcher over the daemon's state. */
export function createDispatcher(parts: DispatcherParts): Dispatcher {
  const { gateState, journal } = parts;
  let endings: Ending[] = [];
  let underWay = 0;
  let served = 0;
  const whenIdle: (() => void)[] = [];

  const errorOf = (error: unknown): HushError => {
    if (error instanceof HushError) return error;
    parts.onBug(error);
    return new HushError('UNAVAILABLE', 'the daemon failed inside; its log has the details');
  };

  const noted = (
    peer: Peer,
    call: Call,
    outcome: Outcome,
    commit?: number,
    alsoIn?: readonly string[],
  ): Outcome => {
    const error = 'error' in outcome ? outcome.error : undefined;
    journal.note(peer, call, error, commit, alsoIn);
    if (error === undefined) parts.onDone(call);
    return outcome;
  };

  /** One call through the gates and its handler; its record is with the journal when this returns or resolves. */
  const run = (context: Context, call: Call): Outcome | Promise<Outcome> => {
    const { peer } = context;
    const denial = firstDenial(call, peer, gateState);
    return denial === undefined ? carryOut(context, call) : noted(peer, call, { error: denial });
  };

  const carryOut = (context: Context, call: Call): Outcome | Promise<Outcome> => {
    const { peer } = context;
    try {
      if (isGuarded(call)) journal.requireWritable();
      const given = answer(call, context);
      if (!(given instanceof Promise))
        return noted(peer, call, { ok: given.result }, given.commit, given.alsoIn);
      return given.then(
        ({ result, commit }) => noted(peer, call, { ok: result }, commit),
        (error: unknown) => noted(peer, call, { error: errorOf(error) }),
      );
    } catch (error) {
      return noted(peer, call, { error: errorOf(error) });
    }
  };

  /** As `carryOut` for each, with one commit for all of them. */
  const carryOutSets = (context: Context, calls: readonly CallOf<'secret.set'>[]): readonly Outcome[] => {
    const { peer } = context;
    let answers: readonly (Answer<'secret.set'> | HushError)[];
    try {
      journal.requireWritable();
      answers = answerSets(calls, context);
    } catch (error) {
      const failure = errorOf(error);
      answers = calls.map(() => failure);
    }
    return calls.map((call, at) => {
      const given = answers[at] ?? new HushError('UNAVAILABLE');
      if (given instanceof HushError) return noted(peer, call, { error: given });
      return noted(peer, call, { ok: given.result }, given.commit);
    });
  };

  /** Gate 0: a request that could not be read as a call is on record all the same. */
  const refuseUnread = (peer: Peer, error: unknown): Outcome => {
    const named = errorOf(error);
    journal.noteUnread(peer, named);
    return { error: named };
  };

  const batchSteps = (context: Context): BatchSteps => ({
    denialOf: (call) => firstDenial(call, context.peer, gateState),
    carryOut(call) {
      const outcome = carryOut(context, call);
      if (!(outcome instanceof Promise)) return outcome;
      return refuseUnread(context.peer, new Error(`${call.name} is batchable and does not end at once`));
    },
    carryOutSets: (calls) => carryOutSets(context, calls),
    refuse: (call, denial) => noted(context.peer, call, { error: denial }),
    refuseUnread: (error) => refuseUnread(context.peer, error),
  });

  const settle = ({ settle: done, outcome }: Ending): void => {
    underWay--;
    served++;
    try {
      done(outcome);
    } finally {
      if ('ok' in outcome) wipeResult(outcome.ok);
    }
    if (underWay > 0) return;
    parts.scratch.reset();
    for (const resolve of whenIdle.splice(0)) resolve();
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
      if (failure !== undefined) settleWith(ending, ending.changes ? tookEffect(failure) : failure);
      else if (ending.changes && 'ok' in ending.outcome) waiting.push(ending);
      else settle(ending);
    }
    if (waiting.length === 0) return;
    journal.sync().then(
      () => {
        for (const ending of waiting) settle(ending);
      },
      (error: unknown) => {
        for (const ending of waiting) settleWith(ending, tookEffect(errorOf(error)));
      },
    );
  };

  const begin: Dispatcher['begin'] = (context, request, done) => {
    const { peer } = context;
    underWay++;
    let call: Call;
    try {
      call = parseCall(request.op, request.params);
    } catch (error) {
      endings.push({ settle: done, outcome: refuseUnread(peer, error), changes: false, guarded: false });
      return;
    }
    const guarded = isGuarded(call);
    if (call.name === 'batch') {
      const { items } = call.params;
      const denial = firstDenial(call, peer, gateState);
      const outcome =
        denial === undefined
          ? runBatch(items, parts.limits, batchSteps(context))
          : refuseUnread(peer, denial);
      endings.push({ settle: done, outcome, changes: items.some(changesSomething), guarded });
      return;
    }
    const { changes } = call;
    const outcome = run(context, call);
    if (!(outcome instanceof Promise)) {
      endings.push({ settle: done, outcome, changes, guarded });
      return;
    }
    void outcome.then((later) => {
      endings.push({ settle: done, outcome: later, changes, guarded });
      endTurn();
    });
  };

  return {
    begin,
    endTurn,
    refused({ peer }, error) {
      journal.noteUnread(peer, error);
      journal.flush();
    },
    served: () => served,
    idle: () =>
      underWay === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            whenIdle.push(resolve);
          }),
  };
}

/** The error of a call that was carried out before its record could be written. */
const tookEffect = (failure: HushError): HushError =>
  new HushError(failure.code, `${failure.message}; what was asked for took effect all the same`, {
    hint: `look before you ask again; ${failure.hint}`,
    cause: failure,
  });

const changesSomething = ({ op }: BatchItem): boolean => {
  const name = operationNamed(op);
  return name !== undefined && operations[name].changes;
};

/** Whether the call is refused while the audit cannot be written: all but what an operator needs to mend that. */
const isGuarded = (call: Call): boolean => !unguarded.has(call.name);

const unguarded: ReadonlySet<string> = new Set(['status', 'lock', 'lock.all', 'daemon.stop']);
