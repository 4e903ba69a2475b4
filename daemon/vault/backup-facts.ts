import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import type { KeyRecord, Keyset } from '../keys/keyset.ts';

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
  /** Whether the client that took it said that its file is whole and on a disk. */
  kept: z.boolean(),
});

/** One backup that was taken of a vault, as the vault remembers it. */
export type BackupFact = z.infer<typeof backupFact>;

/** The name of the fact that holds the list of backups, the newest last. */
export const backupsFact = 'backups';

const mostRemembered = 32;

/** The backups that a vault remembers: `facts.get(backupsFact)`, checked. Throws INTEGRITY for anything else. */
export function backupsOf(fact: unknown): readonly BackupFact[] {
  const parsed = z.array(backupFact).safeParse(fact ?? []);
  if (parsed.success) return parsed.data;
  throw new HushError('INTEGRITY', "the vault's list of backups is not one that hushd writes");
}

/** The list with a backup, in place of what it said of that one before; of a long list the last 32 stay. */
export function withBackup(list: readonly BackupFact[], backup: BackupFact): readonly BackupFact[] {
  return [...withoutBackup(list, backup.id), backup].slice(-mostRemembered);
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

/** The backups, kept or not, that were taken after the first of these keys was born: they may open what it sealed. */
export function backupsHolding(
  keyset: Keyset,
  list: readonly BackupFact[],
  ids: ReadonlySet<string>,
): readonly BackupFact[] {
  // Keys are kept in the order of their birth, over every generation of the key set.
  const first = [...keyset.keys.keys()].findIndex((id) => ids.has(id));
  return first < 0 ? [] : list.filter(({ keys }) => keys > first);
}
