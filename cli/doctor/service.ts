import { lstatSync } from 'node:fs';
import { loadConfig } from '../../daemon/config/load.ts';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { profileFacts } from '../commands/status.ts';
import { withDaemonIfRunning, type Daemon } from '../daemon.ts';
import { countText } from '../format.ts';
import { forProfile } from '../hints.ts';
import { packageVersion } from '../package.ts';
import { lookAtClock } from './clock.ts';
import { lookAtExpiry } from './expiry.ts';
import { attemptCheck, type Finding } from './finding.ts';

const notRunning: Finding = {
  check: 'daemon',
  state: 'warning',
  message: 'it does not run',
  hint: 'hush start',
};

/** What can be said of the socket and of the daemon behind it. */
export async function lookAtService(paths: HomePaths): Promise<readonly Finding[]> {
  const daemon = await attemptCheck('daemon', () => daemonFindings(paths));
  const isReached = daemon.every(
    (finding) => finding !== notRunning && (finding.check !== 'daemon' || finding.state !== 'problem'),
  );
  return [...(await attemptCheck('socket', () => [socketFinding(paths, isReached)])), ...daemon];
}

function socketFinding({ socket: path, config }: HomePaths, isReached: boolean): Finding {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const check = 'socket';
  const word = shellWord(path);
  if (found === undefined)
    return { check, state: 'warning', message: `${path} is not there`, hint: 'hush start' };
  if (!found.isSocket()) {
    return { check, state: 'problem', message: `${path} is not a socket`, hint: `mv ${word} ${word}.aside` };
  }
  const meant = meantMode(config);
  if ((found.mode & 0o777 & ~meant) !== 0) {
    const message = `more users can connect to ${path} than the config says`;
    return { check, state: 'problem', message, hint: `chmod ${meant.toString(8)} ${word}` };
  }
  const trusted = [process.geteuid?.(), 0, Number(process.env['HUSH_DAEMON_UID'] || 0)];
  if (!trusted.includes(found.uid)) {
    const message = `${path} belongs to user ${found.uid}, whose daemon you do not trust`;
    return { check, state: 'problem', message, hint: `remove it, or set HUSH_DAEMON_UID=${found.uid}` };
  }
  if (!isReached)
    return { check, state: 'warning', message: `nobody answers on ${path}`, hint: 'hush start' };
  return { check, state: 'ok', message: path };
}

/** The mode that the config gives the socket; of one that is not in order another finding tells. */
function meantMode(config: string): number {
  try {
    return loadConfig(config).transport.socketMode;
  } catch (error) {
    if (error instanceof HushError) return 0o600;
    throw error;
  }
}

async function daemonFindings(paths: HomePaths): Promise<readonly Finding[]> {
  const found = await withDaemonIfRunning(async (daemon) => {
    const status = await daemon.call('status', {});
    const open = status.profiles.filter(({ state }) => state === 'unlocked');
    const looked = open.flatMap(({ name }) => [keyFindings(daemon, name), lookAtExpiry(daemon, name)]);
    return { status, inside: (await Promise.all(looked)).flat() };
  });
  if (found === undefined) {
    return [notRunning, ...(await clockFinding(paths, undefined))];
  }
  const { status, inside } = found;
  return [
    versionFinding(status),
    ...status.profiles.flatMap((profile) => [profileFinding(profile), ...backupFindings(profile)]),
    ...inside,
    ...(await clockFinding(paths, status)),
    ...hardeningFindings(status),
  ];
}

const clockFinding = (
  paths: HomePaths,
  status: ResultOf<'status'> | undefined,
): Promise<readonly Finding[]> => attemptCheck('clock', () => [lookAtClock(paths, status)]);

function versionFinding({ pid, version }: ResultOf<'status'>): Finding {
  const message = `hushd ${version} runs, pid ${pid}`;
  if (version === packageVersion()) return { check: 'daemon', state: 'ok', message };
  return {
    check: 'daemon',
    state: 'warning',
    message: `${message}, and this is hush ${packageVersion()}`,
    hint: 'hush stop && hush start',
  };
}

function profileFinding({ name, ...rest }: ResultOf<'status'>['profiles'][number]): Finding {
  const message = `${name}: ${profileFacts(rest)}`;
  if (rest.problem === undefined) return { check: 'profile', state: 'ok', message };
  return { check: 'profile', state: 'problem', message, hint: 'mend what "home" names' };
}

/** Whether all data keys are in a backup; of a profile that is not unlocked nobody can tell. */
function backupFindings({ name, backup }: ResultOf<'status'>['profiles'][number]): readonly Finding[] {
  if (backup === undefined) return [];
  const { at, missingKeys } = backup;
  const check = 'backup';
  if (missingKeys === 0) return [{ check, state: 'ok', message: `${name}: the newest is of ${at ?? 'now'}` }];
  const hint = `hush backup create FILE -p ${name}`;
  const message =
    at === undefined
      ? `${name}: there is none that its vault knows of`
      : `${name}: ${countText(missingKeys, 'data key')} ${missingKeys === 1 ? 'is' : 'are'} newer than the newest, of ${at}`;
  return [{ check, state: 'warning', message, hint }];
}

/** What `hush keys status` warns of, for those who may ask it; the backups are told of above. */
async function keyFindings(daemon: Daemon, profile: string): Promise<readonly Finding[]> {
  const advice = await adviceOf(daemon, profile);
  if (advice === undefined) return [];
  const due = advice.filter(
    ({ level, topic }) => topic === 'age' || (level === 'warning' && topic !== 'backup'),
  );
  const check = 'keys';
  if (due.length === 0)
    return [{ check, state: 'ok', message: `${profile}: none is old, or nearly used up` }];
  return due.map(({ message, hint }) => ({
    check,
    state: 'warning',
    message: `${profile}: ${message}`,
    ...(hint !== undefined && { hint: forProfile(hint, profile) }),
  }));
}

async function adviceOf(
  daemon: Daemon,
  profile: string,
): Promise<ResultOf<'keys.status'>['advice'] | undefined> {
  try {
    return (await daemon.call('keys.status', { profile, limit: 1 })).advice;
  } catch (error) {
    const isNoMatter =
      error instanceof HushError && (error.code === 'ACCESS_DENIED' || error.code === 'LOCKED');
    if (!isNoMatter) throw error;
    return undefined;
  }
}

function hardeningFindings({ hardening }: ResultOf<'status'>): readonly Finding[] {
  const off = hardening.filter(({ state }) => state === 'off');
  if (off.length === 0) return [{ check: 'hardening', state: 'ok', message: 'every measure is on' }];
  return off.map(({ name, detail }) => ({
    check: 'hardening',
    state: 'warning',
    message: `${name} is off${detail === undefined ? '' : `: ${detail}`}`,
    hint: 'see "Hardening" in docs/operations.md',
  }));
}
