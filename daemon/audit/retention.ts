import { closeSync, constants, fstatSync } from 'node:fs';
import { HushError } from '../../protocol/errors.ts';
import { openSafeFile } from '../home/safety.ts';
import { type ChainCheck, createChainCheck, type ExpectedRecord } from './check.ts';
import { startOf } from './opening.ts';
import { eachLine, filePart } from './parts.ts';
import { maxLineBytes, readLink, readRecord, type RecordLink } from './records.ts';
import type { AuditKey, AuditSecretOf } from './seals.ts';
import { chainFiles, type Segment } from './segments.ts';
import { lastStub, removeSegment, replaceWithStub } from './stub-file.ts';
import { proveStub, type Stub, type StubFacts, stubLine } from './stubs.ts';
import { firstLine, linesFromEnd, wholeLinesLength } from './tail.ts';
import type { RecordRange } from './vouched-places.ts';

/** How much of a chain is kept; 0 is no bound. */
export interface KeepLimits {
  readonly keepBytes: number;
  readonly keepDays: number;
  /** Nothing younger is given up, whatever the other bounds say. */
  readonly minAgeDays: number;
}

/** The audit keys of an unlocked profile. */
export interface ChainKeys {
  readonly vaultId: string;
  /** The newest. */
  readonly key: () => AuditKey;
  readonly secretOf: AuditSecretOf;
}

/** A chain that may have to give up its oldest segments. */
export interface KeptChain {
  readonly folder: string;
  /** The number of the segment that is written to: it and those behind it stay. */
  readonly newest: number;
  /**
   * For the daemon's chain, which has no seals: the places that those of profiles remember, up to the first one behind the
   * range; undefined while nobody can tell. Without it the chain's own seals have to vouch for what is given up.
   */
  readonly places?: (range: RecordRange) => Promise<readonly ExpectedRecord[] | undefined>;
  /** Undefined while nobody can vouch. */
  readonly keys: () => ChainKeys | undefined;
}

const dayMs = 86_400_000;
/** A block is checked in one turn of the event loop, which takes about a millisecond. */
export const blockBytes = 65_536;

/** The segments that are to be given up, the oldest first; `ageOf` tells the age of the newest record in one, in ms. */
export function segmentsDue(
  segments: readonly Segment[],
  newest: number,
  { keepBytes, keepDays, minAgeDays }: KeepLimits,
  ageOf: (segment: Segment) => number,
): Segment[] {
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const due: Segment[] = [];
  for (const segment of segments) {
    const isTooMuch = keepBytes > 0 && bytes > keepBytes;
    if (segment.number >= newest || (!isTooMuch && keepDays === 0)) break;
    const age = ageOf(segment);
    // Written so that an age which is no number gives nothing up.
    if (!(age >= minAgeDays * dayMs) || !(isTooMuch || age > keepDays * dayMs)) break;
    due.push(segment);
    bytes -= segment.bytes;
  }
  return due;
}

/**
 * Puts stubs in place of the segments of a chain that the limits no longer keep, and removes those that a crash has left
 * beside their stubs. Each is checked first, record by record and up to a seal behind it: one that was tampered with, or
 * is not sealed yet, stays, and so do those after it. `now` is the time in ms since 1970; `told` hears of each stub.
 * Throws INTEGRITY, UNAVAILABLE.
 */
export async function giveUpOldest(
  chain: KeptChain,
  limits: KeepLimits,
  now: number,
  told: (stub: StubFacts) => void,
): Promise<void> {
  const { stubs, segments } = chainFiles(chain.folder);
  let last = stubs === undefined ? undefined : lastStub(stubs);
  const kept = segments.filter(({ number }) => number > (last?.segment ?? 0));
  for (const left of segments) {
    if (last !== undefined && left.number <= last.segment && isProved(last, chain.keys()))
      removeSegment(left.path);
  }
  const due = segmentsDue(kept, chain.newest, limits, ({ path }) => now - Date.parse(lastTimeIn(path)));
  for (const segment of due) {
    const facts = await factsOf(chain, segment, kept);
    const keys = chain.keys();
    if (facts === undefined || keys === undefined) return;
    requireContinued(last, facts);
    const stub = { ...facts, vaultId: keys.vaultId };
    replaceWithStub(segment.path, stubLine(stub, keys.key()));
    told(stub);
    last = { ...stub, auditKey: '', mac: '', signed: '' };
  }
}

