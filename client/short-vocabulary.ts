import type { OperationName } from '../protocol/operations.ts';
import { arrayOf, exactly, isRecord, isText, type Check } from '../protocol/quick-shapes.ts';
import { withoutUndefined, type Known, type Vocabulary } from './known.ts';
import { toldError } from './reply.ts';

/*
 * The operations of a process that asks once and ends. To load the table, with the schemas of all operations, takes
 * longer than everything else that such a process does, so those that it needs most stand here once more;
 * test/client/short-vocabulary.test.ts holds them against the table.
 */

/** A vocabulary that learns the rest when it is needed. */
export interface GrowingVocabulary {
  readonly known: Vocabulary;
  /** Learns what it takes to call the operation with these parameters. */
  learn(op: OperationName, params: object): Promise<void>;
}

/** An operation with parameters of the plain kind. */
interface Short {
  readonly accepts: Check;
  readonly read: (result: unknown) => unknown;
  readonly repeatable: boolean;
  readonly profiled: boolean;
}

const isBytes: Check = (value) => value instanceof Uint8Array;
const isBoolean: Check = (value) => typeof value === 'boolean';
const isTime: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isLimit: Check = (value) => isCount(value) && Number(value) >= 1 && Number(value) <= 1000;
const anything: Check = () => true;
/** Reads an object: its fields of these names, where the required ones are there and all are what they should be. */
function fields(required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}) {
  const checks = Object.entries({ ...optional, ...required });
  return (value: unknown): Record<string, unknown> | undefined => {
    if (!isRecord(value)) return undefined;
    const read: Record<string, unknown> = {};
    for (const [name, check] of checks) {
      const field = value[name];
      if (field === undefined && !(name in required)) continue;
      if (!check(field)) return undefined;
      read[name] = field;
    }
    return read;
  };
}

const stamps = { version: isCount, createdAt: isTime, updatedAt: isTime };
const isProfile = isText(0, 256);
const isPath = isText(0, 1024);
const limits = Object.fromEntries(
  [
    'frameBytes',
    'valueBytes',
    'plaintextBytes',
    'connections',
    'inFlight',
    'helloMs',
    'frameMs',
    'idleMs',
    'writeBacklogBytes',
    'drainMs',
    'batchItems',
  ].map((name) => [name, isCount]),
);
const readLimits = fields(limits);
const readHello = fields(
  { version: isCount, versions: arrayOf(isCount), daemon: isTime, limits: isRecord },
  { fieldEncryption: isBoolean },
);
const readEntry = fields(
  { path: isPath, ...stamps, size: isCount },
  { expiresAt: isTime, note: isTime, tags: arrayOf(isTime), deletedAt: isTime },
);

const short: Partial<Record<OperationName, Short>> = {
  hello: {
    accepts: anything,
    read: (result) => {
      const hello = readHello(result);
      const told = readLimits(hello?.['limits']);
      return hello === undefined || told === undefined ? undefined : { ...hello, limits: told };
    },
    repeatable: true,
    profiled: false,
  },
  handshake: {
    accepts: anything,
    read: fields({ message: isBytes }),
    repeatable: false,
    profiled: false,
  },
  'secret.get': {
    accepts: exactly({ profile: isProfile, path: isPath }),
    read: fields({ value: isBytes, ...stamps }, { expiresAt: isTime }),
    repeatable: true,
    profiled: true,
  },
  'secret.set': {
    accepts: exactly({ profile: isProfile, path: isPath, value: isBytes }),
    read: fields({ ...stamps, created: isBoolean }),
    repeatable: false,
    profiled: true,
  },
  'secret.delete': {
    accepts: exactly({ profile: isProfile, path: isPath }, { ifVersion: isCount }),
    read: fields({}),
    repeatable: false,
    profiled: true,
  },
  'secret.list': {
    accepts: exactly({ profile: isProfile }, { prefix: isPath, after: isText(0, 256), limit: isLimit }),
    read: (result) => {
      const page = fields({ entries: Array.isArray }, { next: isTime })(result);
      // `fields` has looked at it.
      const entries = (page?.['entries'] as unknown[] | undefined)?.map(readEntry);
      return entries === undefined || entries.includes(undefined) ? undefined : { ...page, entries };
    },
    repeatable: true,
    profiled: true,
  },
  'secret.paths': {
    accepts: exactly({ profile: isProfile }, { prefix: isPath, after: isText(0, 256), limit: isLimit }),
    read: fields({ paths: arrayOf(isPath) }, { next: isTime }),
    repeatable: true,
    profiled: true,
  },
  batch: {
    accepts: exactly({ items: arrayOf(exactly({ op: isText(0, 64), params: isRecord }), 1, 100_000) }),
    read: (result) => {
      const page = fields({ results: Array.isArray })(result);
      const results = (page?.['results'] as unknown[] | undefined)?.map(readOutcome);
      return results === undefined || results.includes(undefined) ? undefined : { results };
    },
    repeatable: false,
    profiled: false,
  },
};

/** One outcome of a batch. */
function readOutcome(outcome: unknown): object | undefined {
  if (!isRecord(outcome)) return undefined;
  if (isRecord(outcome['ok'])) return { ok: outcome['ok'] };
  const error = toldError(outcome['error']);
  return error && { error };
}

/** A vocabulary that knows the operations of short processes, and learns the table when another is called. */
export function shortVocabulary(): GrowingVocabulary {
  let whole: Vocabulary | undefined;
  return {
    known: (op) => whole?.(op) ?? knownOf(op),
    async learn(op, params) {
      if (whole !== undefined || short[op]?.accepts(params) === true) return;
      whole = (await import('./every-operation.ts')).everyOperation;
    },
  };
}

function knownOf(op: OperationName): Known {
  const entry = short[op];
  // Callers learn an operation before they call it.
  if (entry === undefined) throw new Error(`${op} was not learnt`);
  const { read, repeatable, profiled } = entry;
  return { sent: withoutUndefined, read, repeatable, profiled };
}
