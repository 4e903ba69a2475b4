import { HushError } from '../../protocol/errors.ts';
import type { HomePaths } from '../home/paths.ts';
import { holderOf, takeInstanceLock, type Lock } from '../lock.ts';

/** Keeps every daemon and every other restore out of a home until the lock is released. Throws CONFLICT while one is in it. */
export function lockHome({ lock }: HomePaths): Lock {
  try {
    return takeInstanceLock(lock, 'restore');
  } catch (error) {
    if (!(error instanceof HushError) || error.code !== 'EXISTS') throw error;
    if (holderOf(lock).work === 'restore') {
      throw new HushError('CONFLICT', error.message, { hint: error.hint, cause: error });
    }
    throw new HushError('CONFLICT', 'a daemon serves this home', {
      hint: 'hush stop, restore, then hush start',
      cause: error,
    });
  }
}