/** Whether the stub is one of this vault. Throws INTEGRITY if it says so and was forged. */
function isProved(stub: Stub, keys: ChainKeys | undefined): boolean {
  if (keys?.vaultId !== stub.vaultId) return false;
  proveStub(stub, keys.vaultId, keys.secretOf);
  return true;
}

function requireContinued(last: StubFacts | undefined, { segment, firstSeq, prev, start }: StubFacts): void {
  const isFirst = last === undefined && segment === 1;
  const isNext =
    last !== undefined &&
    segment === last.segment + 1 &&
    firstSeq === last.lastSeq + 1 &&
    prev === last.lastHash &&
    start === last.start;
  if (!isFirst && !isNext)
    throw new HushError('INTEGRITY', `segment ${segment} does not continue the one before it`);
}

function lastTimeIn(path: string): string {
  return atLines(path, (fd, length) => {
    const [last] = linesFromEnd(fd, length);
    return last === undefined ? '' : readLink(last).time;
  });
}

/** The records that a segment says it has; undefined if it has none. */
function rangeOf({ path, number }: Segment): RecordRange | undefined {
  return atLines(path, (fd, length) => {
    const [last] = linesFromEnd(fd, length);
    if (last === undefined) return undefined;
    const first = readRecord(firstLine(fd, length));
    return { start: startOf(first, number), firstSeq: first.seq, lastSeq: readLink(last).seq };
  });
}

function atLines<T>(path: string, use: (fd: number, length: number) => T): T {
  const fd = openSafeFile(path, constants.O_RDONLY);
  try {
    return use(fd, wholeLinesLength(fd, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

/**
 * What a stub has to say of a segment, all of whose records were checked. Undefined where no seal vouches for them yet,
 * or nobody can check one any more.
 */
async function factsOf(
  chain: KeptChain,
  segment: Segment,
  kept: readonly Segment[],
): Promise<StubFacts | undefined> {
  const vouching = await vouchingOf(chain, segment);
  if (vouching === undefined) return undefined;
  const { check, vaultId, isVouchedFor } = vouching;
  let first: RecordLink | undefined;
  let last: RecordLink | undefined;
  for (const one of kept.filter(({ number }) => number >= segment.number)) {
    check.beginSegment(one.number);
    const torn = await eachLine(filePart(one.path, blockBytes), maxLineBytes, (line) => {
      check.record(line);
      if (one !== segment) return !isVouchedFor(last);
      last = readLink(line);
      first ??= last;
      return true;
    });
    if (torn > 0 && one === segment)
      throw new HushError('INTEGRITY', `${one.path}: the last line has no end`);
    if (first === undefined || last === undefined) return undefined;
    const { start } = check.found();
    if (start === undefined || !isVouchedFor(last)) continue;
    return {
      segment: segment.number,
      start,
      vaultId,
      firstSeq: first.seq,
      lastSeq: last.seq,
      firstTime: first.time,
      lastTime: last.time,
      prev: first.prev,
      lastHash: last.hash,
    };
  }
  if (chain.places !== undefined) check.end();
  return undefined;
}

/** The check of a segment and what is behind it, and when that has gone far enough. */
interface Vouching {
  readonly check: ChainCheck;
  readonly vaultId: string;
  /** Whether a seal vouches for all up to the last record of the segment. */
  readonly isVouchedFor: (last: RecordLink | undefined) => boolean;
}

/** Undefined where nothing can vouch for the segment. */
async function vouchingOf(chain: KeptChain, segment: Segment): Promise<Vouching | undefined> {
  const range = chain.places === undefined ? undefined : rangeOf(segment);
  const places = range === undefined ? undefined : await chain.places?.(range);
  const keys = chain.keys();
  if (keys === undefined) return undefined;
  const { vaultId, secretOf } = keys;
  if (chain.places === undefined) {
    const check = createChainCheck({ anywhere: true, seals: { vaultId, secretOf } });
    const isVouchedFor: Vouching['isVouchedFor'] = (last) =>
      last !== undefined && check.found().sealedSeq >= last.seq;
    return { check, vaultId, isVouchedFor };
  }
  const lastPlace = Math.max(0, ...(places ?? []).map(({ seq }) => seq));
  if (places === undefined || range === undefined || lastPlace < range.lastSeq) return undefined;
  const check = createChainCheck({ anywhere: true, expected: places });
  return { check, vaultId, isVouchedFor: () => check.nextSeq() > lastPlace };
}
