import { koffi } from './koffi.ts';
import { libc } from './libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLOUT = 4;
/** `sun_path` (unix(7)). */
const pathBytes = 108;

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const connect: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  'int connect(int fd, const void *address, uint32_t length)',
);
const send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  'long send(int fd, const void *bytes, size_t length, int flags)',
);
const recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  'long recv(int fd, void *bytes, size_t length, int flags)',
);
const poll: (entry: Int32Array, count: number, milliseconds: number) => number = libc.func(
  'int poll(void *entry, unsigned long count, int milliseconds)',
);

/** What a call gave that may fail: what it returns where it is not negative, else the name of the error. */
export type Outcome = number | string;

const outcomeOf = (result: number): Outcome => (result >= 0 ? result : errorName());

function errorName(): string {
  const number = koffi.errno();
  return Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? String(number);
}

/**
 * A Unix-domain socket that never blocks, connected to the path of at most 107 bytes; its descriptor is the caller's to
 * close. `EAGAIN`: the queue of the listening end is full.
 */
export function connectStream(path: string, close: (fd: number) => void): Outcome {
  const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errorName();
  const address = new Uint8Array(2 + pathBytes);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  new TextEncoder().encodeInto(path, address.subarray(2));
  if (connect(fd, address, address.length) === 0) return fd;
  const error = errorName();
  close(fd);
  return error;
}

/** Sends what there is room for, and gives how much that was. */
export const sendSome = (fd: number, bytes: Uint8Array): Outcome =>
  outcomeOf(send(fd, bytes, bytes.length, MSG_NOSIGNAL));

/** Reads what is there, and gives how much that was; 0 at the end. */
export const receiveSome = (fd: number, bytes: Uint8Array): Outcome =>
  outcomeOf(recv(fd, bytes, bytes.length, 0));

/** Whether the peer of a connected socket has closed its end, and not only stopped sending. */
export function hasHungUp(fd: number): boolean {
  // POLLHUP is told without being asked for.
  return poll(Int32Array.of(fd, 0), 1, 0) > 0;
}

/** Whether a read would not wait: there is something, or the end. */
export function isReadable(fd: number): boolean {
  return poll(Int32Array.of(fd, POLLIN), 1, 0) > 0;
}

/** Waits until there is something to read, or room to write, for so many milliseconds at most. */
export function waitFor(what: 'input' | 'room', fd: number, milliseconds: number): void {
  // struct pollfd: the descriptor, and in 16 bits each what is waited for and what came.
  poll(Int32Array.of(fd, what === 'input' ? POLLIN : POLLOUT), 1, milliseconds);
}
