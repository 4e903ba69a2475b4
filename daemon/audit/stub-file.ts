import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { openSafeFile } from '../home/safety.ts';
import { createAppendFile } from './append-file.ts';
import { stubFileName } from './segments.ts';
import { readStub, type Stub } from './stubs.ts';
import { linesFromEnd, wholeLinesLength } from './tail.ts';

/** The newest stub in a file, a line that a crash has torn left out; undefined where it has none. Throws INTEGRITY. */
export function lastStub(path: string): Stub | undefined {
  const fd = openSafeFile(path, constants.O_RDONLY);
  try {
    const [last] = linesFromEnd(fd, wholeLinesLength(fd, fstatSync(fd).size));
    return last === undefined ? undefined : readStub(last);
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts the line of a stub in place of the segment at `path`: the line is on the disk before the segment's file goes, so
 * that a crash leaves both, or the stub. Throws UNAVAILABLE.
 */
export function replaceWithStub(path: string, line: string): void {
  const folder = dirname(path);
  const file = join(folder, stubFileName);
  const fd = openSafeFile(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT);
  try {
    const { size } = fstatSync(fd);
    const length = wholeLinesLength(fd, size);
    if (length < size) ftruncateSync(fd, length);
    createAppendFile(fd, length).write(Buffer.from(line, 'latin1'), line.length);
    fdatasyncSync(fd);
    syncFolder(folder);
  } catch (error) {
    throw diskError(`cannot write ${file}`, error);
  } finally {
    closeSync(fd);
  }
  removeSegment(path);
}

/** Removes a segment that a stub stands for. Throws UNAVAILABLE. */
export function removeSegment(path: string): void {
  try {
    rmSync(path, { force: true });
    syncFolder(dirname(path));
  } catch (error) {
    throw diskError(`cannot remove ${path}`, error);
  }
}
