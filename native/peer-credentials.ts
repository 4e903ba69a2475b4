import type { Socket } from 'node:net';

import { HushError } from '../protocol/errors.ts';
import { callFailed, errorNumbers, lastErrorNumber, libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;

const getsockopt: (
  fd: number,
  level: number,
  option: number,
  value: Uint32Array,
  length: Uint32Array,
) => number = libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)');

/** Who the kernel says is at the other end of a Unix-domain socket, as it was when they connected. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A handle on the peer's process, which its successor under a reused pid does not inherit. */
export type PeerPidfd =
  /** The caller owns `fd` and closes it. */
  | { readonly kind: 'open'; readonly fd: number }
  /** The kernel has no SO_PEERPIDFD (before 6.5). */
  | { readonly kind: 'unsupported' }
  /** The process that connected has ended. */
  | { readonly kind: 'gone' };

/** What a user id becomes that has no name in this user namespace. */
const overflowUid = 65534;

/**
 * The credentials of the peer of a connected Unix-domain socket, or of its listening end seen from the client
 * (unix(7), SO_PEERCRED). Throws UNAVAILABLE when `fd` is no such socket.
 */
export function peerCredentials(fd: number): PeerCredentials {
  const value = new Uint32Array(3);
  const length = Uint32Array.of(value.byteLength);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0)
    throw callFailed('getsockopt(SO_PEERCRED)');
  const [pid = 0, uid = overflowUid, gid = overflowUid] = value;
  return { pid, uid, gid };
}

/** Whether the credentials name someone: pid 0 and uid 65534 stand for ids of another namespace. */
export function isUsableIdentity({ pid, uid }: PeerCredentials): boolean {
  return pid !== 0 && uid !== overflowUid;
}

/** A descriptor of the peer's process (pidfd_open(2), SO_PEERPIDFD). Throws UNAVAILABLE when `fd` is no socket. */
export function openPeerPidfd(fd: number): PeerPidfd {
  const value = new Uint32Array(1);
  const length = Uint32Array.of(value.byteLength);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, value, length) === 0)
    return { kind: 'open', fd: value[0] ?? 0 };
  switch (lastErrorNumber()) {
    case errorNumbers['ENOPROTOOPT']:
      return { kind: 'unsupported' };
    case errorNumbers['ESRCH']:
    case errorNumbers['EINVAL']:
    case errorNumbers['ENODATA']:
      return { kind: 'gone' };
    default:
      throw callFailed('getsockopt(SO_PEERPIDFD)');
  }
}

/**
 * The descriptor under a socket of node:net. The one place that reads node's private `_handle`, which has carried
 * `fd` for Unix-domain sockets on every release from 22 to 26. Throws UNAVAILABLE when the socket is closed.
 */
export function socketFd(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new HushError('UNAVAILABLE', 'the connection is closed');
}
