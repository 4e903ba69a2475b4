import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';
import { takeLock, type Lock } from '../../daemon/lock.ts';
import { freeSocketPath } from '../../daemon/socket.ts';
import { HushError } from '../../protocol/errors.ts';

const backlog = 511;

/** Where a door listens: at a path, or on a socket that listens already. */
export type DoorPlace = { readonly path: string } | { readonly fd: number };

/** A server that listens. */
export interface Listening {
  /** Takes no more connections; resolves when those that there are have ended. */
  close(): Promise<void>;
}

/**
 * Has a server listen, at a path that is this user's alone from its first moment on, or on a socket that is there
 * already. Of several processes that want one path, one gets it: the one that has the lock of the file `PATH.lock`. A
 * socket that was left there by a crash is taken over. Throws, with that hint, EXISTS when somebody listens at the path,
 * UNAVAILABLE; UNSAFE_MODE when others can reach the lock's file.
 */
export async function listenAlone(server: Server, at: DoorPlace, hint: string): Promise<Listening> {
  const lock = 'path' in at ? lockOf(at.path, hint) : undefined;
  try {
    if ('path' in at) await freeSocketPath(at.path, hint);
    await listen(server, at, hint);
  } catch (error) {
    lock?.release();
    throw error;
  }
  return {
    close: () =>
      new Promise((resolve) => {
        // Its path is free from here on.
        server.close(() => resolve());
        lock?.release();
      }),
  };
}

function lockOf(path: string, hint: string): Lock {
  try {
    return takeLock(`${path}.lock`, () => isTaken(path, hint));
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'UNAVAILABLE')) throw error;
    throw new HushError('UNAVAILABLE', `cannot listen: ${error.message}`, { hint, cause: error });
  }
}

async function listen(server: Server, at: DoorPlace, hint: string): Promise<void> {
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...at, backlog }, resolve);
    });
    if ('path' in at) chmodSync(at.path, 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'failed';
    throw new HushError('UNAVAILABLE', `cannot listen: ${reason}`, { hint, cause: error });
  } finally {
    process.umask(umask);
  }
}

const isTaken = (path: string, hint: string): HushError =>
  new HushError('EXISTS', `another process listens on ${path}`, { hint });
