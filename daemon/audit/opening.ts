import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { syncFolder } from '../home/files.ts';
import { openSafeFile } from '../home/safety.ts';
import { createAppendFile } from './append-file.ts';
import { createAuditClock } from './clock.ts';
import {
  type AuditEntry,
  chainFormat,
  type ChainHead,
  isHash,
  noHash,
  readRecord,
  recordLine,
  type RecordPrefix,
  recordPrefix,
  type StoredRecord,
} from './records.ts';
import { chainFiles, newestSegment, segmentFileName } from './segments.ts';
import { lastStub } from './stub-file.ts';
import { firstLine, linesFromEnd, wholeLinesLength } from './tail.ts';

/** The segment that a chain goes on in. */
export interface OpenSegment {
  /** From 1. */
  readonly number: number;
  readonly path: string;
  /** Opened to append; whoever asked for it closes it. */
  readonly fd: number;
  /** In bytes, all of them whole lines. */
  readonly length: number;
  /** The last record in it. */
  readonly head: ChainHead;
  /** The hash of the chain's first record: no other chain has the same. */
  readonly start: string;
}

/** A segment that may not be there yet. */
export type SegmentPlace = Pick<OpenSegment, 'number' | 'path'>;

/** The end of a chain, and which one it is. */
export type ChainEnd = Pick<OpenSegment, 'head' | 'start'>;

const appending = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

/** The event of the first record of a chain, and of that of each further segment. */
export const startEvent = 'chain.start';
export const continueEvent = 'chain.continue';

/** Where the newest segment of a chain's folder is, or the first will be. Throws INTEGRITY, UNAVAILABLE. */
export function newestPlace(folder: string): SegmentPlace {
  const number = newestSegment(chainFiles(folder)) || 1;
  return { number, path: join(folder, segmentFileName(number)) };
}

/**
 * Opens the newest segment of a chain's folder, or makes the first; `name` is told in its first record. A torn last
 * line, left by a crash, is cut off and an `audit.repaired` record says so; a segment without any record yet goes on
 * where the one before ends. What was written is on the disk then. Throws UNSAFE_MODE, NEWER_FORMAT before anything is
 * written, INTEGRITY if the first or last record was changed, or the system's error.
 */
