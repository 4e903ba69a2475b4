import { loadConfig } from '../daemon/config/load.ts';
import { pathsOf } from '../daemon/home/paths.ts';
import { HushError } from '../protocol/errors.ts';
import { ensureDaemon, wasRunning } from './ensure-daemon.ts';
import { createOutput } from './output.ts';
import { isGiven } from './switches.ts';

/**
 * Starts the daemon where the config has `[cli] autostart = true`, says so, and answers whether one runs now. Throws
 * what the start throws.
 */
export async function autostart(env: NodeJS.ProcessEnv): Promise<boolean> {
  // The daemon of an enrolled client is somebody else's.
  if (env['HUSH_CLIENT_KEY_FILE'] || !isWanted(env)) return false;
  const running = await ensureDaemon(env);
  if (!wasRunning(running)) {
    await createOutput(isGiven('--json')).note(`no daemon ran: started hushd, pid ${running.pid}`);
  }
  return true;
}

/** A config that is not in order wants nothing: the start that it would fail says why. */
function isWanted(env: NodeJS.ProcessEnv): boolean {
  try {
    return loadConfig(pathsOf(env).config).cli.autostart;
  } catch (error) {
    if (error instanceof HushError) return false;
    throw error;
  }
}
