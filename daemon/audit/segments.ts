import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';

/** One file of a chain. */
export interface Segment {
  /** From 1, in the order of its records. */
  readonly number: number;
  readonly path: string;
  readonly bytes: number;
}

/** What a chain's folder holds. */
export interface ChainFiles {
  /** The file that tells of the segments that are not kept any more; undefined while all are there. */
  readonly stubs: string | undefined;
  /** By their numbers. */
  readonly segments: readonly Segment[];
}

/** The name of the file of stubs in a chain's folder. */
export const stubFileName = 'stubs.jsonl';

const segmentName = /^([0-9]{10})\.jsonl$/;

/** The name of a segment's file in its chain's folder. */
export const segmentFileName = (number: number): string => `${String(number).padStart(10, '0')}.jsonl`;

/** The number that the name of a segment's file tells; undefined for any other name. */
export function segmentNumber(name: string): number | undefined {
  const digits = segmentName.exec(name)?.[1];
  return digits === undefined || Number(digits) === 0 ? undefined : Number(digits);
}

/** The files of the chain in a folder; none where there is no folder. Throws UNAVAILABLE. */
export function chainFiles(folder: string): ChainFiles {
  try {
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return { stubs: undefined, segments: [] };
    const names = readdirSync(folder);
    const segments = names.flatMap((name): Segment[] => {
      const number = segmentNumber(name);
      const path = join(folder, name);
      // One may be given up for its stub between the listing and the look at it.
      const stats = number === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
      return number === undefined || stats === undefined ? [] : [{ number, path, bytes: stats.size }];
    });
    return {
      stubs: names.includes(stubFileName) ? join(folder, stubFileName) : undefined,
      segments: segments.sort((a, b) => a.number - b.number),
    };
  } catch (error) {
    throw diskError(`cannot read ${folder}`, error);
  }
}

/** The number of the newest segment in a folder; 0 where there is none. Throws INTEGRITY for stubs without any. */
export function newestSegment({ stubs, segments }: ChainFiles): number {
  const newest = segments.at(-1)?.number ?? 0;
  if (newest > 0 || stubs === undefined) return newest;
  throw new HushError('INTEGRITY', 'there are stubs of an audit, and none of its records');
}
