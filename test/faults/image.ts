import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Something that must not be in an image, under the name to report it by. */
export interface Secret {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A place where a part of a secret was found. */
export interface Found {
  readonly name: string;
  readonly form: string;
  /** The address in the process, in hex, and what is mapped there. */
  readonly address: string;
}

/** What a look through all memory of a process gave. */
export interface Scan {
  readonly found: readonly Found[];
  /** How many bytes were looked through. */
  readonly bytes: number;
  /** What is mapped and cannot be read, not even by root. */
  readonly unreadable: readonly string[];
}

/** One run of bytes to look for, long enough not to stand somewhere by chance. */
interface Needle {
  readonly name: string;
  readonly form: string;
  readonly bytes: Buffer;
}

/** Pages in a row that hold something. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly mapping: string;
}

const windowBytes = 16;
const chunkBytes = 4 * 1024 * 1024;
const pageBytes = 4096;

/**
 * Looks through all memory of a process, which must be root's to trace, for any 16 bytes of a secret at a multiple of
 * 16 within it, raw, in hex and in base64. It reads every page that is in memory or swap, of every mapping, those of
 * MADV_DONTDUMP and without access included. That is what `gcore -a` writes, without the 10 GB of address space that
 * V8 reserves and nobody ever touched. The process stands still meanwhile.
 */
export function scanMemory(pid: number, secrets: readonly Secret[]): Scan {
  process.kill(pid, 'SIGSTOP');
  try {
    const finder = createFinder(secrets.flatMap(needlesOf));
    const unreadable = new Set<string>();
    let bytes = 0;
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    try {
      for (const run of runsOf(pid)) {
        if (scanRun(memory, run, finder)) bytes += run.end - run.start;
        else unreadable.add(run.mapping);
      }
    } finally {
      closeSync(memory);
    }
    return { found: finder.found, bytes, unreadable: [...unreadable] };
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** The pages of a process that exist, by /proc/PID/maps and /proc/PID/pagemap (proc(5)). */
function* runsOf(pid: number): Generator<Run> {
  const pagemap = openSync(`/proc/${pid}/pagemap`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n')) {
      const [, from = '', to = '', mapping = ''] = /^([0-9a-f]+)-([0-9a-f]+) (.*)$/.exec(line) ?? [];
      const end = Number.parseInt(to, 16);
      // What lies above is the kernel's vsyscall page, the same for all processes.
      if (end <= 2 ** 47) yield* presentRuns(pagemap, Number.parseInt(from, 16), end, mapping);
    }
  } finally {
    closeSync(pagemap);
  }
}

function* presentRuns(pagemap: number, start: number, end: number, mapping: string): Generator<Run> {
  let runStart: number | undefined;
  const entries = Buffer.alloc(chunkBytes);
  for (let block = start; block < end; block += (entries.length / 8) * pageBytes) {
    const pages = Math.min(entries.length / 8, (end - block) / pageBytes);
    readSync(pagemap, entries, 0, pages * 8, (block / pageBytes) * 8);
    for (let page = 0; page < pages; page += 1) {
      // Bit 63: the page is in memory; bit 62: it is in swap.
      const isPresent = (entries[page * 8 + 7] ?? 0) >= 0x40;
      const address = block + page * pageBytes;
      if (isPresent) runStart ??= address;
      else if (runStart !== undefined) {
        yield { start: runStart, end: address, mapping };
        runStart = undefined;
      }
    }
  }
  if (runStart !== undefined) yield { start: runStart, end, mapping };
}

/** Whether the run could be read, and then was looked through. */
function scanRun(memory: number, { start, end, mapping }: Run, finder: Finder): boolean {
  const buffer = Buffer.alloc(Math.min(chunkBytes, end - start) + windowBytes);
  for (let at = start; at < end; at += chunkBytes) {
    const length = Math.min(end - at, chunkBytes + windowBytes);
    try {
      if (readSync(memory, buffer, 0, length, at) !== length) return false;
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'EIO' || error.code === 'EFAULT'))
        return false;
      throw error;
    }
    finder.look(buffer.subarray(0, length), (offset) => `${(at + offset).toString(16)} ${mapping}`);
  }
  return true;
}

function needlesOf({ name, bytes }: Secret): readonly Needle[] {
  const needles: Needle[] = [];
  const add = (form: string, whole: Buffer): void => {
    const last = whole.length - windowBytes;
    for (let at = 0; at <= last; at += windowBytes) {
      needles.push({ name, form: `${form} from ${at}`, bytes: whole.subarray(at, at + windowBytes) });
    }
    if (last > 0 && last % windowBytes !== 0)
      needles.push({ name, form: `end of ${form}`, bytes: whole.subarray(last) });
  };
  const raw = Buffer.from(bytes);
  add('raw', raw);
  add('hex', Buffer.from(raw.toString('hex')));
  add('HEX', Buffer.from(raw.toString('hex').toUpperCase()));
  add('base64', Buffer.from(raw.toString('base64').replace(/=+$/, '')));
  add('base64url', Buffer.from(raw.toString('base64url')));
  return needles;
}

interface Finder {
  readonly found: readonly Found[];
  look(chunk: Buffer, addressOf: (offset: number) => string): void;
}

const tableMask = 2 ** 22 - 1;

/** Finds all needles in one pass: a table of the low bits of their first four bytes, then the bytes themselves. */
function createFinder(needles: readonly Needle[]): Finder {
  const table = new Uint8Array(tableMask + 1);
  const byStart = new Map<number, Needle[]>();
  for (const needle of needles) {
    const start = needle.bytes.readUInt32LE(0);
    table[start & tableMask] = 1;
    byStart.set(start, [...(byStart.get(start) ?? []), needle]);
  }
  const found: Found[] = [];
  return {
    found,
    look(chunk, addressOf) {
      const last = chunk.length - windowBytes;
      if (last < 0) return;
      let word = chunk.readUInt32LE(0);
      for (let at = 0; at <= last; at += 1) {
        if (table[word & tableMask] === 1) {
          for (const { bytes, name, form } of byStart.get(word >>> 0) ?? []) {
            if (bytes.compare(chunk, at, at + windowBytes) === 0)
              found.push({ name, form, address: addressOf(at) });
          }
        }
        word = (word >>> 8) | ((chunk[at + 4] ?? 0) << 24);
      }
    },
  };
}
