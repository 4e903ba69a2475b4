import { lstatSync } from 'node:fs';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { shellWord } from '../../daemon/home/safety.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { profileFacts } from '../commands/status.ts';
import { withDaemonIfRunning } from '../daemon.ts';
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
  const status = await withDaemonIfRunning((daemon) => daemon.call('status', {}));
  if (status === undefined) {
    return [{ check: 'daemon', state: 'warning', message: 'it does not run', hint: 'hush start' }];
  }
  return [versionFinding(status), ...status.profiles.map(profileFinding), ...hardeningFindings(status)];
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
