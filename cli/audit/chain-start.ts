import { startOf } from '../../daemon/audit/opening.ts';
import { type ChainPart, eachLine } from '../../daemon/audit/parts.ts';
import { isCount, maxLineBytes, readRecord } from '../../daemon/audit/records.ts';
import { readStub } from '../../daemon/audit/stubs.ts';
import { HushError } from '../../protocol/errors.ts';

/** The hash of the first record of the chain; undefined where its first line does not say. */
export async function startOfParts(files: readonly ChainPart[]): Promise<string | undefined> {
  const [first] = files;
  let start: string | undefined;
  if (first === undefined) return undefined;
  try {
    await eachLine(first, maxLineBytes, (line) => {
      start = first.kind === 'stubs' ? readStub(line).start : startOfRecord(line);
      return false;
    });
  } catch (error) {
    if (!(error instanceof HushError) || !['INTEGRITY', 'NEWER_FORMAT'].includes(error.code)) throw error;
  }
  return start;
}

function startOfRecord(line: Buffer): string {
  const record = readRecord(line);
  const { segment } = record.detail;
  return startOf(record, isCount(segment) ? segment : 1);
}
