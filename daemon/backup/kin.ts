import { closeSync, constants, existsSync, fstatSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { isProfileName, parseProfileName } from '../../protocol/names.ts';
import { chainFileName } from '../audit/chain.ts';
import { sealEvent } from '../audit/seals.ts';
import { linesFromEnd, wholeLinesLength } from '../audit/tail.ts';
import { profilePathsOf, type HomePaths, type ProfilePaths } from '../home/paths.ts';
import { openSafeFile } from '../home/safety.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { keysetPathOf, presentHeader, presentVaultId } from './present-profile.ts';

/*
 * What the home knows of a backup's vault already. Nothing here is proved by a key, and nothing has to be: it only makes
 * a restore more careful.
 */

const entry = z.union([
  z.object({ type: z.literal('key'), id: z.string(), wrapped: z.string() }),
  z.object({ type: z.literal('state'), key: z.string(), state: z.string() }),
]);

/** The keys of a key set's file by what they are: those that it still holds, and those that were destroyed. */
function keysIn(path: string): { readonly held: Set<string>; readonly destroyed: Set<string> } {
  const held = new Set<string>();
  const destroyed = new Set<string>();
  for (const line of readKeysetFile(path).lines.slice(1)) {
    const parsed = entry.safeParse(jsonOf(line));
    if (!parsed.success) continue;
    const found = parsed.data;
    if (found.type === 'key') (found.wrapped === '' ? destroyed : held).add(found.id);
    else if (found.state === 'destroyed') destroyed.add(found.key);
  }
  for (const id of destroyed) held.delete(id);
  return { held, destroyed };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * Throws CONFLICT when a profile of the home is the same vault and has destroyed keys that the backup, whose key set
 * lies at `keyset`, still holds: beside it they would open again what was to be unreadable for ever.
 */
export function refuseDestroyedBeside(paths: HomePaths, vaultId: string, keyset: string): void {
  const { held } = keysIn(keyset);
  for (const name of readdirSync(paths.profiles).filter(isProfileName)) {
    const place = profilePathsOf(paths, parseProfileName(name));
    if (!lstatSync(place.folder).isDirectory()) continue;
    const header = presentHeader(place);
    const path = keysetPathOf(place, header);
    if (path === undefined || presentVaultId(place, header) !== vaultId) continue;
    const { destroyed } = keysIn(path);
    if (![...destroyed].some((id) => held.has(id))) continue;
    throw new HushError(
      'CONFLICT',
      `the profile ${name} is the same vault, and has destroyed keys that this backup holds`,
      {
        hint: `put it over that profile, where they stay destroyed: hush backup restore FILE --replace -p ${name}`,
      },
    );
  }
}

/** Whether an audit chain was sealed for this vault last: then it knows how far the vault had come. */
export function knowsVault({ audit }: Pick<ProfilePaths, 'audit'>, vaultId: string): boolean {
  const path = join(audit, chainFileName);
  if (!existsSync(path)) return false;
  const fd = openSafeFile(path, constants.O_RDONLY);
  try {
    const size = wholeLinesLength(fd, fstatSync(fd).size);
    for (const line of linesFromEnd(fd, size)) {
      const text = line.toString('latin1');
      if (text.includes(`"event":"${sealEvent}"`)) return text.includes(`"vault":"${vaultId}"`);
    }
    return false;
  } catch (error) {
    // A chain that cannot be read is set aside, as that of another vault is.
    if (error instanceof HushError && error.code === 'INTEGRITY') return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}
