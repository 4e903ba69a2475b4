import { readSync } from 'node:fs';
import { HushError } from '../../protocol/errors.ts';
import { maxLineBytes } from './records.ts';

const blockBytes = 65_536;
const lineFeed = 0x0a;

/** How many of the first `size` bytes of a file make whole lines: the place behind its last LF. */
export function wholeLinesLength(fd: number, size: number): number {
  for (let end = size; end > 0; end -= Math.min(blockBytes, end)) {
    const start = end - Math.min(blockBytes, end);
    const at = readBlock(fd, start, end).lastIndexOf(lineFeed);
    if (at !== -1) return start + at + 1;
  }
  return 0;
}

/** The first line of a file without its LF; its first `size` bytes end in LF. Throws INTEGRITY if it is too long. */
export function firstLine(fd: number, size: number): Buffer {
  const start = readBlock(fd, 0, Math.min(size, maxLineBytes));
  const end = start.indexOf(lineFeed);
  if (end === -1) throw lineTooLong();
  return start.subarray(0, end);
}

/**
 * The lines of a file from its last to its first, without their LF; its first `size` bytes end in LF. Reads only as
 * far as it is asked to. Throws INTEGRITY at a line longer than any that is written.
 */
export function* linesFromEnd(fd: number, size: number): Generator<Buffer, void> {
  let start = size;
  let unread = Buffer.alloc(0);
  while (start > 0) {
    const from = Math.max(0, start - blockBytes);
    unread = Buffer.concat([readBlock(fd, from, start), unread]);
    start = from;
    let end = unread.length;
    for (;;) {
      const before = end < 2 ? -1 : unread.lastIndexOf(lineFeed, end - 2);
      if (before === -1) break;
      yield unread.subarray(before + 1, end - 1);
      end = before + 1;
    }
    unread = unread.subarray(0, end);
    if (unread.length > maxLineBytes) throw lineTooLong();
  }
  if (unread.length > 0) yield unread.subarray(0, -1);
}

function readBlock(fd: number, start: number, end: number): Buffer {
  const block = Buffer.alloc(end - start);
  let length = 0;
  while (length < block.length) {
    const count = readSync(fd, block, length, block.length - length, start + length);
    if (count === 0) throw new HushError('UNAVAILABLE', 'the audit file became shorter while it was read');
    length += count;
  }
  return block;
}

function lineTooLong(): HushError {
  return new HushError('INTEGRITY', `a line of the audit is longer than ${maxLineBytes} bytes`);
}
