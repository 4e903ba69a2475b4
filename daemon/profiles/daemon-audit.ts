import { HushError } from '../../protocol/errors.ts';
import type { Chain } from '../audit/chain.ts';
import { linesBackwards } from '../audit/backwards.ts';
import { readLink } from '../audit/records.ts';
import { sealEvent } from '../audit/seals.ts';
import { chainKeysOf } from './profile-chain.ts';
import type { Session } from './session.ts';

/**
 * What is wrong with the daemon's own audit by the newest seal of a profile that was just opened, which remembers where
 * it stood; undefined where nothing is.
 */
export async function doubtOfDaemon(
  chain: Chain,
  daemonChain: Chain,
  session: Session,
): Promise<HushError | undefined> {
  try {
    const { vaultId, secretOf } = chainKeysOf(session);
    const place = (await chain.lastSeal(vaultId, secretOf))?.daemon;
    if (place?.start === undefined) return undefined;
    if (place.start !== daemonChain.start) {
      if (wasRestoredSince(chain)) return undefined;
      throw new HushError(
        'INTEGRITY',
        'it is another one than the profile was sealed with last: begun anew since',
      );
    }
    await daemonChain.requirePassed(place);
    return undefined;
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return new HushError(error.code, `the daemon's own audit: ${error.message}`, {
      hint: 'hush audit verify',
      cause: error,
    });
  }
}

/** Whether the profile was restored after its last seal: that was made in another home then, perhaps. */
function wasRestoredSince({ folder }: Chain): boolean {
  for (const line of linesBackwards(folder)) {
    const { event } = readLink(line);
    if (event === sealEvent) return false;
    if (event.startsWith('backup.restor')) return true;
  }
  return false;
}
