import { lstatSync } from 'node:fs';
import { type ChainPart, eachLine, filePart, folderParts } from '../../daemon/audit/parts.ts';
import { maxLineBytes, readRecord } from '../../daemon/audit/records.ts';
import { readStub } from '../../daemon/audit/stubs.ts';
import { verifyParts } from '../../daemon/audit/verify.ts';
import { diskError } from '../../daemon/home/disk-errors.ts';
import { HushError } from '../../protocol/errors.ts';
import { startOfParts } from './chain-start.ts';
import { checkpointsFor, comparisonOf, type GivenCheckpoint } from './checkpoints.ts';
import type { ChainReport } from './report.ts';

/** Verifies the chain in files of any machine, in any order; a folder stands for the chain in it. */
export async function verifyFiles(
  paths: readonly string[],
  checkpoints: readonly GivenCheckpoint[],
): Promise<ChainReport> {
  const files = await inOrder(paths.flatMap(partsAt));
  const start = await startOfParts(files);
  const against = checkpointsFor(checkpoints, start, undefined);
  const found = await verifyParts(files, { anywhere: true, expected: against.expected });
  return {
    chain: paths.join(' '),
    files: files.length,
    verification: found,
    bad: against.bad(files) ?? found.bad,
    proved: { why: 'only a daemon that has the profile open has the keys' },
    remembered: undefined,
    // The daemon's own chain has no seals, and its files may be these.
    isSealed: found.seals > 0,
    vouched: undefined,
    checkpoints: against.used.length === 0 ? undefined : comparisonOf(against.used, found),
  };
}

function partsAt(path: string): readonly ChainPart[] {
  try {
    return lstatSync(path).isDirectory() ? folderParts(path) : [filePart(path)];
  } catch (error) {
    throw diskError(`cannot read ${path}`, error);
  }
}

/** The parts by their first lines: files may have been renamed on the way to another machine. */
async function inOrder(parts: readonly ChainPart[]): Promise<ChainPart[]> {
  const known = await Promise.all(
    parts.map(async (part) => {
      let begins = { kind: part.kind, seq: Infinity };
      await eachLine(part, maxLineBytes, (line) => {
        begins = beginOf(line) ?? begins;
        return false;
      });
      return { seq: begins.seq, part: { ...part, kind: begins.kind, number: undefined } };
    }),
  );
  return known.sort((a, b) => a.seq - b.seq).map(({ part }) => part);
}

function beginOf(line: Buffer): { readonly kind: ChainPart['kind']; readonly seq: number } | undefined {
  try {
    if (line.subarray(0, 8).toString('latin1') === '{"stub":')
      return { kind: 'stubs', seq: readStub(line).firstSeq };
    return { kind: 'segment', seq: readRecord(line).seq };
  } catch (error) {
    if (error instanceof HushError && error.code === 'INTEGRITY') return undefined;
    throw error;
  }
}
