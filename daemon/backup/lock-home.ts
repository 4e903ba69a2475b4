import { HushError } from '../../protocol/errors.ts';
import type { HomePaths } from '../home/paths.ts';
import { takeInstanceLock, type InstanceLock } from '../lock.ts';

/** Keeps every daemon out of a home until the lock is released. Throws CONFLICT while one serves it. */
export function lockHome({ lock }: HomePaths): InstanceLock {
  try {
    return takeInstanceLock(lock);
  } catch (error) {
    if (!(error instanceof HushError) || error.code !== 'EXISTS') throw error;
    throw new HushError('CONFLICT', 'a daemon serves this home', {
      hint: 'hush stop, restore, then hush start',
      cause: error,
    });
  }
}
