import { HushError, reportOf } from '../protocol/errors.ts';
import type { Limits, ResultOf } from '../protocol/index.ts';
import { parseCall, type Call, type CallOf } from './operations/call.ts';
import { sizeOfResult, wipeResult } from './operations/results.ts';
import type { Outcome } from './transport/service.ts';

/** One entry of a batch. */
export interface BatchItem {
  readonly op: string;
  readonly params: unknown;
}

/** How one item of a batch is carried out. Each step but the first puts what came of it on record. */
export interface BatchSteps {
  /** What the gates say against a call; asked once for each, since it costs a token. */
  readonly denialOf: (call: Call) => HushError | undefined;
  /** Behind the gates. */
  readonly carryOut: (call: Call) => Outcome;
  /** Several of them at once, of one profile and of different secrets; tells of each in their order. */
  readonly carryOutSets: (calls: readonly CallOf<'secret.set'>[]) => readonly Outcome[];
  readonly refuse: (call: Call, denial: HushError) => Outcome;
  readonly refuseUnread: (error: unknown) => Outcome;
}

type BatchResult = ResultOf<'batch'>['results'][number];

/** What a batch leaves free in a frame for what is around its results. */
const overheadBytes = 1024;

/** So many secrets are stored in one commit: it takes a few milliseconds, and needs little room on the disk at a time. */
const mostSets = 64;
const mostSetBytes = 1024 * 1024;

/**
 * One item after the other, each with its own gates, token and record; secrets that are set in a row share a commit. What
 * no reply could hold is not begun.
 */
export function runBatch(items: readonly BatchItem[], limits: Limits, steps: BatchSteps): Outcome {
  if (items.length > limits.batchItems) {
    const message = `a batch holds at most ${limits.batchItems} items`;
    return steps.refuseUnread(new HushError('LIMIT_EXCEEDED', message, { limit: 'batchItems' }));
  }
  const reply = createReply(limits.frameBytes - overheadBytes, items.length);
  if (reply === undefined) return { ok: { results: items.map(() => full) } };
  let sets: CallOf<'secret.set'>[] = [];
  /** What came before comes first, on the disk, in the reply and on record. */
  const endSets = (): void => {
    if (sets.length > 0) for (const outcome of steps.carryOutSets(sets)) reply.add(outcome);
    sets = [];
  };
  for (const item of items) {
    const call = callOf(item);
    const denial = call instanceof Error ? undefined : steps.denialOf(call);
    if (!(call instanceof Error) && call.name === 'secret.set' && denial === undefined) {
      if (!mayJoin(call, sets)) endSets();
      sets.push(call);
      continue;
    }
    endSets();
    if (call instanceof Error) reply.add(steps.refuseUnread(call));
    else reply.add(denial === undefined ? steps.carryOut(call) : steps.refuse(call, denial));
  }
  endSets();
  return { ok: { results: reply.results } };
}

/** The call of an item, or what keeps it from being one; only operations that end at once may stand in a batch. */
function callOf({ op, params }: BatchItem): Call | Error {
  try {
    const call = parseCall(op, params);
    if (call.batchable) return call;
    return new HushError('BAD_REQUEST', `${call.name} cannot stand in a batch`);
  } catch (error) {
    return error instanceof Error ? error : new Error('it could not be read', { cause: error });
  }
}

/** Whether a secret may be stored together with these: none may come twice. */
function mayJoin({ params }: CallOf<'secret.set'>, sets: readonly CallOf<'secret.set'>[]): boolean {
  const bytes = sets.reduce((sum, set) => sum + set.params.value.length, params.value.length);
  return (
    sets.length < mostSets &&
    bytes <= mostSetBytes &&
    sets.every((set) => set.params.profile === params.profile && set.params.path !== params.path)
  );
}

interface Reply {
  readonly results: readonly BatchResult[];
  /** Adds what came of an item; where it does not fit, only that. */
  add(outcome: Outcome): void;
}

const full: BatchResult = {
  error: reportOf(new HushError('TOO_LARGE', 'the reply has no room for this item', { limit: 'frameBytes' })),
};

/** A reply of at most so many bytes with so many results; undefined where it has no room even to say so of each. */
function createReply(mostBytes: number, count: number): Reply | undefined {
  const fullBytes = sizeOfResult(full);
  // Each item has the room for this answer, and so for that of a change, which is never told otherwise than it went.
  let room = mostBytes - count * fullBytes;
  if (room < 0) return undefined;
  const results: BatchResult[] = [];
  return {
    results,
    add(outcome) {
      const result = 'ok' in outcome ? { ok: { ...outcome.ok } } : { error: reportOf(outcome.error) };
      const bytes = sizeOfResult(result) - fullBytes;
      if (bytes <= room) {
        room -= bytes;
        results.push(result);
      } else {
        wipeResult(result);
        results.push(full);
      }
    },
  };
}
