import { open } from 'node:fs/promises';
import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import {
  chainFormat,
  type ChainHead,
  maxLineBytes,
  noHash,
  readRecord,
  type StoredRecord,
} from './records.ts';
import { type AuditSecretOf, openSeal, sealEvent } from './seals.ts';

/** What a verifier may know besides the file. */
export interface VerifyOptions {
  /** A place that the chain must pass through, for instance the head that the vault remembers. */
  readonly expected?: ChainHead;
  /** With it the MACs of the seals are checked too. */
  readonly seals?: { readonly vaultId: string; readonly secretOf: AuditSecretOf };
}

/** The first thing that is wrong with a chain. */
export interface BadRecord {
  /** From 1. */
  readonly line: number;
  /** The number that the record should have. */
  readonly seq: number;
  readonly why: string;
}

/** What a chain holds, up to its first bad record. */
export interface Verification {
  readonly records: number;
  readonly head: ChainHead;
  /** The last seal's number, 0 if there is none; records after it are vouched for by nothing but their hashes. */
  readonly sealedSeq: number;
  /** Bytes after the last whole line: a crash, or a write that is just going on; the next `openChain` cuts them off. */
  readonly tornBytes: number;
  readonly bad: BadRecord | undefined;
}

const blockBytes = 1_048_576;
const lineFeed = 0x0a;

/** Reads a chain's file from its beginning and checks every record. Throws UNAVAILABLE if it cannot be read. */
export async function verifyChain(path: string, options: VerifyOptions = {}): Promise<Verification> {
  let head: ChainHead = { seq: 0, hash: noHash };
  let sealedSeq = 0;
  let tornBytes = 0;
  const resultWith = (why?: string): Verification => ({
    records: head.seq,
    head,
    sealedSeq,
    tornBytes,
    bad: why === undefined ? undefined : { line: head.seq + 1, seq: head.seq + 1, why },
  });
  try {
    for await (const { line, whole } of linesOf(path)) {
      if (!whole) {
        tornBytes = line.length;
        break;
      }
      const record = readRecord(line);
      checkRecord(record, head, options);
      head = { seq: record.seq, hash: record.hash };
      if (record.event === sealEvent) sealedSeq = record.seq;
    }
  } catch (error) {
    if (!(error instanceof HushError)) throw diskError(`cannot read ${path}`, error);
    return resultWith(error.message);
  }
  const expected = options.expected?.seq ?? 0;
  return resultWith(head.seq < expected ? `records ${head.seq + 1} to ${expected} are missing` : undefined);
}

/** Throws INTEGRITY if a record cannot come right after `head`. */
function checkRecord(record: StoredRecord, head: ChainHead, { expected, seals }: VerifyOptions): void {
  const { seq, hash, prev, event, detail } = record;
  const bad = (why: string): HushError => new HushError('INTEGRITY', why);
  if (seq !== head.seq + 1) throw bad(`the record has the number ${seq}`);
  if (prev !== head.hash) throw bad('the record does not continue the one before it');
  if (seq === 1 && event !== 'chain.start') throw bad('the first record is not the start of a chain');
  if (seq === 1 && detail['format'] !== chainFormat)
    throw bad('the chain has a format that this release does not know');
  if (seq === expected?.seq && hash !== expected.hash)
    throw bad('the record is not the one that was expected here');
  if (event === sealEvent && seals !== undefined) openSeal(record, seals.vaultId, seals.secretOf);
}

/** The lines of a file without their LF; the last one is not whole if no LF follows it. */
async function* linesOf(
  path: string,
): AsyncGenerator<{ readonly line: Buffer; readonly whole: boolean }, void> {
  const file = await open(path, 'r');
  try {
    let unread = Buffer.alloc(0);
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes);
      if (bytesRead === 0) break;
      unread = Buffer.concat([unread, buffer.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = unread.indexOf(lineFeed); end !== -1; end = unread.indexOf(lineFeed, start)) {
        yield { line: unread.subarray(start, end), whole: true };
        start = end + 1;
      }
      unread = unread.subarray(start);
      if (unread.length > maxLineBytes)
        throw new HushError('INTEGRITY', 'the line is longer than any that is written');
    }
    if (unread.length > 0) yield { line: unread, whole: false };
  } finally {
    await file.close();
  }
}
