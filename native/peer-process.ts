import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  type BigIntStats,
} from 'node:fs';

import { callFailed, libc } from './libc.ts';
import { isUsableIdentity, openPeerPidfd, peerCredentials } from './peer-credentials.ts';
import type { PeerCredentials } from './peer-credentials.ts';
import { parseUnit } from './systemd-unit.ts';

const POLLIN = 1;

const poll: (descriptors: Uint8Array, count: number, timeout: number) => number = libc.func(
  'int poll(void *descriptors, ulong count, int timeout)',
);

/** What /proc says of a live process. */
export interface PeerProcess {
  /** When it started, in clock ticks after boot: with the pid, it names one process for as long as the host runs. */
  readonly startTime: number;
  /**
   * Its executable; undefined where this user may not look: for a process of another user that takes root, or
   * CAP_SYS_PTRACE.
   */
  readonly executable: Executable | undefined;
  /** The systemd unit that it runs in; undefined where it runs in none. */
  readonly unit: string | undefined;
}

/** The file that a process runs. */
export interface Executable {
  /** Its path, as the kernel has it; ` (deleted)` is appended when the file was replaced. */
  readonly path: string;
  /** Equal for the same file with the same bytes: where it lies, how long it is and when it was last changed. */
  readonly version: string;
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
  const executable = readExecutable(folder);
  const unit = readProc(() => parseUnit(readFileSync(`${folder}/cgroup`, 'latin1')));
  if (startTime === undefined || uid !== peer.uid) return undefined;
  const isAnother = pidfd === undefined ? readStartTime(folder) !== startTime : hasEnded(pidfd);
  return isAnother ? undefined : { startTime, executable, unit };
}

/**
 * A descriptor of the file that a process runs, which the caller closes; undefined unless it is still the same process
 * of the same user, running the same file, as when `process` was read.
 */
export function openExecutable(peer: PeerCredentials, process: PeerProcess): number | undefined {
  const folder = `/proc/${peer.pid}`;
  const fd = readProc(() => openSync(`${folder}/exe`, 'r'));
  if (fd === undefined) return undefined;
  const isSame =
    versionOf(fstatSync(fd, { bigint: true })) === process.executable?.version &&
    readEffectiveUid(folder) === peer.uid &&
    readStartTime(folder) === process.startTime;
  if (isSame) return fd;
  closeSync(fd);
  return undefined;
}

/** See `Executable`. */
export function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
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

const readExecutable = (folder: string): Executable | undefined =>
  readProc(() => ({
    path: readlinkSync(`${folder}/exe`),
    version: versionOf(statSync(`${folder}/exe`, { bigint: true })),
  }));

/** /proc answers with an error for a process that ended, or that this user may not look into: both prove nothing. */
function readProc<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
