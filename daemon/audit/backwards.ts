import { closeSync, constants, fstatSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HushError } from '../../protocol/errors.ts';
import { openSafeFile } from '../home/safety.ts';
import { type ChainHead, readLink } from './records.ts';
import { chainFiles } from './segments.ts';
import { lastStub } from './stub-file.ts';
import type { Stub } from './stubs.ts';
import { linesFromEnd, wholeLinesLength } from './tail.ts';

/** So many lines are looked at in one turn of the event loop. */
const linesPerTurn = 1_000;

/** A segment that is open already. */
export interface HeldSegment {
  readonly number: number;
  readonly fd: number;
}

/**
 * The lines of the chain in a folder from its last to its first, without their LF, as far back as its segments are kept
 * without a gap; `newest` is read through its descriptor. Throws INTEGRITY at a line longer than any that is written.
 */
export function* linesBackwards(folder: string, newest?: HeldSegment): Generator<Buffer, void> {
  const older = chainFiles(folder).segments.filter(({ number }) => number < (newest?.number ?? Infinity));
  if (newest !== undefined) yield* wholeLines(newest.fd);
  let number = newest?.number ?? (older.at(-1)?.number ?? 0) + 1;
  for (const segment of older.reverse()) {
    number -= 1;
    if (segment.number !== number) return;
    const fd = openSafeFile(segment.path, constants.O_RDONLY);
    try {
      yield* wholeLines(fd);
    } finally {
      closeSync(fd);
    }
  }
}

const wholeLines = (fd: number): Generator<Buffer, void> =>
  linesFromEnd(fd, wholeLinesLength(fd, fstatSync(fd).size));

/**
 * The hash of a record of the chain in a folder; undefined where only a stub tells of it, which `prove` may refuse. The
 * records behind it are checked against their hashes. Throws INTEGRITY, also where there is no such record.
 */
export async function hashOfRecord(
  folder: string,
  seq: number,
  newest?: HeldSegment,
  prove?: (stub: Stub) => void,
): Promise<string | undefined> {
  let oldest: ChainHead | undefined;
  let prev: string | undefined;
  let lines = 0;
  for (const line of linesBackwards(folder, newest)) {
    const link = readLink(line);
    if (prev !== undefined && link.hash !== prev) throw missing(seq);
    if (link.seq === seq) return link.hash;
    if (link.seq < seq) throw missing(seq);
    ({ prev } = link);
    oldest = { seq: link.seq - 1, hash: prev };
    lines += 1;
    if (lines % linesPerTurn === 0) await nextTurn();
  }
  const { stubs } = chainFiles(folder);
  const stub = stubs === undefined ? undefined : lastStub(stubs);
  if (stub === undefined || seq > stub.lastSeq || !isBehind(oldest, stub)) throw missing(seq);
  prove?.(stub);
  return seq === stub.lastSeq ? stub.lastHash : undefined;
}

/** Whether the oldest records that are kept follow a stub, or are those that it stands for, which a crash has left. */
function isBehind(oldest: ChainHead | undefined, { firstSeq, prev, lastSeq, lastHash }: Stub): boolean {
  const follows = (seq: number, hash: string): boolean => oldest?.seq === seq && oldest.hash === hash;
  return oldest === undefined || follows(lastSeq, lastHash) || follows(firstSeq - 1, prev);
}

const missing = (seq: number): HushError =>
  new HushError('INTEGRITY', `there is no record ${seq} that the later ones continue`);
