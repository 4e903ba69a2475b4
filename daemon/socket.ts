import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { groupId } from '../native/group.ts';
import { HushError } from '../protocol/errors.ts';
import type { TransportConfig } from './config/config.ts';
import { diskError, errnoOf } from './home/disk-errors.ts';

/**
 * Makes sure that the path of the socket is free. A socket file that nobody listens on, left by a crash, is
 * removed; one with a listener, to which `hint` belongs, or anything that is no socket, is refused with EXISTS. Throws UNAVAILABLE when it
 * cannot be removed. The caller holds a lock, so that nobody else comes between this and listening.
 */
export async function freeSocketPath(path: string, hint = 'hush status'): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new HushError('EXISTS', `something that is no socket is at ${path}`, {
      hint: `look at ${path}, then remove it`,
    });
  }
  if (await isListening(path)) {
    throw new HushError('EXISTS', `another process listens on ${path}`, { hint });
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

/**
 * Lets connect whom the config says: the daemon's own user, a group, or everybody. Throws BAD_REQUEST for a group that
 * there is not or that the daemon's user may not give the socket to, UNAVAILABLE.
 */
export function openSocket(path: string, { socketMode, socketGroup }: TransportConfig): void {
  try {
    if (socketGroup !== undefined) chownSync(path, -1, gidOf(socketGroup));
    chmodSync(path, socketMode);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw diskError(`cannot open ${path} to others`, error);
    throw notInGroup(socketGroup, error);
  }
}

/**
 * Throws BAD_REQUEST if the config names a group for the socket that there is not, or that this process may not give it
 * to: the next start would be refused.
 */
export function checkSocketGroup({ socketGroup }: TransportConfig): void {
  if (socketGroup !== undefined && !mayGiveTo(gidOf(socketGroup))) throw notInGroup(socketGroup);
}

/** Whether this process may give its files to a group (chown(2)): one of its own, or any with CAP_CHOWN. */
function mayGiveTo(gid: number): boolean {
  if (process.getegid?.() === gid || process.getgroups?.().includes(gid) === true) return true;
  const [, capabilities = '0'] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  // CAP_CHOWN is capability 0 (capabilities(7)).
  return (BigInt(`0x${capabilities}`) & 1n) === 1n;
}

const notInGroup = (group: string | number | undefined, cause?: unknown): HushError =>
  new HushError('BAD_REQUEST', `transport.socket_group: the daemon's user is not in ${group}`, {
    hint: `usermod -aG ${group} USER, then hush start`,
    cause,
  });

function gidOf(group: string | number): number {
  const gid = typeof group === 'number' ? group : groupId(group);
  if (gid !== undefined) return gid;
  throw new HushError('BAD_REQUEST', `transport.socket_group: there is no group ${group}`, {
    hint: 'getent group',
  });
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
