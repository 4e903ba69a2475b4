import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import type { HomePaths } from '../home/paths.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { namedKeys, setAsideOf, siblingsOf, type Sibling } from '../profiles/unopened.ts';

/**
 * Throws CONFLICT when a profile of the home, or what a restore has set aside of one, is the same vault and has destroyed
 * keys that the backup, whose key set lies at `keyset`, still holds: beside it they would open again what was to be
 * unreadable for ever. So it does when that profile's key set cannot be read; those of other vaults do not matter.
 */
export function refuseDestroyedBeside(paths: HomePaths, vaultId: string, keyset: string): void {
  const { held } = namedKeys(readKeysetFile(keyset).lines);
  const mayHaveDestroyed = ({ keys }: Sibling): boolean =>
    keys === undefined || [...keys.destroyed].some((id) => held.has(id));

  const sibling = siblingsOf(paths, vaultId).find(mayHaveDestroyed);
  if (sibling !== undefined) {
    const { name, folder } = sibling;
    throw new HushError('CONFLICT', `the profile ${name} is the same vault, and ${whatOf(sibling)}`, {
      hint: `put it over that profile, where they stay destroyed: hush backup restore FILE --replace -p ${name}; or move that profile out of the home: mv ${shellWord(folder)} ELSEWHERE`,
    });
  }
  const aside = setAsideOf(paths, vaultId).find(mayHaveDestroyed);
  if (aside !== undefined) {
    const { folder } = aside;
    throw new HushError(
      'CONFLICT',
      `${folder}, which a restore has set aside, is the same vault, and ${whatOf(aside)}`,
      {
        hint: `make it the profile NAME again, then hush backup restore FILE --replace -p NAME, where they stay destroyed; or move it out of the home: mv ${shellWord(folder)} ELSEWHERE`,
      },
    );
  }
}

const whatOf = ({ keys }: Sibling): string =>
  keys === undefined
    ? 'its key set cannot be read: it may have destroyed keys that this backup holds'
    : 'has destroyed keys that this backup holds';
