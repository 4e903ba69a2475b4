import { storedLine } from '../keys/create.ts';
import type { DekLine } from '../keys/dek-index.ts';
import type { KeyRecord, Keyset } from '../keys/keyset.ts';

/** Whether these are the keys that seal stored secrets. */
export const isStoredLine = ({ keyring, tenant }: DekLine): boolean =>
  keyring === storedLine.keyring && tenant === storedLine.tenant;

/** The data keys of each line, the oldest first. */
export function dekLines(keyset: Keyset): readonly (readonly KeyRecord[])[] {
  const deks = [...keyset.keys.values()].filter(({ entry }) => entry.use === 'dek');
  const byKeyring = Map.groupBy(deks, ({ entry }) => entry.keyring);
  return [...byKeyring.values()].flatMap((records) => [
    ...Map.groupBy(records, ({ entry }) => entry.tenant).values(),
  ]);
}

/** The newest data key of each line, in whatever state, those of one keyring together. */
export const newestDeks = (keyset: Keyset): readonly KeyRecord[] =>
  dekLines(keyset).flatMap((line) => line.slice(-1));
