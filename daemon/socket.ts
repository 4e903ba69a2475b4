import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { HushError } from '../protocol/errors.ts';
import { diskError } from './home/disk-errors.ts';

/**
 * Makes sure that the path of the socket is free. A socket file that nobody listens on, left by a crash, is
 * removed; one with a listener, or anything that is no socket, is refused with EXISTS. Throws UNAVAILABLE when it
 * cannot be removed. The caller holds the lock of the home, so that no second daemon comes between this and listening.
 */
export async function freeSocketPath(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new HushError('EXISTS', `something that is no socket is at ${path}`, {
      hint: `look at ${path}, then remove it`,
    });
  }
  if (await isListening(path)) {
    throw new HushError('EXISTS', `another process listens on ${path}`, { hint: 'hush status' });
  }
  unlinkNamed(path);
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else
        reject(
          new HushError('UNAVAILABLE', `cannot tell whether somebody listens on ${path}`, { cause: error }),
        );
    });
  });
}

/** Lets nobody but the daemon's own user connect. */
export function closeSocketToOthers(path: string): void {
  chmodSync(path, 0o600);
}

/** Removes the socket's file, if it is still there. Throws UNAVAILABLE. */
export function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkNamed(path);
}

function unlinkNamed(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    throw diskError(`cannot remove ${path}`, error);
  }
}
