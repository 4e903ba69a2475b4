import { HushError } from '../../protocol/errors.ts';
import { continueEvent, startEvent, startOf } from './opening.ts';
import { type ChainHead, isCount, maxLineBytes, noHash, readLink, readRecord } from './records.ts';
import { type AuditSecretOf, type DaemonHead, daemonHeadIn, openSeal, sealEvent } from './seals.ts';
import { proveStub, readStub } from './stubs.ts';

/** A place that a chain must pass through. */
export interface ExpectedRecord extends ChainHead {
  /** Who remembers it, for messages: `the vault`. */
  readonly by?: string;
}

/** A line that only an audit key can prove: a seal or a stub. */
export interface KeyedLine {
  readonly kind: 'seal' | 'stub';
  /** Without its LF. */
  readonly text: string;
  /** The number of the seal, or of the last record that the stub stands for. */
  readonly seq: number;
  /** Where a seal says that the daemon's own chain stood. */
  readonly daemon: DaemonHead | undefined;
}

/** What a verifier may know besides the chain. */
export interface CheckOptions {
  readonly expected?: readonly ExpectedRecord[];
  /** With it the MACs of seals and stubs are checked too. */
  readonly seals?: { readonly vaultId: string; readonly secretOf: AuditSecretOf };
  /** Told of each seal and stub, for who has them proved elsewhere. */
  readonly onKeyed?: (line: KeyedLine) => void;
  /** Whether the chain may begin with a later segment, what comes before it being elsewhere. */
  readonly anywhere?: boolean;
}

/** What stubs stand for. */
export interface StubbedPart {
  readonly segments: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstTime: string;
  readonly lastTime: string;
}

/** What a chain was found to hold. */
export interface Found {
  /** Records that were read, those that only stubs tell of left out. */
  readonly records: number;
  /** The first record that is there or told of by a stub. */
  readonly firstSeq: number;
  readonly head: ChainHead;
  /** The hash of the chain's first record; undefined where nothing tells it. */
  readonly start: string | undefined;
  readonly seals: number;
  /** The last seal's number, 0 if there is none; records after it are vouched for by nothing but their hashes. */
  readonly sealedSeq: number;
  readonly stubbed: StubbedPart | undefined;
  /** Records that could not be written when they were made, as the chain itself tells. */
  readonly lost: number;
  /** The last record that tells of a restore from a backup, 0 if there is none. */
  readonly restoredSeq: number;
  /** How many records tell that the daemon's own chain was not the one that seals vouch for, and the last; 0 if none. */
  readonly doubts: number;
  readonly doubtSeq: number;
}

/** Checks a chain line by line. Each method throws INTEGRITY with the reason, and then the check is at its end. */
export interface ChainCheck {
  /**
   * Begins the next segment, `number` being the one of its file, if that is known. False for one that a stub stands for
   * already, which a crash has left: it is not to be read.
   */
  beginSegment(number: number | undefined): boolean;
  stub(line: Buffer): void;
  record(line: Buffer): void;
  /** Says that there are no more lines. */
  end(): void;
  /** The number that the next record must have. */
  nextSeq(): number;
  found(): Found;
}

