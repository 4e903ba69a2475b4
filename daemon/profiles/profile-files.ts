import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import type { HeaderBody } from '../keys/header.ts';

/** The names of the files beside a header that belong to it. */
export type FileNames = HeaderBody['files'];

/** Where the files beside a header are; absolute paths. */
export interface ProfileFiles {
  readonly vault: string;
  readonly keyset: string;
}

/** A vault file or key set that some header may name; those that a rotation of the vault key made have its number. */
const vaultName = /^vault(?:-([1-9][0-9]{0,15}))?\.db$/;
const ownName =
  /^(?:vault(?:-[1-9][0-9]{0,15})?\.db(?:-wal|-shm|-journal)?|\.?keyset(?:-[1-9][0-9]{0,15})?(?:\.tmp)?|\.header\.tmp)$/;

/** The files that a header names, in the folder that it stands in. */
export const filesOf = (folder: string, { vault, keyset }: FileNames): ProfileFiles => ({
  vault: join(folder, vault),
  keyset: join(folder, keyset),
});

/** Names for the files of another vault key, whose header has this generation. No header named them before. */
export const namesFor = (generation: number): FileNames => ({
  vault: `vault-${generation}.db`,
  keyset: `keyset-${generation}`,
});

/** All files that SQLite may keep for a vault. */
export const vaultWithCompanions = (path: string): readonly string[] => [
  path,
  `${path}-wal`,
  `${path}-shm`,
  `${path}-journal`,
];

/**
 * Throws ROLLBACK when the vault that the header names is gone and a later one stands there: the header is one of
 * before a rotation of the vault key, put back by itself.
 */
export function refuseOlderHeader(folder: string, names: FileNames): void {
  if (existsSync(join(folder, names.vault))) return;
  const newest = Math.max(0, ...readdirSync(folder).map(numberOf));
  if (newest <= numberOf(names.vault)) return;
  throw new HushError(
    'ROLLBACK',
    'the header is older than the vault beside it: it was written before the vault key was rotated',
    { hint: 'put the newest header back; hush backup restore, if there is none' },
  );
}

const numberOf = (name: string): number => {
  const found = vaultName.exec(name);
  return found === null ? 0 : Number(found[1] ?? 1);
};

/**
 * Removes the vaults and key sets of this folder that the header does not name, and what was not yet one of those or a
 * header: a rotation of the vault key that was cut off has left them, on either side of its end. Only for a header that
 * has proved to be the newest, and not before that is on the disk for good: an earlier one would need the others. Throws
 * UNAVAILABLE.
 */
export function removeLeftovers(folder: string, names: FileNames): void {
  const kept = new Set([...vaultWithCompanions(names.vault), names.keyset]);
  syncFolder(folder);
  try {
    const left = readdirSync(folder).filter((name) => ownName.test(name) && !kept.has(name));
    for (const name of left) rmSync(join(folder, name), { force: true });
    if (left.length > 0) syncFolder(folder);
  } catch (error) {
    throw diskError('cannot remove what an earlier rotation of the vault key has left', error);
  }
}

/**
 * UNAVAILABLE for a file that was replaced and whose folder could not be synced: after a power cut the old one or the new
 * one is there, and nobody may build on either before it was read again.
 */
export const unsettled = (what: string, cause?: unknown): HushError => {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new HushError('UNAVAILABLE', `it is not known which ${what} is on the disk${why}`, {
    hint: 'hush lock, then hush unlock, and look whether it was changed',
    ...(cause === undefined ? {} : { cause }),
  });
};
