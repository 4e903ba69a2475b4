import type { ProfileName } from '../protocol/names.ts';
import type { Credential } from './credentials.ts';
import { withRunningDaemon } from './daemon.ts';
import { ensureDaemon, wasRunning } from './ensure-daemon.ts';
import type { Output } from './output.ts';

/**
 * Opens a profile that was just made with what opens it, in the daemon that runs or in one that is started now, and tells
 * what to type next. Throws what the start and the unlock throw; the profile is made in any case.
 */
export async function openFirst(
  profile: ProfileName,
  { kind, secret }: Credential,
  named: string | undefined,
  output: Output,
): Promise<void> {
  const running = await ensureDaemon({ ...process.env, HUSH_PROFILE: profile });
  if (!wasRunning(running)) await output.note(`hushd runs, pid ${running.pid}`);
  await withRunningDaemon((daemon) => daemon.call('unlock', { profile, credentials: [{ kind, secret }] }));
  await output.note(`profile ${profile} is unlocked`);
  const ofProfile = named === undefined ? '' : ` -p ${named}`;
  await output.note(`next: hush set global/NAME${ofProfile}`);
  await output.note(`then: hush run${ofProfile} -- COMMAND`);
}
