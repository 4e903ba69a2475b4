import { closeSync, fsyncSync, openSync } from 'node:fs';

const standardError = 2;

/**
 * Lets the process end although its standard error is on a disk that fails. When the process exits, koffi syncs
 * standard error; where that fails it says so on standard error, and waits for ever for a lock that it holds itself
 * (3.3.4, `FlushFile` within `StreamWriter::Flush` of its base.cc). So a standard error that cannot be synced is
 * exchanged for /dev/null as the last thing.
 */
export function endThoughLogFails(): void {
  process.once('exit', () => {
    const failure = syncFailure();
    // What cannot be synced by its nature, a pipe or a terminal, koffi takes for synced.
    if (failure === undefined || failure === 'EINVAL' || !isMainThread()) return;
    if (failure !== 'EBADF') closeSync(standardError);
    // Each takes the lowest number that is free.
    while (openSync('/dev/null', 'w') < standardError);
  });
}

/** To load what tells would take a short command longer than its work. */
const isMainThread = (): boolean => process.getBuiltinModule('node:worker_threads').isMainThread;

function syncFailure(): unknown {
  try {
    fsyncSync(standardError);
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}
