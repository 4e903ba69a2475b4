import { closeSync } from 'node:fs';

import { HushError } from '../protocol/errors.ts';
import { callFailed, libc } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** The size of `sun_path` (unix(7)). */
const maxPathBytes = 108;

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const sendto: (
  fd: number,
  message: Uint8Array,
  length: number,
  flags: number,
  address: Uint8Array,
  addressLength: number,
) => number = libc.func(
  'long sendto(int fd, void *message, size_t length, int flags, void *address, uint32_t addressLength)',
);

/**
 * Sends one datagram to a Unix-domain socket, which node:dgram cannot. `path` is absolute, or starts with `@` for
 * Linux's abstract names. Throws BAD_REQUEST for any other address, UNAVAILABLE when nobody takes the datagram.
 */
export function sendUnixDatagram(path: string, message: Uint8Array): void {
  const address = socketAddress(path);
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw callFailed('socket(AF_UNIX)');
  try {
    const sent = sendto(fd, message, message.length, MSG_NOSIGNAL, address, address.length);
    if (sent !== message.length) throw callFailed('sendto');
  } finally {
    closeSync(fd);
  }
}

/** The bytes of `sockaddr_un`: the family in the host's order, then the name; a file's name ends in NUL. */
function socketAddress(path: string): Uint8Array {
  const abstract = path.startsWith('@');
  const name = new TextEncoder().encode(abstract ? `\0${path.slice(1)}` : `${path}\0`);
  if ((!abstract && !path.startsWith('/')) || path.length < 2 || name.length > maxPathBytes) {
    throw new HushError('BAD_REQUEST', 'that is not the address of a Unix-domain socket', {
      hint: 'an absolute path, or @NAME, of at most 107 bytes',
    });
  }
  const address = new Uint8Array(2 + name.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  return address;
}
