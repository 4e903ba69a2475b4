import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Daemon } from '../daemon.ts';
import type { Target } from '../target.ts';

/** A secret, whose value the caller wipes; undefined where there is none to give: it is not there, or has expired. */
export async function readIfThere(
  daemon: Daemon,
  target: Target,
): Promise<ResultOf<'secret.get'> | undefined> {
  try {
    return await daemon.call('secret.get', target);
  } catch (error) {
    if (error instanceof HushError && (error.code === 'NOT_FOUND' || error.code === 'EXPIRED'))
      return undefined;
    throw error;
  }
}
