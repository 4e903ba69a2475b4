import { newBytes } from '../protocol/bytes.ts';
import { callFailed, errorNumbers, lastErrorNumber, libc } from './libc.ts';

/** Where Linux keeps the access control list of a file (acl(5)): an attribute of this name, at most so many bytes. */
const attribute = 'system.posix_acl_access';
const mostBytes = 65_536;

const fgetxattr: (fd: number, name: string, value: Uint8Array, size: number) => number = libc.func(
  'long fgetxattr(int fd, str name, void *value, size_t size)',
);
const fsetxattr: (fd: number, name: string, value: Uint8Array, size: number, flags: number) => number =
  libc.func('int fsetxattr(int fd, str name, void *value, size_t size, int flags)');
const fremovexattr: (fd: number, name: string) => number = libc.func('int fremovexattr(int fd, str name)');

/** What is said of a file without a list, and by a file system that has none. */
const isNone = (errorNumber: number): boolean =>
  ['ENODATA', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].some((name) => errorNumbers[name] === errorNumber);

/** The access control list of an open file, as the kernel gives it; undefined where it has none. Throws UNAVAILABLE. */
export function readAcl(fd: number): Uint8Array | undefined {
  const room = newBytes(mostBytes);
  const size = fgetxattr(fd, attribute, room, room.length);
  if (size >= 0) return room.subarray(0, size);
  const failure = lastErrorNumber();
  if (isNone(failure)) return undefined;
  throw callFailed('fgetxattr', failure);
}

/** Gives an open file the access control list of another, which may be none. Throws UNAVAILABLE. */
export function writeAcl(fd: number, acl: Uint8Array | undefined): void {
  if (acl === undefined) {
    if (fremovexattr(fd, attribute) === 0) return;
    const failure = lastErrorNumber();
    if (!isNone(failure)) throw callFailed('fremovexattr', failure);
  } else if (fsetxattr(fd, attribute, acl, acl.length, 0) !== 0) throw callFailed('fsetxattr');
}
