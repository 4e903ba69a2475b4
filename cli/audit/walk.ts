import { type ChainPart, createLineSplitter } from '../../daemon/audit/parts.ts';
import { maxLineBytes } from '../../daemon/audit/records.ts';
import type { ChainSource } from './chain-source.ts';
import { type Entry, entryOf } from './entry.ts';

/** Where a line stands. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Hands over entries in batches, in their order; it is awaited, so that nothing is read faster than it is shown. */
export type TakeEntries = (entries: readonly (Entry & Place)[]) => Promise<void>;

/** Why the end of a part is no line. */
export const torn = 'the line has no end';

/** Goes through all of a chain. */
export async function walk(source: ChainSource, take: TakeEntries): Promise<void> {
  for (const part of await withoutStubbed(await source.parts())) await walkPart(part, take);
}

/** Where the next line of a part begins, and how many are before it. */
export interface PartEnd {
  readonly bytes: number;
  readonly lines: number;
}

/** Goes through one part. */
export async function walkPart(part: ChainPart, take: TakeEntries): Promise<PartEnd> {
  const lines = createLineSplitter(maxLineBytes);
  let entries: (Entry & Place)[] = [];
  let line = 0;
  let bytes = 0;
  for await (const block of part.blocks()) {
    bytes += block.length;
    lines.push(block, (text) => {
      line += 1;
      entries.push({ ...entryOf(part.kind, text), file: part.name, line });
      return true;
    });
    await take(entries);
    entries = [];
  }
  const rest = lines.rest();
  // A crash may leave that, or it is being written right now.
  if (rest.length > 0) {
    await take([{ kind: 'damaged', why: torn, bytes: rest, file: part.name, line: line + 1 }]);
  }
  return { bytes: bytes - rest.length, lines: line };
}

/** The parts without the segments that a stub stands for already, which a crash has left. */
export async function withoutStubbed(parts: readonly ChainPart[]): Promise<readonly ChainPart[]> {
  let last = 0;
  for (const part of parts) {
    if (part.kind !== 'stubs') continue;
    await walkPart(part, (entries) => {
      for (const entry of entries) if (entry.kind === 'stub') last = Math.max(last, entry.stub.segment);
      return Promise.resolve();
    });
  }
  return parts.filter(({ number = Infinity }) => number > last);
}
