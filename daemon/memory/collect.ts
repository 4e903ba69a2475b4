import { HushError } from '../../protocol/errors.ts';

/**
 * Collects everything that is no longer reachable, so that strings and KeyObjects that held a secret are gone from
 * memory: with `--clear-free-memory` V8 overwrites what it frees, and OpenSSL overwrites a KeyObject's copy of its
 * key. Blocks for 50 to 200 ms. Throws UNAVAILABLE when the process was started without the flags of the bootstrap.
 */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) {
    throw new HushError(
      'UNAVAILABLE',
      'dead secrets cannot be collected: the daemon runs without --expose-gc',
      {
        hint: 'start it as hushd, or by hush start',
      },
    );
  }
  // The ordinary flavor keeps the pages that young objects were moved out of, with every dead string still on them.
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
