import { setTimeout as delay } from 'node:timers/promises';
import { type ChainPart, createLineSplitter } from '../../daemon/audit/parts.ts';
import { maxLineBytes } from '../../daemon/audit/records.ts';
import type { ChainSource } from './chain-source.ts';
import { type Entry, entryOf } from './entry.ts';
import { type Place, type PartEnd, torn, walkPart, withoutStubbed } from './walk.ts';

/** The end of a chain, and where it goes on. */
export interface Tail {
  readonly entries: readonly (Entry & Place)[];
  readonly end: ChainEnd | undefined;
}

/** Where the next line of a chain will be. */
interface ChainEnd extends PartEnd {
  /** The number of the segment. */
  readonly number: number;
}

/** How often is looked for more, in ms; to ask the daemon is a record each time. */
const lookMs = { local: 300, remote: 2_000 };

/** The last `count` entries that are asked for. */
export async function lastEntries(
  source: ChainSource,
  count: number,
  isAsked: (entry: Entry) => boolean,
): Promise<Tail> {
  const parts = await withoutStubbed(await source.parts());
  let entries: (Entry & Place)[] = [];
  let end: ChainEnd | undefined;
  for (const part of parts.toReversed()) {
    let own: (Entry & Place)[] = [];
    const { bytes, lines } = await walkPart(part, (more) => {
      own = last([...own, ...more.filter(isAsked)], count);
      return Promise.resolve();
    });
    if (part.number !== undefined) end ??= { number: part.number, bytes, lines };
    entries = last([...own, ...entries], count);
    if (entries.length >= count && end !== undefined) break;
  }
  return { entries, end };
}

const last = <T>(list: T[], count: number): T[] => (count === 0 ? [] : list.slice(-count));

/** Hands over what is written behind `end` from now on, for as long as the process lives. */
export async function follow(
  source: ChainSource,
  end: ChainEnd | undefined,
  take: (entries: readonly (Entry & Place)[]) => Promise<void>,
): Promise<never> {
  let at: ChainEnd = end ?? { number: 1, bytes: 0, lines: 0 };
  for (;;) {
    for (const part of await source.parts()) {
      if (part.kind !== 'segment' || part.number === undefined || part.number < at.number) continue;
      if (part.number > at.number) at = { number: part.number, bytes: 0, lines: 0 };
      at = { ...at, ...(await takeMore(part, at, take)) };
    }
    await delay(source.isRemote ? lookMs.remote : lookMs.local);
  }
}

/** A line without an end is looked at again the next time. */
async function takeMore(
  part: ChainPart,
  from: PartEnd,
  take: (entries: readonly (Entry & Place)[]) => Promise<void>,
): Promise<PartEnd> {
  const splitter = createLineSplitter(maxLineBytes);
  let { bytes, lines } = from;
  for await (const block of part.blocks(from.bytes)) {
    const entries: (Entry & Place)[] = [];
    bytes += block.length;
    splitter.push(block, (text) => {
      lines += 1;
      entries.push({ ...entryOf(part.kind, text), file: part.name, line: lines });
      return true;
    });
    await take(entries);
  }
  return { bytes: bytes - splitter.rest().length, lines };
}

/** Whether an entry is the end of a line that is being written. */
export const isUnfinished = (entry: Entry): boolean => entry.kind === 'damaged' && entry.why === torn;
