import { readFileSync } from 'node:fs';

import { koffi } from './koffi.ts';
import { libc } from './libc.ts';

type Transfer = (
  pid: number,
  local: BigUint64Array,
  localCount: number,
  remote: BigUint64Array,
  remoteCount: number,
  flags: number,
) => number;

const readMemory: Transfer = libc.func(
  'long process_vm_readv(int pid, const void *local, ulong n, const void *remote, ulong m, ulong flags)',
);
const writeMemory: Transfer = libc.func(
  'long process_vm_writev(int pid, const void *local, ulong n, const void *remote, ulong m, ulong flags)',
);
const mincore: (address: number, length: number, pages: Uint8Array) => number = libc.func(
  'int mincore(uintptr_t address, size_t length, void *pages)',
);

/** The stacks of libuv's threads are 8 MiB, and the guard below each may be cut out of that. */
const stackBytes = 8 * 1024 * 1024;
const guardBytes = 64 * 1024;
const pageBytes = 4096;

/** Addresses from `start` to before `end`. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Overwrites with zeros each copy of `secret` (16 bytes or more, all within a page's distance) that a call has left on
 * the stack of one of this process's other threads; answers how many there were. It goes through the kernel
 * (process_vm_readv(2)), so that memory which is gone meanwhile is no danger.
 */
export function wipeFromThreadStacks(secret: Uint8Array): number {
  let wiped = 0;
  for (const stack of threadStacks()) {
    for (const run of residentRuns(stack)) wiped += wipeIn(run, secret);
  }
  return wiped;
}

/**
 * Overwrites with zeros what calls have left of `secret` (a multiple of 16 bytes) on the stack of the main thread, piece
 * by piece of 16 bytes: ciphers that work on several blocks at once keep single ones there. Answers how many there were.
 * Nothing is searched where the kernel does not say where the stack is.
 */
export function wipeFromMainStack(secret: Uint8Array): number {
  const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw-p .*\[stack\]$/m.exec(readMaps()) ?? [];
  const stack = { start: Number.parseInt(from, 16), end: Number.parseInt(to, 16) };
  if (!Number.isSafeInteger(stack.start) || !Number.isSafeInteger(stack.end)) return 0;
  let wiped = 0;
  for (let at = 0; at + 16 <= secret.length; at += 16) wiped += wipeIn(stack, secret.subarray(at, at + 16));
  return wiped;
}

/** Every mapping that can be a thread's stack, by /proc/self/maps (proc(5)): private memory right above a guard. */
function threadStacks(): readonly Range[] {
  const stacks: Range[] = [];
  let guardEnd = -1;
  for (const line of readMaps().split('\n')) {
    const [, from = '', to = '', mode] =
      /^([0-9a-f]+)-([0-9a-f]+) (\S+) 00000000 00:00 0 *$/.exec(line) ?? [];
    const start = Number.parseInt(from, 16);
    const end = Number.parseInt(to, 16);
    // What lies right above a stack may be shown as one with it.
    if (mode === 'rw-p' && start === guardEnd && end - start >= stackBytes - guardBytes) {
      stacks.push({ start, end: Math.min(end, start + stackBytes) });
    }
    guardEnd = mode === '---p' ? end : -1;
  }
  return stacks;
}

/** /proc/self/maps; nothing where it cannot be read, for want of a descriptor, say: the key itself is wiped all the same. */
function readMaps(): string {
  try {
    return readFileSync('/proc/self/maps', 'latin1');
  } catch {
    return '';
  }
}

/** The parts of a range that are in memory: a stack is hardly ever used beyond its first pages. */
function* residentRuns({ start, end }: Range): Generator<Range> {
  const pages = new Uint8Array(new ArrayBuffer((end - start) / pageBytes));
  if (mincore(start, end - start, pages) !== 0) return;
  let from: number | undefined;
  for (let page = 0; page <= pages.length; page += 1) {
    const address = start + page * pageBytes;
    if (((pages[page] ?? 0) & 1) === 1) from ??= address;
    else if (from !== undefined) {
      yield { start: from, end: address };
      from = undefined;
    }
  }
}

function wipeIn({ start, end }: Range, secret: Uint8Array): number {
  const copy = Buffer.from(new ArrayBuffer(end - start));
  const zeros = new Uint8Array(new ArrayBuffer(secret.length));
  let wiped = 0;
  try {
    if (transfer(readMemory, copy, start) !== copy.length) return 0;
    for (let at = copy.indexOf(secret); at !== -1; at = copy.indexOf(secret, at + 1)) {
      if (transfer(writeMemory, zeros, start + at) === zeros.length) wiped += 1;
    }
    return wiped;
  } finally {
    copy.fill(0);
  }
}

/** Moves the bytes of `own` from or to an address of this process; how many were moved, -1 if none. */
function transfer(move: Transfer, own: Uint8Array, address: number): number {
  const local = BigUint64Array.of(koffi.address(own), BigInt(own.length));
  const remote = BigUint64Array.of(BigInt(address), BigInt(own.length));
  return move(process.pid, local, 1, remote, 1, 0);
}
