import fc from 'fast-check';

import type { ErrorCode } from '../../protocol/errors.ts';

type State = 'current' | 'superseded' | 'deleted';

interface Row {
  readonly version: number;
  readonly state: State;
  readonly value: string;
  readonly note: string;
  readonly tags: readonly string[];
}

/** One change or question, as the operation of that name takes it; values are text. */
export type Step =
  | { op: 'set'; path: string; value: string; ifVersion?: number; note?: string; tags?: string[] }
  | { op: 'get'; path: string; version?: number }
  | { op: 'history'; path: string }
  | { op: 'restore'; path: string; version?: number; ifVersion?: number }
  | { op: 'delete'; path: string; ifVersion?: number }
  | { op: 'purge'; path: string; version?: number }
  | { op: 'rename'; from: string; to: string }
  | { op: 'copy'; from: string; to: string; ifVersion?: number }
  | { op: 'list'; deleted: boolean }
  | { op: 'reopen' };

/** What an operation answers: an error's code, or the part of its result that does not depend on the time of day. */
export type Told = ErrorCode | Readonly<Record<string, unknown>>;

/** Secrets as they ought to be: what each step answers. */
export interface SecretModel {
  take(step: Exclude<Step, { op: 'reopen' }>): Told;
}

const path = fc.constantFrom('global/a', 'global/a.b', 'ws:a/a', 'pr:a/b');
const value = fc.string({ maxLength: 40 });
const version = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined });
const ifVersion = fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined, freq: 4 });
const note = fc.option(fc.constantFrom('', 'two\nlines', 'ω'), { nil: undefined });
const tags = fc.option(fc.uniqueArray(fc.constantFrom('x', 'y-1', 'Z'), { maxLength: 2 }), {
  nil: undefined,
});
const two = fc.tuple(path, path).filter(([from, to]) => from !== to);

/** Steps, most of them changes. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('set' as const), path, value, ifVersion, note, tags }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('get' as const), path, version }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('history' as const), path }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('restore' as const), path, version, ifVersion }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), path, ifVersion }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('purge' as const), path, version }) },
  { weight: 2, arbitrary: two.map(([from, to]) => ({ op: 'rename' as const, from, to })) },
  {
    weight: 2,
    arbitrary: fc.tuple(two, ifVersion).map(([[from, to], condition]) => ({
      op: 'copy' as const,
      from,
      to,
      ifVersion: condition,
    })),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('list' as const), deleted: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ op: 'reopen' as const }) },
) as fc.Arbitrary<Step>; // `undefined` stands for what is left out, which `compact` takes away before it is sent.

/** The step without what is left out. */
export function compact<T extends object>(given: T): T {
  // What is left has the type that it had.
  return Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)) as T;
}

/** No secrets at first; `kept` earlier versions stay of each. */
export function createSecretModel(kept: number): SecretModel {
  const secrets = new Map<string, readonly Row[]>();
  const highest = new Map<string, number>();

  const rowsOf = (name: string): readonly Row[] => secrets.get(name) ?? [];
  const currentOf = (name: string): Row | undefined => rowsOf(name).find(({ state }) => state === 'current');

  function put(name: string, rows: readonly Row[]): void {
    if (rows.length === 0) secrets.delete(name);
    else secrets.set(name, rows);
    highest.set(name, Math.max(highest.get(name) ?? 0, ...rows.map((row) => row.version)));
  }

  /** The rows that stay of a secret that gets `added` newer ones, of which one is current. */
  const superseded = (name: string, added: number): readonly Row[] => {
    const rows = rowsOf(name).map((row) => ({ ...row, state: 'superseded' as const }));
    return rows.slice(Math.max(0, rows.length + added - 1 - kept));
  };

  function store(name: string, content: Pick<Row, 'value' | 'note' | 'tags'>): Told {
    const created = currentOf(name) === undefined;
    const next = (highest.get(name) ?? 0) + 1;
    put(name, [...superseded(name, 1), { ...content, version: next, state: 'current' }]);
    return { version: next, created };
  }

  const conflicts = (name: string, wanted: number | undefined): boolean =>
    wanted !== undefined && wanted !== (currentOf(name)?.version ?? 0);

  return {
    take(step) {
      switch (step.op) {
        case 'set': {
          if (conflicts(step.path, step.ifVersion)) return 'CONFLICT';
          const before = currentOf(step.path);
          const { note = before?.note ?? '', tags = before?.tags ?? [] } = step;
          return store(step.path, { value: step.value, note, tags: [...tags].sort() });
        }
        case 'get': {
          const current = currentOf(step.path);
          if (current === undefined) return 'NOT_FOUND';
          const wanted = step.version ?? current.version;
          const found = rowsOf(step.path).find((row) => row.version === wanted);
          return found === undefined ? 'NOT_FOUND' : { value: found.value, version: found.version };
        }
        case 'history': {
          const rows = rowsOf(step.path);
          if (rows.length === 0) return 'NOT_FOUND';
          return { versions: rows.toReversed().map((row) => [row.version, row.state, row.value.length]) };
        }
        case 'restore': {
          const rows = rowsOf(step.path);
          const source =
            step.version === undefined
              ? rows.findLast(({ state }) => state !== 'current')
              : rows.find((row) => row.version === step.version);
          if (source === undefined) return 'NOT_FOUND';
          if (source.state === 'current' || conflicts(step.path, step.ifVersion)) return 'CONFLICT';
          const { note, tags } = rows.at(-1) ?? source;
          return store(step.path, { value: source.value, note, tags });
        }
        case 'delete': {
          const current = currentOf(step.path);
          if (current === undefined) return 'NOT_FOUND';
          if (conflicts(step.path, step.ifVersion)) return 'CONFLICT';
          const rows = rowsOf(step.path);
          put(
            step.path,
            rows.map((row) => (row === current ? { ...row, state: 'deleted' } : row)),
          );
          return {};
        }
        case 'purge': {
          const rows = rowsOf(step.path);
          if (step.version === undefined) {
            put(step.path, []);
            return rows.length === 0 ? 'NOT_FOUND' : { purged: rows.length };
          }
          const one = rows.find((row) => row.version === step.version);
          if (one === undefined) return 'NOT_FOUND';
          if (one.state !== 'superseded') return 'CONFLICT';
          put(
            step.path,
            rows.filter((row) => row !== one),
          );
          return { purged: 1 };
        }
        case 'rename': {
          const current = currentOf(step.from);
          if (current === undefined) return 'NOT_FOUND';
          if (currentOf(step.to) !== undefined) return 'EXISTS';
          const moved = rowsOf(step.from);
          const base = highest.get(step.to) ?? 0;
          put(step.to, [
            ...superseded(step.to, moved.length),
            ...moved.map((row) => ({ ...row, version: base + row.version })),
          ]);
          put(step.from, []);
          return { version: base + current.version };
        }
        case 'copy': {
          const current = currentOf(step.from);
          if (current === undefined) return 'NOT_FOUND';
          return conflicts(step.to, step.ifVersion) ? 'CONFLICT' : store(step.to, current);
        }
        case 'list': {
          const wanted: State = step.deleted ? 'deleted' : 'current';
          const entries = [...secrets].flatMap(([name, rows]) => {
            const row = rows.find(({ state }) => state === wanted);
            return row === undefined ? [] : [[name, row.version, row.note, row.tags.join()]];
          });
          return { entries: entries.sort() };
        }
      }
    },
  };
}
