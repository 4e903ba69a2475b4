import { callFailed, libc } from './libc.ts';

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;

const prctl: (option: number, a: number, b: number, c: number, d: number) => number = libc.func(
  'int prctl(int option, ulong a, ulong b, ulong c, ulong d)',
);
const getrlimit: (resource: number, limit: BigUint64Array) => number = libc.func(
  'int getrlimit(int resource, void *limit)',
);
const setrlimit: (resource: number, limit: BigUint64Array) => number = libc.func(
  'int setrlimit(int resource, void *limit)',
);

/**
 * Forbids core dumps, also into a pipe, and forbids others of the same user to trace this process or to read its
 * memory (PR_SET_DUMPABLE, prctl(2)). It holds until the next execve. Throws UNAVAILABLE when the kernel refuses.
 */
export function setNotDumpable(): void {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) throw callFailed('prctl(PR_SET_DUMPABLE)');
}

/** Whether the kernel would dump this process, or let its user trace it. */
export const isDumpable = (): boolean => prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) !== 0;

/** Sets the size of a core file to zero, for this process and its children, for good. Throws UNAVAILABLE. */
export function setCoreLimitZero(): void {
  if (setrlimit(RLIMIT_CORE, BigUint64Array.of(0n, 0n)) !== 0) throw callFailed('setrlimit(RLIMIT_CORE)');
}

/** The largest core file that this process may leave and may allow itself, in bytes. Throws UNAVAILABLE. */
export function coreLimit(): { readonly soft: bigint; readonly hard: bigint } {
  const limit = new BigUint64Array(2);
  if (getrlimit(RLIMIT_CORE, limit) !== 0) throw callFailed('getrlimit(RLIMIT_CORE)');
  const [soft = 0n, hard = 0n] = limit;
  return { soft, hard };
}
