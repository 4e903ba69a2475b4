import { HushError } from '../protocol/errors.ts';
import { newBytes } from '../protocol/bytes.ts';
import { callFailed, libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const SOCK_STREAM = 1;
const AF_UNIX = 1;
/** The size of `sockaddr_un`: two bytes for the family, then `sun_path` (unix(7)). */
const addressBytes = 110;
const familyBytes = 2;

type NameCall = (fd: number, address: Uint8Array, length: Uint32Array) => number;

const getpeername: NameCall = libc.func('int getpeername(int fd, void *address, void *length)');
const getsockname: NameCall = libc.func('int getsockname(int fd, void *address, void *length)');
const getsockopt: (
  fd: number,
  level: number,
  option: number,
  value: Int32Array,
  length: Uint32Array,
) => number = libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)');

/**
 * The address that the peer of a connected Unix-domain socket has bound, which node:net does not tell: an abstract
 * name with its leading NUL, or a path; empty where the peer has bound none. The peer chose it: it proves nothing.
 * Throws UNAVAILABLE when `fd` is no such socket.
 */
export function peerAddress(fd: number): Uint8Array {
  return nameOf(fd, getpeername, 'getpeername');
}

/** The path that a Unix-domain socket is bound to; undefined for an abstract name or none. Throws UNAVAILABLE. */
export function boundPath(fd: number): string | undefined {
  const name = nameOf(fd, getsockname, 'getsockname');
  if (name.length === 0 || name[0] === 0) return undefined;
  const end = name.indexOf(0);
  return new TextDecoder().decode(end < 0 ? name : name.subarray(0, end));
}

/** Whether a descriptor is a Unix-domain stream socket that listens. */
export function isUnixListener(fd: number): boolean {
  return (
    option(fd, SO_DOMAIN) === AF_UNIX &&
    option(fd, SO_TYPE) === SOCK_STREAM &&
    option(fd, SO_ACCEPTCONN) === 1
  );
}

function nameOf(fd: number, call: NameCall, name: string): Uint8Array {
  const address = newBytes(addressBytes);
  const length = Uint32Array.of(address.length);
  if (call(fd, address, length) !== 0) throw callFailed(name);
  if (new DataView(address.buffer).getUint16(0, true) !== AF_UNIX)
    throw new HushError('UNAVAILABLE', 'that is no Unix-domain socket');
  return address.subarray(familyBytes, Math.max(familyBytes, Math.min(length[0] ?? 0, address.length)));
}

function option(fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  const length = Uint32Array.of(value.byteLength);
  return getsockopt(fd, SOL_SOCKET, name, value, length) === 0 ? value[0] : undefined;
}
