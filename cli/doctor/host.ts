import { existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { loadConfig } from '../../daemon/config/load.ts';
import { checkHome } from '../../daemon/home/inspection.ts';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { isProfileName } from '../../protocol/names.ts';
import { countText, sizeText } from '../format.ts';
import { packageVersion } from '../package.ts';
import { attemptCheck, type Finding } from './finding.ts';

const MiB = 1024 * 1024;

/** Below this nothing can be kept for long; below the other it is time to look after it. */
const scarceBytes = 32 * MiB;
const shortBytes = 512 * MiB;

/** What can be said of this host without the daemon. */
export async function lookAtHost(paths: HomePaths): Promise<readonly Finding[]> {
  return [
    { check: 'version', state: 'ok', message: `hush ${packageVersion()} on Node ${process.versions.node}` },
    ...(await attemptCheck('home', () => homeFindings(paths))),
    ...(await attemptCheck('config', () => [configFinding(paths)])),
    ...(await attemptCheck('profiles', () => [profilesFinding(paths)])),
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

function configFinding({ config }: HomePaths): Finding {
  loadConfig(config);
  const message = existsSync(config)
    ? `${config} is in order`
    : `${config} does not exist: the defaults apply`;
  return { check: 'config', state: 'ok', message };
}

function profilesFinding({ profiles }: HomePaths): Finding {
  const names = existsSync(profiles) ? readdirSync(profiles).filter(isProfileName) : [];
  if (names.length === 0)
    return { check: 'profiles', state: 'warning', message: 'there is none yet', hint: 'hush init' };
  return {
    check: 'profiles',
    state: 'ok',
    message: `${countText(names.length, 'profile')}: ${names.join(', ')}`,
  };
}

async function diskFinding({ home }: HomePaths): Promise<Finding> {
  if (!existsSync(home)) return { check: 'disk', state: 'ok', message: 'nothing is kept yet' };
  const { bavail, bsize } = await statfs(home);
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
