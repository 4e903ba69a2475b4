import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import { chainFiles, segmentNumber, stubFileName } from './segments.ts';

/** One file of a chain, wherever it is read from. */
export interface ChainPart {
  /** How messages call it. */
  readonly name: string;
  readonly kind: 'stubs' | 'segment';
  /** The number of a segment, where it is known. */
  readonly number: number | undefined;
  /** How many lines of its file come before it; none where it is not told. */
  readonly linesBefore?: number;
  /** Its bytes from a place in it on, by default all of them. Throws UNAVAILABLE, INTEGRITY for what is no file. */
  blocks(from?: number): AsyncIterable<Buffer>;
}

const usualBlockBytes = 1_048_576;
const lineFeed = 0x0a;

/** A file as a part of a chain, read in blocks of so many bytes; its kind and number are those of its name. */
export function filePart(path: string, blockBytes: number = usualBlockBytes): ChainPart {
  const name = basename(path);
  return {
    name: path,
    kind: name === stubFileName ? 'stubs' : 'segment',
    number: segmentNumber(name),
    blocks: (from = 0) => blocksOf(path, from, blockBytes),
  };
}

/** The parts of the chain in a folder, in their order; none where there is no folder. Throws UNAVAILABLE. */
export function folderParts(folder: string): ChainPart[] {
  const { stubs, segments } = chainFiles(folder);
  return [...(stubs === undefined ? [] : [stubs]), ...segments.map(({ path }) => path)].map((path) =>
    filePart(path),
  );
}

async function* blocksOf(path: string, from: number, blockBytes: number): AsyncGenerator<Buffer, void> {
  try {
    // Without O_NONBLOCK a FIFO would keep the reader waiting for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw new HushError('INTEGRITY', `${path} is not a regular file`);
      for (let at = from; ;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskError(`cannot read ${path}`, error);
  }
}

/** Cuts bytes that come in blocks into lines. */
export interface LineSplitter {
  /** Hands over the lines that are whole now, without their LF, until `take` answers false; answers whether it went on. */
  push(block: Buffer, take: (line: Buffer) => boolean): boolean;
  /** The bytes that wait for the end of their line. */
  rest(): Buffer;
}

/** A splitter that hands a line without an end over in pieces of more than `mostBytes`. */
export function createLineSplitter(mostBytes: number): LineSplitter {
  let unread: Buffer = Buffer.alloc(0);
  return {
    push(block, take) {
      unread = unread.length === 0 ? block : Buffer.concat([unread, block]);
      let start = 0;
      for (let end = unread.indexOf(lineFeed); end !== -1; end = unread.indexOf(lineFeed, start)) {
        if (!take(unread.subarray(start, end))) return false;
        start = end + 1;
      }
      unread = unread.subarray(start);
      if (unread.length <= mostBytes) return true;
      const piece = unread;
      unread = Buffer.alloc(0);
      return take(piece);
    },
    rest: () => unread,
  };
}

/**
 * Hands over the lines of a part one after the other, until `take` answers false, and answers the bytes behind the last
 * LF; `afterBlock` runs whenever some thousand lines were handed over.
 */
export async function eachLine(
  { blocks }: ChainPart,
  mostBytes: number,
  take: (line: Buffer) => boolean,
  afterBlock?: () => Promise<void>,
): Promise<number> {
  const lines = createLineSplitter(mostBytes);
  for await (const block of blocks()) {
    if (!lines.push(block, take)) return 0;
    await afterBlock?.();
  }
  return lines.rest().length;
}
