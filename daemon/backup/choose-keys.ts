import { HushError } from '../../protocol/errors.ts';
import type { Header } from '../keys/header.ts';
import type { KeyState, Keyset } from '../keys/keyset.ts';

const rank: Readonly<Record<KeyState, number>> = { active: 0, retired: 1, destroyed: 2 };

/** Whether a key set has every key of another one, none of them in an earlier state: nothing is lost with the other. */
export function covers(keyset: Keyset, other: Keyset): boolean {
  return [...other.keys].every(([id, { state }]) => {
    const own = keyset.keys.get(id);
    return own !== undefined && rank[own.state] >= rank[state];
  });
}

/**
 * Which of two key sets of one vault a restored profile goes on with: the one that has every key and every mark of
 * destruction of the other, the profile's own where they say the same. Throws CONFLICT when each has what the other
 * lacks: the profile has gone its own way since an earlier restore.
 */
export function chooseKeyset(ofProfile: Keyset | undefined, ofBackup: Keyset): 'profile' | 'backup' {
  if (ofProfile === undefined) return 'backup';
  if (covers(ofProfile, ofBackup)) {
    // A vault key that was rotated has raised the generation, and the older one opens no newer file.
    const isSame = covers(ofBackup, ofProfile);
    return isSame && ofBackup.generation > ofProfile.generation ? 'backup' : 'profile';
  }
  if (covers(ofBackup, ofProfile)) return 'backup';
  throw new HushError('CONFLICT', 'the profile and the backup each have keys that the other lacks', {
    hint: 'restore the backup under another name: -p NAME',
  });
}

/** The newer of the headers that hold the vault key of the chosen key set; the first where they are of one age. */
export function newerHeader(one: Header, other: Header | undefined): Header {
  return other !== undefined && other.body.generation > one.body.generation ? other : one;
}