export function openNewest({ number, path }: SegmentPlace, folder: string, name: string): OpenSegment {
  const fd = openSafeFile(path, appending);
  try {
    const size = fstatSync(fd).size;
    const length = wholeLinesLength(fd, size);
    const end = endOf(fd, length, number);
    const before = number === 1 || !mayBeBegunAnew(end) ? undefined : endBefore(folder, number);
    const isBegun = end !== undefined && (before === undefined || end.only?.prev === before.head.hash);
    const kept = isBegun ? length : 0;
    if (kept < size) ftruncateSync(fd, kept);
    const tornBytes = size - length;
    const opening = openingLines({ name, number, isBegun, end: isBegun ? end : before, tornBytes });
    return { number, path, fd, ...append(fd, folder, kept, opening) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Begins the next segment behind `end`; it is on the disk then. Throws the system's error; nothing stays of it. */
export function openNext(folder: string, name: string, number: number, end: ChainEnd): OpenSegment {
  const path = join(folder, segmentFileName(number));
  const fd = openSafeFile(path, appending);
  try {
    ftruncateSync(fd, 0);
    const opening = openingLines({ name, number, isBegun: false, end, tornBytes: 0 });
    return { number, path, fd, ...append(fd, folder, 0, opening) };
  } catch (error) {
    try {
      // The chain goes on in the old one, and so this one must hold no record.
      ftruncateSync(fd, 0);
    } finally {
      closeSync(fd);
    }
    throw error;
  }
}

interface Opening extends ChainEnd {
  readonly text: string;
}

function append(
  fd: number,
  folder: string,
  length: number,
  { text, head, start }: Opening,
): Pick<OpenSegment, 'length' | 'head' | 'start'> {
  createAppendFile(fd, length).write(Buffer.from(text, 'latin1'), text.length);
  fdatasyncSync(fd);
  syncFolder(folder);
  return { length: length + text.length, head, start };
}

interface OpeningParts {
  readonly name: string;
  readonly number: number;
  /** Whether the segment has records already. */
  readonly isBegun: boolean;
  /** What the next record follows; in a new segment the end of the one before, undefined for a new chain. */
  readonly end: ChainEnd | undefined;
  readonly tornBytes: number;
}

/** The records that a segment begins with, or that tell of a repaired end. */
function openingLines({ name, number, isBegun, end, tornBytes }: OpeningParts): Opening {
  const clock = createAuditClock();
  const who = processPrefix();
  let text = '';
  let head = end?.head ?? { seq: 0, hash: noHash };
  const add = (event: string, detail: AuditEntry['detail'] & {}): void => {
    const line = recordLine({ event, who, outcome: 'ok', detail }, head, clock());
    text += line.text;
    head = { seq: line.seq, hash: line.hash };
  };
  const about = { chain: name, format: chainFormat };
  if (end === undefined) add(startEvent, about);
  const start = end?.start ?? head.hash;
  if (end !== undefined && !isBegun) add(continueEvent, { ...about, segment: number, start });
  if (tornBytes > 0) add('audit.repaired', { droppedBytes: tornBytes });
  return { text, head, start };
}

interface SegmentEnd extends ChainEnd {
  /** The record of a segment that has no other. */
  readonly only: StoredRecord | undefined;
}

/** A segment was cut off while it was begun if it has no record, or just the first: the one before may have gone on. */
const mayBeBegunAnew = (end: SegmentEnd | undefined): boolean => end === undefined || end.only !== undefined;

/** How the first `length` bytes of a segment end, all of them whole lines; undefined if there are none. */
function endOf(fd: number, length: number, number: number): SegmentEnd | undefined {
  if (length === 0) return undefined;
  const first = readRecord(firstLine(fd, length));
  const start = startOf(first, number);
  const [last] = linesFromEnd(fd, length);
  const { seq, hash } = last === undefined ? first : readRecord(last);
  return { head: { seq, hash }, start, only: seq === first.seq ? first : undefined };
}

/** The hash of the first record of the chain whose segment of that number begins so. Throws NEWER_FORMAT, INTEGRITY. */
export function startOf({ event, hash, detail }: StoredRecord, number: number): string {
  const { format, segment, start } = detail;
  const isFirst = event === startEvent && number === 1;
  const told = isFirst ? hash : event === continueEvent && segment === number ? start : undefined;
  if (typeof format === 'number' && format > chainFormat) throw new HushError('NEWER_FORMAT');
  if (typeof format === 'number' && isHash(told)) return told;
  throw new HushError('INTEGRITY', 'the audit does not begin with its first record');
}

/** The end of the segment before one, which is closed or not kept any more. Throws INTEGRITY. */
function endBefore(folder: string, number: number): ChainEnd {
  const { stubs, segments } = chainFiles(folder);
  const before = segments.find((segment) => segment.number === number - 1);
  if (before === undefined) {
    const stub = stubs === undefined ? undefined : lastStub(stubs);
    if (stub?.segment === number - 1) {
      return { head: { seq: stub.lastSeq, hash: stub.lastHash }, start: stub.start };
    }
    throw new HushError('INTEGRITY', `segment ${number - 1} of the audit is missing`);
  }
  const fd = openSafeFile(before.path, constants.O_RDONLY);
  try {
    const end = endOf(fd, wholeLinesLength(fd, before.bytes), number - 1);
    if (end !== undefined) return { head: end.head, start: end.start };
    throw new HushError('INTEGRITY', `segment ${number - 1} of the audit has no record`);
  } finally {
    closeSync(fd);
  }
}

/** The daemon itself as the actor of a record. */
export function processPrefix(): RecordPrefix {
  return recordPrefix({
    client: 'daemon',
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    pid: process.pid,
    exe: process.execPath,
  });
}
