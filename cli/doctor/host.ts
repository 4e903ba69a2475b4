import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { checkHome } from '../../daemon/home/inspection.ts';
import { profilePathsOf, type HomePaths } from '../../daemon/home/paths.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import type { HeaderBody } from '../../daemon/keys/header.ts';
import { filesOf } from '../../daemon/profiles/profile-files.ts';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { countText, sizeText } from '../format.ts';
import { packageVersion } from '../package.ts';
import { lookAtAudits } from './audit.ts';
import { lookAtBackoff } from './backoff.ts';
import { configFindings } from './config.ts';
import { lookAtEnrolment } from './enrolment.ts';
import { attemptCheck, type Finding } from './finding.ts';

const MiB = 1024 * 1024;

const restoring = 'hush backup restore FILE --replace';

/** Below this nothing can be kept for long; below the other it is time to look after it. */
const scarceBytes = 32 * MiB;
const shortBytes = 512 * MiB;
const scarceFiles = 1_000;

/** What can be said of this host without the daemon. */
export async function lookAtHost(paths: HomePaths): Promise<readonly Finding[]> {
  return [
    { check: 'version', state: 'ok', message: `hush ${packageVersion()} on Node ${process.versions.node}` },
    ...(await attemptCheck('home', () => homeFindings(paths))),
    ...(await attemptCheck('config', () => configFindings(paths))),
    ...(await attemptCheck('profiles', () => profileFindings(paths))),
    ...(await attemptCheck('unlock', () => lookAtBackoff(paths))),
    ...(await attemptCheck('enrolled', () => lookAtEnrolment(paths))),
    ...(await attemptCheck('audit', () => lookAtAudits(paths))),
    ...(await attemptCheck('disk', async () => [await diskFinding(paths)])),
  ];
}

function homeFindings(paths: HomePaths): readonly Finding[] {
  if (!existsSync(paths.home)) {
    return [
      { check: 'home', state: 'warning', message: `${paths.home} does not exist yet`, hint: 'hush init' },
    ];
  }
  const problems = checkHome(paths);
  if (problems.length === 0) return [{ check: 'home', state: 'ok', message: `${paths.home} is yours alone` }];
  return problems.map(({ message, hint }) => ({ check: 'home', state: 'problem', message, hint }));
}

function profileFindings(paths: HomePaths): readonly Finding[] {
  const names = existsSync(paths.profiles) ? readdirSync(paths.profiles).filter(isProfileName) : [];
  if (names.length === 0)
    return [{ check: 'profiles', state: 'warning', message: 'there is none yet', hint: 'hush init' }];
  const message = `${countText(names.length, 'profile')}: ${names.join(', ')}`;
  return [{ check: 'profiles', state: 'ok', message }, ...names.flatMap((name) => brokenFiles(paths, name))];
}

/** What is wrong with a profile's files as far as it shows without a key; the rest shows at its unlock. */
function brokenFiles(paths: HomePaths, name: ProfileName): readonly Finding[] {
  const { folder, header, ...first } = profilePathsOf(paths, name);
  // What stands in a folder's place is a finding of the home.
  if (!lstatSync(folder).isDirectory()) return [];
  if (readdirSync(folder).length === 0) {
    return [problemOf(`${folder} is empty, and no profile`, `rmdir ${shellWord(folder)}`)];
  }
  const { broken, files } = headerFindings(header);
  const { vault, keyset } = files === undefined ? first : filesOf(folder, files);
  if (isVoid(vault)) broken.push(problemOf(`${vault} is missing or empty`, restoring));
  if (isVoid(keyset)) {
    const message = `${keyset} is missing or empty`;
    broken.push({ check: 'profiles', state: 'warning', message, hint: `hush unlock -p ${name} rebuilds it` });
  }
  return broken;
}

/** What is wrong with a header, and the files that it names where it can be read. */
function headerFindings(path: string): {
  readonly broken: Finding[];
  readonly files: HeaderBody['files'] | undefined;
} {
  try {
    return { broken: [], files: readHeaderFile(path).body.files };
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    // The home's findings tell of modes, owners and links.
    if (error.code === 'UNSAFE_MODE') return { broken: [], files: undefined };
    const isNewer = error.code === 'NEWER_FORMAT';
    const hint = isNewer ? 'install the release that wrote it' : restoring;
    return { broken: [problemOf(`${path}: ${error.message}`, hint)], files: undefined };
  }
}

function isVoid(path: string): boolean {
  return (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

function problemOf(message: string, hint: string): Finding {
  return { check: 'profiles', state: 'problem', message, hint };
}

async function diskFinding({ home }: HomePaths): Promise<Finding> {
  if (!existsSync(home)) return { check: 'disk', state: 'ok', message: 'nothing is kept yet' };
  const { bavail, bsize, ffree, files } = await statfs(home);
  // A file system that counts no files has 0 of them.
  if (files > 0 && ffree < scarceFiles) {
    const message = `only ${countText(ffree, 'more file')} can be made where ${home} lies`;
    return { check: 'disk', state: ffree === 0 ? 'problem' : 'warning', message, hint: 'remove some files' };
  }
  const free = bavail * bsize;
  const message = `${sizeText(free)} are free where ${home} lies`;
  if (free >= shortBytes) return { check: 'disk', state: 'ok', message };
  return {
    check: 'disk',
    state: free < scarceBytes ? 'problem' : 'warning',
    message,
    hint: 'free some space',
  };
}
