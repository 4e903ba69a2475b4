import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { entriesOf, type KeyRecord, type Keyset } from '../keys/keyset.ts';

const count = z.int().nonnegative();

const backupFact = z.object({
  /** 32 hex digits. */
  id: z.string(),
  /** The moment that the backup shows, ISO 8601 in UTC. */
  at: z.string(),
  /** The commit of the vault then. */
  commit: count,
  /** Which key set it holds: its generation, how many lines that had, and how many keys of any state. */
  keysetGeneration: count,
  keysetLines: count,
  keys: count,
  /** Set where the key set still had bytes of destroyed keys then, which the disk had refused to erase. */
  unerased: z.literal(true).optional(),
  /** Whether the client that took it said that its file is whole and on a disk. */
  kept: z.boolean(),
});

/** One backup that was taken of a vault, as the vault remembers it. */
export type BackupFact = z.infer<typeof backupFact>;

/** The name of the fact that holds the list of backups, the newest last. */
export const backupsFact = 'backups';

/** Of either kind, those that were kept and those that were not: none of the one makes room for the other. */
const mostOfAKind = 32;

/** The backups that a vault remembers: `facts.get(backupsFact)`, checked. Throws INTEGRITY for anything else. */
export function backupsOf(fact: unknown): readonly BackupFact[] {
  const parsed = z.array(backupFact).safeParse(fact ?? []);
  if (parsed.success) return parsed.data;
  throw new HushError('INTEGRITY', "the vault's list of backups is not one that hushd writes");
}

/** The list with a backup, in place of what it said of that one before; of a long list the last 32 of either kind stay. */
export function withBackup(list: readonly BackupFact[], backup: BackupFact): readonly BackupFact[] {
  const all = [...withoutBackup(list, backup.id), backup];
  const last = (kept: boolean): readonly BackupFact[] =>
    all.filter((one) => one.kept === kept).slice(-mostOfAKind);
  const staying = new Set([...last(true), ...last(false)]);
  return all.filter((one) => staying.has(one));
}

/** The list without the backup of that id: no whole copy of it was ever given out. */
export function withoutBackup(list: readonly BackupFact[], id: string): readonly BackupFact[] {
  return list.filter((backup) => backup.id !== id);
}

/** How a profile stands with its backups. */
export interface BackupState {
  /** The newest backup that was kept. */
  readonly last: BackupFact | undefined;
  /** The data keys that can still open something and that it does not hold, the oldest first. */
  readonly newer: readonly KeyRecord[];
}

/** What `hush keys status` and `hush doctor` warn of: data keys that are in no backup that was kept. */
export function backupState(keyset: Keyset, list: readonly BackupFact[]): BackupState {
  const last = list.findLast(({ kept }) => kept);
  const newer = [...keyset.keys.values()]
    .slice(last?.keys ?? 0)
    .filter(({ entry, state }) => entry.use === 'dek' && state !== 'destroyed');
  return { last, newer };
}

/** The backups, kept or not, that were taken while one of these keys lived: they may open what it sealed. */
export function backupsHolding(
  keyset: Keyset,
  list: readonly BackupFact[],
  ids: ReadonlySet<string>,
): readonly BackupFact[] {
  const spans = spansOf(keyset, ids);
  return list.filter((backup) => spans.some((span) => holds(backup, span)));
}

/** A key's life: how many keys were born before it, and the line of the key set that destroyed it, and when. */
interface Span {
  readonly bornAfter: number;
  readonly end: { readonly lines: number; readonly at: string } | undefined;
}

function spansOf(keyset: Keyset, ids: ReadonlySet<string>): readonly Span[] {
  // Keys are kept in the order of their birth, and entries in that of the lines, over every generation of the key set.
  const born = [...keyset.keys.keys()].flatMap((id, at) => (ids.has(id) ? [{ id, bornAfter: at }] : []));
  if (born.length === 0) return [];
  const ends = new Map(
    entriesOf(keyset).flatMap((entry) =>
      entry.type === 'state' && entry.state === 'destroyed'
        ? [[entry.key, { lines: entry.seq + 1, at: entry.at }] as const]
        : [],
    ),
  );
  return born.map(({ id, bornAfter }) => ({ bornAfter, end: ends.get(id) }));
}

function holds(backup: BackupFact, { bornAfter, end }: Span): boolean {
  if (backup.keys <= bornAfter) return false;
  if (end === undefined || backup.unerased) return true;
  // Both must say so: lines are counted anew where an older key set was put back, and clocks are set back.
  return backup.keysetLines < end.lines || backup.at < end.at;
}
