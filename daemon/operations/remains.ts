import type { Session } from '../profiles/session.ts';
import { backupsFact, backupsHolding, backupsOf } from '../vault/backup-facts.ts';

/** Where keys may live on that are destroyed here: backups that were taken with them, and copies in the home. */
export interface Remains {
  readonly backups: { id: string; at: string }[];
  readonly copies: string[];
}

/** What remains of the keys with these ids. Throws INTEGRITY, UNAVAILABLE. */
export function remainsOf(
  ids: readonly string[],
  { vault, keyring }: Pick<Session, 'vault' | 'keyring'>,
  copies: string[],
): Remains {
  const list = backupsOf(vault.facts.get(backupsFact));
  const holding = backupsHolding(keyring.keyset(), list, new Set(ids));
  return { backups: holding.map(({ id, at }) => ({ id, at })), copies };
}
