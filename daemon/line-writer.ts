import { writeSync } from 'node:fs';
import { errnoOf } from './home/disk-errors.ts';

/** How many lines could not be written, and the name of the system's error for the last of them. */
export interface LostLines {
  readonly lines: number;
  readonly reason: string;
}

const nothing = Buffer.from(new ArrayBuffer(0));
/** How long a reader that is behind may hold up a line, in pauses and milliseconds. */
const mostPauses = 100;
const pauseMs = 10;

/**
 * Writes lines of ASCII to a descriptor, each before the call returns, and never throws: that a log cannot be written
 * is no reason to stop serving, let alone to stop half-way. Such a line is dropped, and the next that can be written
 * comes after the line of `tellLost`. A line that was begun is always finished before the next.
 */
export function createLineWriter(fd: number, tellLost: (lost: LostLines) => string): (line: string) => void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  /** What is left of a line that was begun. */
  let rest = nothing;
  let lost = 0;
  let reason = '';

  /** Whether all of `rest` could be written. While lines are being lost, nobody waits for the reader. */
  const finish = (): boolean => {
    let pauses = lost > 0 ? mostPauses : 0;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(fd, rest));
      } catch (error) {
        reason = errnoOf(error) ?? String(error);
        if (reason !== 'EAGAIN' || pauses === mostPauses) return false;
        pauses += 1;
        Atomics.wait(sleeper, 0, 0, pauseMs);
      }
    }
    return true;
  };

  /** Whether the line is written, or begun at least. */
  const put = (line: string): boolean => {
    if (!finish()) return false;
    const bytes = Buffer.from(line, 'latin1');
    rest = bytes;
    if (finish() || rest.length < bytes.length) return true;
    rest = nothing;
    return false;
  };

  return (line) => {
    if (lost > 0 && put(tellLost({ lines: lost, reason }))) lost = 0;
    if (lost > 0 || !put(line)) lost += 1;
  };
}
