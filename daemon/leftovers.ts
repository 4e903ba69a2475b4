import { HushError } from '../protocol/errors.ts';
import type { HomePaths } from './home/paths.ts';
import type { Logger } from './log.ts';
import { finishReplacements } from './profiles/exchange.ts';
import { removeUnfinished } from './profiles/unfinished.ts';
import { holdsKeysOfItsOwn } from './profiles/unopened.ts';

/**
 * Puts in order what restores and inits that were cut off have left, and tells of it in the log. For who holds the lock
 * of the home, before anything of it is used. What the disk refuses is told of too, and is no reason not to serve.
 */
export function putInOrder(paths: HomePaths, log: Logger): void {
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      log.error({ event: 'leftovers.failed', code: error.code, message: error.message });
    }
  };
  attempt(() => {
    for (const { profile, isBack } of finishReplacements(paths.profiles)) {
      log.warn({ event: 'restore.finished', profile, state: isBack ? 'before' : 'restored' });
    }
  });
  const withKeys = new Set<string>();
  attempt(() => {
    const mayGo = (path: string): boolean => {
      if (holdsKeysOfItsOwn(paths, path)) withKeys.add(path);
      return true;
    };
    for (const path of removeUnfinished(paths.profiles, mayGo)) {
      // Nothing was ever sealed under keys of a profile that was never in place; what was restored is in its backup.
      if (withKeys.has(path))
        log.warn({ event: 'unfinished.removed', path, keys: 'in no profile of this home' });
      else log.info({ event: 'unfinished.removed', path });
    }
  });
  attempt(() => {
    removeUnfinished(paths.profileAudits);
  });
}
