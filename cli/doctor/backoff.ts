import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { readSafeFile } from '../../daemon/home/files.ts';
import { profilePathsOf, type HomePaths } from '../../daemon/home/paths.ts';
import { ownRule } from '../../daemon/unlock/backoff.ts';
import { backoffFileBytes, decodeBackoff } from '../../daemon/unlock/backoff-format.ts';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { countText } from '../format.ts';
import type { Finding } from './finding.ts';

const check = 'unlock';

/** Who has given wrong passphrases, and has to wait for it; a file that cannot be read counts as the longest wait. */
export function lookAtBackoff(paths: HomePaths): readonly Finding[] {
  const names = existsSync(paths.profiles) ? readdirSync(paths.profiles).filter(isProfileName) : [];
  return names.flatMap((name) => {
    const { folder, backoff } = profilePathsOf(paths, name);
    // What stands in a folder's place is a finding of the home.
    return lstatSync(folder).isDirectory() ? findingsOf(name, backoff) : [];
  });
}

function findingsOf(name: ProfileName, path: string): readonly Finding[] {
  const bytes = readSafeFile(path, backoffFileBytes);
  if (bytes === undefined) return [];
  try {
    const { identities, total } = decodeBackoff(bytes, 0);
    const guessers = [...identities].filter(([, { wrong }]) => wrong > ownRule.free);
    if (guessers.length === 0) return [];
    const who = guessers.map(([identity, { wrong }]) => `${identity} ${wrong}`).slice(0, 5);
    const message = `${name}: ${countText(total.wrong, 'wrong passphrase')} in a row (${who.join(', ')}): these wait longer each time`;
    return [
      {
        check,
        state: 'warning',
        message,
        hint: `hush audit search -p ${name} --event unlock --outcome failed`,
      },
    ];
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    const message = `${path}: ${error.message}: it counts as the longest wait`;
    const hint =
      error.code === 'DAMAGED'
        ? `unlock once the wait has passed, or mv ${shellWord(path)} away`
        : error.hint;
    return [{ check, state: 'problem', message, hint }];
  }
}
