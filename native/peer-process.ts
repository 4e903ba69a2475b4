import { closeSync, readFileSync, readlinkSync } from 'node:fs';

import { callFailed, libc } from './libc.ts';
import { isUsableIdentity, openPeerPidfd, peerCredentials } from './peer-credentials.ts';
import type { PeerCredentials } from './peer-credentials.ts';

const POLLIN = 1;

const poll: (descriptors: Uint8Array, count: number, timeout: number) => number = libc.func(
  'int poll(void *descriptors, ulong count, int timeout)',
);

/** What /proc says of a live process. */
export interface PeerProcess {
  /** The path of its executable, as the kernel has it; ` (deleted)` is appended when the file was replaced. */
  readonly exe: string;
  /** When it started, in clock ticks after boot: with the pid, it names one process for as long as the host runs. */
  readonly startTime: number;
}

/** Who is at the other end, and in which process when that could be proved. */
export interface PeerIdentity extends PeerCredentials {
  readonly process: PeerProcess | undefined;
}

/**
 * The identity of the peer of a connected Unix-domain socket, or undefined when the kernel names nobody of this
 * namespace, or nobody who is alive. About 100 µs. Throws UNAVAILABLE when `socket` is no such descriptor.
 */
export function identifyPeer(socket: number): PeerIdentity | undefined {
  const credentials = peerCredentials(socket);
  if (!isUsableIdentity(credentials)) return undefined;
  const pidfd = openPeerPidfd(socket);
  switch (pidfd.kind) {
    case 'gone':
      return undefined;
    case 'unsupported':
      return { ...credentials, process: readPeerProcess(credentials) };
    case 'open':
      try {
        return { ...credentials, process: readPeerProcess(credentials, pidfd.fd) };
      } finally {
        closeSync(pidfd.fd);
      }
  }
}

/**
 * The process with the peer's pid, provided that it runs as the peer's uid and was one and the same live process
 * while /proc was read: the process of `pidfd` has not ended, or without one, the start time has not changed.
 * Undefined when that cannot be proved. Without `pidfd`, a pid reused before the first read is not noticed.
 */
export function readPeerProcess(peer: PeerCredentials, pidfd?: number): PeerProcess | undefined {
  if (!isUsableIdentity(peer)) return undefined;
  const folder = `/proc/${peer.pid}`;
  const startTime = readStartTime(folder);
  const uid = readEffectiveUid(folder);
  const exe = readExecutable(folder);
  if (startTime === undefined || exe === undefined || uid !== peer.uid) return undefined;
  const isAnother = pidfd === undefined ? readStartTime(folder) !== startTime : hasEnded(pidfd);
  return isAnother ? undefined : { exe, startTime };
}

/** The start time in the text of /proc/PID/stat (field 22, proc(5)); the name in field 2 may hold anything. */
export function parseStartTime(stat: string): number | undefined {
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTime = afterName[22 - 3];
  return stat.includes(')') && startTime !== undefined && /^\d+$/.test(startTime)
    ? Number(startTime)
    : undefined;
}

/** The effective uid in the text of /proc/PID/status. */
export function parseEffectiveUid(status: string): number | undefined {
  const uid = /^Uid:\t\d+\t(\d+)\t/m.exec(status)?.[1];
  return uid === undefined ? undefined : Number(uid);
}

/** Whether the process behind a pidfd has ended (pidfd_open(2): it is readable from then on). */
export function hasEnded(pidfd: number): boolean {
  const descriptor = new DataView(new ArrayBuffer(8));
  descriptor.setInt32(0, pidfd, true);
  descriptor.setInt16(4, POLLIN, true);
  const ready = poll(new Uint8Array(descriptor.buffer), 1, 0);
  if (ready < 0) throw callFailed('poll(pidfd)');
  return ready > 0;
}

const readStartTime = (folder: string): number | undefined =>
  readProc(() => parseStartTime(readFileSync(`${folder}/stat`, 'latin1')));

const readEffectiveUid = (folder: string): number | undefined =>
  readProc(() => parseEffectiveUid(readFileSync(`${folder}/status`, 'latin1')));

const readExecutable = (folder: string): string | undefined => readProc(() => readlinkSync(`${folder}/exe`));

/** /proc answers with an error for a process that ended, or that this user may not look into: both prove nothing. */
function readProc<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
