import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { hexOf } from '../keys/text.ts';
import type { FactRow, RowKey } from '../stores/store.ts';
import type { Facts } from './facts.ts';

/**
 * The highest version that a path has had of which no row is left, so that none is ever given twice: what is sealed is
 * bound to its path and version, and whoever compares versions must not take a new value for an old one.
 */
export interface VersionMarks {
  /** 0 where no path of that id has lost its rows. */
  last(id: Uint8Array): number;
  /** The facts that remember these, for the commit that drops the last row of each. */
  rows(marks: readonly RowKey[]): readonly FactRow[];
}

const marks = z.record(z.string(), z.int().positive());

/**
 * The marks of an open vault: facts named `version-marks/` and the first byte of the row id in hex, each the highest
 * versions by the ids in hex. One fact of all would be written anew, whole, with every rename.
 */
export function createVersionMarks(facts: Facts): VersionMarks {
  const nameOf = (id: Uint8Array): string => `version-marks/${hexOf(id.subarray(0, 1))}`;

  const read = (name: string): Readonly<Record<string, number>> => {
    const parsed = marks.safeParse(facts.get(name) ?? {});
    if (parsed.success) return parsed.data;
    throw new HushError('INTEGRITY', "the vault's version marks are not such as hushd writes");
  };

  return {
    last: (id) => read(nameOf(id))[hexOf(id)] ?? 0,
    rows(added) {
      const byName = Map.groupBy(added, ({ id }) => nameOf(id));
      return [...byName].map(([name, keys]) => {
        const next = keys.map(({ id, version }) => [hexOf(id), version] as const);
        return facts.row(name, { ...read(name), ...Object.fromEntries(next) });
      });
    },
  };
}
