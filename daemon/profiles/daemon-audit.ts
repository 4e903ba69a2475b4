import { HushError } from '../../protocol/errors.ts';
import type { Chain } from '../audit/chain.ts';
import { linesBackwards } from '../audit/backwards.ts';
import { readLink } from '../audit/records.ts';
import { sealEvent } from '../audit/seals.ts';
import { chainKeysOf } from './profile-chain.ts';
import type { Session } from './session.ts';

/**
 * What is wrong with the daemon's own audit by the newest seal of a profile that was just opened, which remembers where
 * it stood; undefined where nothing is. A profile from a backup of another home is in doubt once: its next seal vouches
 * for the audit here.
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
      const why = wasRestoredSince(chain)
        ? 'the profile was restored since, perhaps from another home'
        : anew;
      throw new HushError('INTEGRITY', `it is another one than the profile was sealed with last: ${why}`);
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

const anew = 'begun anew since';

/**
 * Whether the records after the last seal tell of a restore. Nothing vouches for them, and so they word a doubt and take
 * none away.
 */
function wasRestoredSince({ folder }: Chain): boolean {
  for (const line of linesBackwards(folder)) {
    const { event } = readLink(line);
    if (event === sealEvent) return false;
    if (event.startsWith('backup.restor')) return true;
  }
  return false;
}
