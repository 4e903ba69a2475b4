import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { profilePathsOf, type HomePaths } from '../../daemon/home/paths.ts';
import { isProfileName } from '../../protocol/names.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { durationText } from '../format.ts';
import type { Finding } from './finding.ts';

/** What two looks at a clock may differ by. */
const slackMs = 60_000;

/**
 * Whether the clock may have been set back: a file that hushd writes is of a later time than now, or the daemon was
 * started later than its age says. Expiry, `until` of grants and the times in the audit go by this clock.
 */
export function lookAtClock(
  paths: HomePaths,
  status: Pick<ResultOf<'status'>, 'startedAt' | 'uptimeMs'> | undefined,
  now: number = Date.now(),
): Finding {
  const check = 'clock';
  const daemonNow = status === undefined ? 0 : Date.parse(status.startedAt) + status.uptimeMs;
  const written = newestTime(paths);
  const behind = Math.max(daemonNow, written) - now;
  if (behind <= slackMs) return { check, state: 'ok', message: new Date(now).toISOString() };
  const what = written >= daemonNow ? 'what hushd has written last' : 'the daemon, by its age,';
  return {
    check,
    state: 'warning',
    message: `it is ${durationText(behind)} behind ${what}: it was set back, or is wrong`,
    hint: 'set it (timedatectl status tells whether it is synchronised)',
  };
}

/** When the files were written that change with every request or change; 0 where there are none. */
function newestTime(paths: HomePaths): number {
  const profiles = existsSync(paths.profiles) ? readdirSync(paths.profiles).filter(isProfileName) : [];
  const folders = [paths.daemonAudit, ...profiles.map((name) => profilePathsOf(paths, name).audit)];
  const files = folders.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [],
  );
  return files.reduce((newest, file) => Math.max(newest, statSync(file).mtimeMs), 0);
}
