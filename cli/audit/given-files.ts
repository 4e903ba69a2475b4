import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { type ChainPart, eachLine, filePart, folderParts } from '../../daemon/audit/parts.ts';
import { maxLineBytes, readRecord } from '../../daemon/audit/records.ts';
import type { ExpectedRecord } from '../../daemon/audit/check.ts';
import { readStub, type Stub } from '../../daemon/audit/stubs.ts';
import { type BadRecord, type Verification, verifyParts } from '../../daemon/audit/verify.ts';
import { diskError } from '../../daemon/home/disk-errors.ts';
import { HushError } from '../../protocol/errors.ts';
import { startOfParts } from './chain-start.ts';
import { checkpointsFor, comparisonOf, type GivenCheckpoint } from './checkpoints.ts';
import type { ChainReport } from './report.ts';

/**
 * Verifies the chain in files of any machine, in any order; a folder stands for the chain in it. A file may be there
 * twice, and together with the stub that has taken its place: that is held against it.
 */
export async function verifyFiles(
  paths: readonly string[],
  checkpoints: readonly GivenCheckpoint[],
): Promise<ChainReport> {
  const { files, told } = await inOrder(paths.flatMap(partsAt));
  const start = await startOfParts(files);
  const against = checkpointsFor(checkpoints, start, undefined);
  const found = await verifyParts(files, { anywhere: true, expected: [...told, ...against.expected] });
  return {
    chain: paths.join(' '),
    files: files.length,
    verification: found,
    bad: against.bad(files) ?? found.bad ?? nothingIn(paths, found),
    proved: { why: 'only a daemon that has the profile open has the keys' },
    remembered: undefined,
    // The daemon's own chain has no seals, and its files may be these.
    isSealed: found.seals > 0,
    vouched: undefined,
    checkpoints: comparisonOf(against.used, found, checkpoints.length),
  };
}

function partsAt(path: string): readonly ChainPart[] {
  try {
    return lstatSync(path).isDirectory() ? folderParts(path) : [filePart(path)];
  } catch (error) {
    throw diskError(`cannot read ${path}`, error);
  }
}

function nothingIn(paths: readonly string[], { records, stubbed }: Verification): BadRecord | undefined {
  if (records > 0 || stubbed !== undefined) return undefined;
  return { file: paths.join(' '), line: 1, seq: 1, why: 'there is no record of an audit here' };
}

/** A part whose first record is known; of one that has none `seq` is Infinity. */
interface Begun {
  readonly seq: number;
  readonly part: ChainPart;
  /** The line of a part that is one stub. */
  readonly stub: Stub | undefined;
}

interface Ordered {
  readonly files: readonly ChainPart[];
  /** Where the segments must end that are there in spite of their stubs. */
  readonly told: readonly ExpectedRecord[];
}

/** The parts by their first lines: files may have been renamed on the way to another machine. */
async function inOrder(parts: readonly ChainPart[]): Promise<Ordered> {
  const begun = (await Promise.all(parts.map(begunParts))).flat().sort((a, b) => a.seq - b.seq);
  const segments: Begun[] = [];
  for (const one of begun) if (one.stub === undefined) await addUnlessThere(segments, one);
  const starts = new Set(segments.map(({ seq }) => seq));
  const stubs = new Map<string, Begun & { readonly stub: Stub }>();
  const told: ExpectedRecord[] = [];
  for (const one of begun) {
    const { stub } = one;
    if (stub === undefined) continue;
    if (starts.has(one.seq)) told.push({ seq: stub.lastSeq, hash: stub.lastHash, by: 'its stub' });
    else stubs.set(`${stub.signed} ${stub.mac}`, { ...one, stub });
  }
  const kept = [...segments, ...stubs.values()].sort((a, b) => a.seq - b.seq);
  return { files: kept.map(({ part }) => part), told };
}

/** A file as it is to be read: one part, or one for each stub in it. */
async function begunParts(part: ChainPart): Promise<readonly Begun[]> {
  const stubs: Begun[] = [];
  let seq = Infinity;
  let line = 0;
  try {
    await eachLine(part, maxLineBytes, (bytes) => {
      line += 1;
      if (bytes.subarray(0, 8).toString('latin1') !== '{"stub":') {
        if (line === 1) seq = readRecord(bytes).seq;
        return false;
      }
      const stub = readStub(bytes);
      const text = Buffer.from(`${bytes.toString('latin1')}\n`, 'latin1');
      stubs.push({ seq: stub.firstSeq, part: stubPart(part.name, line - 1, text), stub });
      return true;
    });
  } catch (error) {
    if (!(error instanceof HushError) || !['INTEGRITY', 'NEWER_FORMAT'].includes(error.code)) throw error;
    // The verification itself says at which line, and why.
    return [{ seq: Infinity, part: { ...part, number: undefined }, stub: undefined }];
  }
  if (stubs.length > 0) return stubs;
  return [{ seq, part: { ...part, kind: 'segment', number: undefined }, stub: undefined }];
}

const stubPart = (name: string, linesBefore: number, bytes: Buffer): ChainPart => ({
  name,
  kind: 'stubs',
  number: undefined,
  linesBefore,
  async *blocks(from = 0) {
    yield await Promise.resolve(bytes.subarray(from));
  },
});

/** Adds a segment to those before it, unless it is a copy of the last of them; a copy may be an earlier state of it. */
async function addUnlessThere(segments: Begun[], one: Begun): Promise<void> {
  const last = segments.at(-1);
  if (last?.seq !== one.seq || one.seq === Infinity) {
    segments.push(one);
    return;
  }
  const [a, b] = [await lengthOf(last.part), await lengthOf(one.part)];
  const shorter = Math.min(a, b);
  const isCopy = (await digestOf(last.part, shorter)) === (await digestOf(one.part, shorter));
  if (!isCopy) segments.push(one);
  else if (b > a) segments.splice(-1, 1, one);
}

async function lengthOf(part: ChainPart): Promise<number> {
  let bytes = 0;
  for await (const block of part.blocks()) bytes += block.length;
  return bytes;
}

async function digestOf(part: ChainPart, length: number): Promise<string> {
  const hash = createHash('sha256');
  let left = length;
  for await (const block of part.blocks()) {
    hash.update(block.subarray(0, left));
    left -= Math.min(left, block.length);
    if (left === 0) break;
  }
  return hash.digest('hex');
}
