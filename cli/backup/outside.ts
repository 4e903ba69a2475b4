import { realpathSync, statSync, type Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';

/**
 * Throws BAD_REQUEST for a file that would lie among the profiles or the audits of a home, or take the place of a file of
 * its daemon, by whatever links its folder is reached.
 */
export function requireOutside(path: string, home: HomePaths): void {
  const folder = idOf(dirname(path));
  if (folder === undefined) return;
  const { profiles, audit, config, socket, lock, log, clients, noiseKey } = home;
  const isOwn = [config, socket, lock, log, clients, noiseKey].some(
    (own) => basename(own) === basename(path) && isSame(idOf(dirname(own)), folder),
  );
  if (!isOwn && ![profiles, audit].some((own) => isWithin(dirname(path), own))) return;
  throw new HushError('BAD_REQUEST', `${path} is where the daemon keeps files of its own`, {
    hint: 'name a file outside of its folders',
  });
}

function isWithin(folder: string, outer: string): boolean {
  const wanted = idOf(outer);
  for (let at = realpathSync(folder); ; at = dirname(at)) {
    if (isSame(idOf(at), wanted)) return true;
    if (at === dirname(at)) return false;
  }
}

/** Undefined where there is nothing of that name. */
const idOf = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

const isSame = (one: Stats | undefined, other: Stats | undefined): boolean =>
  one !== undefined && one.dev === other?.dev && one.ino === other.ino;
