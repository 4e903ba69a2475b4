import { closeSync } from 'node:fs';

import { koffi } from './koffi.ts';
import { libc } from './libc.ts';

/** The system call's number, the same on every architecture that has it. */
const MEMFD_SECRET = 447;
const O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = (1n << 64n) - 1n;

const syscall: (number: number, flags: number) => number = libc.func(
  'long syscall(long number, ulong flags)',
);
const ftruncate: (fd: number, length: number) => number = libc.func('int ftruncate(int fd, int64_t length)');
const mmap: (
  address: null,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint = libc.func(
  'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
);

/**
 * `size` zero bytes that only this process can read: the kernel takes their pages out of its own map, so that they
 * are in no core image, not even root's, and never in swap (memfd_secret(2)). They count against RLIMIT_MEMLOCK and
 * stay mapped until the process ends. Undefined when the kernel refuses: too old, switched off, or over the limit.
 */
export function mapSecretMemory(size: number): Uint8Array | undefined {
  const fd = syscall(MEMFD_SECRET, O_CLOEXEC);
  if (fd < 0) return undefined;
  try {
    if (ftruncate(fd, size) !== 0) return undefined;
    const address = mmap(null, size, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    return address === MAP_FAILED ? undefined : new Uint8Array(koffi.view(address, size));
  } finally {
    closeSync(fd);
  }
}
