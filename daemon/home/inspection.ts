import { lstatSync, readdirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { diskError, errnoOf } from './disk-errors.ts';
import type { HomePaths } from './paths.ts';
import { fileProblems, folderProblems, type SafetyProblem } from './safety.ts';

/** A problem of the home; one with a profile is that profile's alone, and the others can go on without it. */
export interface HomeProblem extends SafetyProblem {
  readonly profile?: ProfileName;
}

/**
 * Every safety problem of a home at once: its folders, its config, and all files of its profiles and audit chains.
 * Missing ones are no problem, and nothing is changed. Links are reported, never followed.
 */
export function checkHome(paths: HomePaths): readonly HomeProblem[] {
  return [
    ...paths.ownFolders.flatMap(folderProblems),
    ...[paths.config, paths.lock, paths.log, paths.clients, paths.noiseKey].flatMap(fileProblems),
    ...problemsBelow(paths.daemonAudit),
    ...profileProblems(paths.profiles),
    ...profileProblems(paths.profileAudits),
  ];
}

/** Below `folder` each profile has a folder of its own; entries that are no profile's name are never opened. */
function profileProblems(folder: string): readonly HomeProblem[] {
  const { entries, problems } = list(folder);
  return [
    ...problems,
    ...entries.flatMap(({ name }) => {
      if (!isProfileName(name)) return [];
      const path = join(folder, name);
      return [...folderProblems(path), ...problemsBelow(path)].map((problem) => ({
        ...problem,
        profile: name,
      }));
    }),
  ];
}

function problemsBelow(folder: string): readonly SafetyProblem[] {
  const { entries, problems } = list(folder);
  return [
    ...problems,
    ...entries.flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? [...folderProblems(path), ...problemsBelow(path)] : fileProblems(path);
    }),
  ];
}

/** What a folder holds: nothing if it is missing or no folder, a problem if its owner's own bits forbid to look. */
function list(folder: string): {
  readonly entries: readonly Dirent[];
  readonly problems: readonly SafetyProblem[];
} {
  try {
    const isFolder = lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
    return { entries: isFolder ? readdirSync(folder, { withFileTypes: true }) : [], problems: [] };
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw diskError(`cannot look into ${folder}`, error);
    const hint = `chmod 700 ${shellWord(folder)}`;
    return { entries: [], problems: [{ path: folder, message: `${folder} cannot be looked into`, hint }] };
  }
}
