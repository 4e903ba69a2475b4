import { lstatSync } from 'node:fs';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { profileFacts } from '../commands/status.ts';
import { withDaemonIfRunning, type Daemon } from '../daemon.ts';
import { countText } from '../format.ts';
import { forProfile } from '../hints.ts';
import { packageVersion } from '../package.ts';
import { attemptCheck, type Finding } from './finding.ts';

/** What can be said of the socket and of the daemon behind it. */
export async function lookAtService(paths: HomePaths): Promise<readonly Finding[]> {
  const daemon = await attemptCheck('daemon', daemonFindings);
  const isReached = daemon.some(({ state }) => state === 'ok');
  return [...(await attemptCheck('socket', () => [socketFinding(paths.socket, isReached)])), ...daemon];
}

function socketFinding(path: string, isReached: boolean): Finding {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const check = 'socket';
  const word = shellWord(path);
  if (found === undefined)
    return { check, state: 'warning', message: `${path} is not there`, hint: 'hush start' };
  if (!found.isSocket()) {
    return { check, state: 'problem', message: `${path} is not a socket`, hint: `mv ${word} ${word}.aside` };
  }
  if ((found.mode & 0o077) !== 0) {
    return { check, state: 'problem', message: `others can connect to ${path}`, hint: `chmod 600 ${word}` };
  }
  if (!isReached)
    return { check, state: 'warning', message: `nobody answers on ${path}`, hint: 'hush start' };
  return { check, state: 'ok', message: path };
}

async function daemonFindings(): Promise<readonly Finding[]> {
  const found = await withDaemonIfRunning(async (daemon) => {
    const status = await daemon.call('status', {});
    const open = status.profiles.filter(({ state }) => state === 'unlocked');
    const keys = await Promise.all(open.map(({ name }) => keyFindings(daemon, name)));
    return { status, keys: keys.flat() };
  });
  if (found === undefined) {
    return [{ check: 'daemon', state: 'warning', message: 'it does not run', hint: 'hush start' }];
  }
  const { status, keys } = found;
  return [
    versionFinding(status),
    ...status.profiles.flatMap((profile) => [profileFinding(profile), ...backupFindings(profile)]),
    ...keys,
    ...hardeningFindings(status),
  ];
}

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
  return advice
    .filter(({ level, topic }) => level === 'warning' && topic !== 'backup')
    .map(({ message, hint }) => ({
      check: 'keys',
      state: 'warning',
      message: `${profile}: ${message}`,
      ...(hint !== undefined && { hint: forProfile(hint, profile) }),
    }));
}

async function adviceOf(daemon: Daemon, profile: string): Promise<ResultOf<'keys.status'>['advice']> {
  try {
    return (await daemon.call('keys.status', { profile, limit: 1 })).advice;
  } catch (error) {
    const isNoMatter =
      error instanceof HushError && (error.code === 'ACCESS_DENIED' || error.code === 'LOCKED');
    if (!isNoMatter) throw error;
    return [];
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