/** A check at the beginning of a chain. */
export function createChainCheck(options: CheckOptions): ChainCheck {
  const { seals, onKeyed, anywhere = false } = options;
  const expected = Map.groupBy(options.expected ?? [], ({ seq }) => seq);
  const lastExpected = (options.expected ?? []).reduce((last, { seq }) => Math.max(last, seq), 0);
  let head: ChainHead = { seq: 0, hash: noHash };
  let start: string | undefined;
  let firstSeq = 0;
  let records = 0;
  let sealCount = 0;
  let sealedSeq = 0;
  let lost = 0;
  let restoredSeq = 0;
  let doubts = 0;
  let doubtSeq = 0;
  let stubbed: StubbedPart | undefined;
  /** The number of the segment that is read, or was the last one to be; 0 before the first. */
  let segment = 0;
  /** The number of the last one that a record or a stub told of; 0 before the first. */
  let toldSegment = 0;
  let isAtBegin = false;

  const checkPlace = (place: ChainHead): void => {
    for (const { hash, by } of expected.get(place.seq) ?? []) {
      if (hash !== place.hash)
        throw bad(
          `the record is not the one that ${by === undefined ? 'was expected here' : `${by} remembers`}`,
        );
    }
  };

  const follow = (seq: number, prev: string): void => {
    if (seq > head.seq + 1) throw bad(`records ${head.seq + 1} to ${seq - 1} are missing`);
    if (seq !== head.seq + 1) throw bad(`the record has the number ${seq}`);
    if (prev !== head.hash) throw bad('the record does not continue the one before it');
  };

  const sameChain = (of: string): void => {
    if (start !== undefined && of !== start) throw bad('the segment is one of another chain');
    start = of;
  };

  /** The first record of a segment says which one it is. */
  const begin = (line: Buffer, seq: number, prev: string): void => {
    isAtBegin = false;
    const record = readRecord(line);
    const { event, detail } = record;
    const told = event === startEvent ? 1 : event === continueEvent ? detail['segment'] : undefined;
    if (!isCount(told)) throw bad('the first record is not the start of a chain, nor of a segment');
    const isFirst = records === 0 && stubbed === undefined;
    if (isFirst && anywhere) head = { seq: seq - 1, hash: prev };
    follow(seq, prev);
    sameChain(startOf(record, told));
    if (segment !== 0 && told !== segment) throw bad(`the file is that of segment ${told}`);
    if (!(isFirst && anywhere) && told !== toldSegment + 1)
      throw bad(`segment ${toldSegment + 1} is missing`);
    segment = told;
    toldSegment = told;
  };

  return {
    beginSegment(number) {
      if (stubbed !== undefined && records === 0 && number !== undefined && number <= segment) return false;
      segment = number ?? 0;
      isAtBegin = true;
      return true;
    },
    stub(line) {
      const stub = readStub(line);
      const { firstTime, lastTime, lastSeq, lastHash, prev } = stub;
      const isFirst = stubbed === undefined && records === 0;
      if (isFirst && anywhere) head = { seq: stub.firstSeq - 1, hash: prev };
      else if (stub.segment !== segment + 1) throw bad(`segment ${segment + 1} is missing`);
      follow(stub.firstSeq, prev);
      sameChain(stub.start);
      if (seals !== undefined) proveStub(stub, seals.vaultId, seals.secretOf);
      firstSeq ||= stub.firstSeq;
      segment = stub.segment;
      toldSegment = stub.segment;
      head = { seq: lastSeq, hash: lastHash };
      checkPlace(head);
      stubbed = {
        segments: (stubbed?.segments ?? 0) + 1,
        firstSeq: stubbed?.firstSeq ?? stub.firstSeq,
        lastSeq,
        firstTime: stubbed?.firstTime ?? firstTime,
        lastTime,
      };
      onKeyed?.({ kind: 'stub', text: line.toString('latin1'), seq: lastSeq, daemon: undefined });
    },
    record(line) {
      if (line.length > maxLineBytes) throw bad('the line is longer than any that is written');
      const { seq, hash, prev, event } = readLink(line);
      if (isAtBegin) begin(line, seq, prev);
      else follow(seq, prev);
      const place = { seq, hash };
      checkPlace(place);
      if (event === sealEvent) {
        const record = readRecord(line);
        if (seals !== undefined) openSeal(record, seals.vaultId, seals.secretOf);
        onKeyed?.({ kind: 'seal', text: line.toString('latin1'), seq, daemon: daemonHeadIn(record) });
        sealCount += 1;
        sealedSeq = seq;
      } else if (event === 'audit.lost') {
        const { detail } = readRecord(line);
        lost += isCount(detail['records']) ? detail['records'] : 0;
      } else if (event.startsWith('backup.restor')) {
        restoredSeq = seq;
      } else if (event === 'audit.doubt') {
        doubts += 1;
        doubtSeq = seq;
      }
      head = place;
      firstSeq ||= seq;
      records += 1;
    },
    end() {
      if (head.seq >= lastExpected) {
        // A crash leaves the next segment without a record, and no other.
        if (isAtBegin && segment !== 0 && segment !== toldSegment + 1)
          throw bad(`segment ${toldSegment + 1} is missing`);
        return;
      }
      const by = expected.get(lastExpected)?.[0]?.by;
      const who = by === undefined ? '' : `: ${by} remembers the last of them`;
      throw bad(`records ${head.seq + 1} to ${lastExpected} are missing${who}`);
    },
    nextSeq: () => head.seq + 1,
    found: () => ({
      records,
      firstSeq,
      head,
      start,
      seals: sealCount,
      sealedSeq,
      stubbed,
      lost,
      restoredSeq,
      doubts,
      doubtSeq,
    }),
  };
}

const bad = (why: string): HushError => new HushError('INTEGRITY', why);
