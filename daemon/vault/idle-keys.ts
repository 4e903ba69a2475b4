import type { KeyRecord, Keyset } from '../keys/keyset.ts';
import { dekLines, isStoredLine } from './dek-lines.ts';

/**
 * Whether rows that a legacy key seals are to be sealed anew: once a data key for stored secrets is younger than every
 * legacy key, which is to say with the first rotation after their import.
 */
export function movesLegacy(keyset: Keyset): boolean {
  let isMoved = false;
  for (const { entry, state } of keyset.keys.values()) {
    if (entry.use === 'dek' && isStoredLine(entry)) isMoved = true;
    else if (entry.use === 'legacy' && state !== 'destroyed') isMoved = false;
  }
  return isMoved;
}

/** How many stored rows none of these keys seals, by their versions. */
export function rowsNotUnder(counts: ReadonlyMap<number, number>, versions: readonly number[]): number {
  let rows = 0;
  for (const [dek, count] of counts) if (!versions.includes(dek)) rows += count;
  return rows;
}

/**
 * The keys that are active and that nothing needs so any more, since each has a newer one in its line: those of stored
 * secrets not before every row is under the newest, for a row's name may be under an older key than its value says.
 */
export function idleKeys(keyset: Keyset, counts: ReadonlyMap<number, number>): readonly KeyRecord[] {
  return dekLines(keyset).flatMap((line) => {
    const newest = line.at(-1);
    if (newest === undefined) return [];
    if (isStoredLine(newest.entry) && rowsNotUnder(counts, [newest.entry.version]) > 0) return [];
    return line.slice(0, -1).filter(({ state }) => state === 'active');
  });
}
