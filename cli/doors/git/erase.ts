import { HushError } from '../../../protocol/errors.ts';
import { withDaemonAlone, type Daemon } from '../../daemon.ts';
import type { Target } from '../../target.ts';
import type { HelperLine } from '../helper.ts';
import type { Attributes } from './attributes.ts';
import { isSamePassword, keptOf } from './kept.ts';
import { placeOf } from './name.ts';

/** Deletes what git was refused with; a credential of another user, or with another password, stays. */
export async function erase(told: Attributes, line: HelperLine): Promise<void> {
  const place = placeOf(told);
  if (place === undefined || line.option('--secret') !== undefined) return;
  await withDaemonAlone(async (daemon) => {
    for await (const { target, kept } of keptOf(told.plain.get('username'), place, daemon, line)) {
      if (isSamePassword(told.secret.get('password'), kept.attributes.secret.get('password'))) {
        await eraseVersion(daemon, target, kept.version);
      }
    }
  });
}

/** What was written or deleted since it was read is not what git was refused with. */
async function eraseVersion(daemon: Daemon, target: Target, ifVersion: number): Promise<void> {
  try {
    await daemon.call('secret.delete', { ...target, ifVersion });
  } catch (error) {
    if (!(error instanceof HushError && (error.code === 'CONFLICT' || error.code === 'NOT_FOUND')))
      throw error;
  }
}
