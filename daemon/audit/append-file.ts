import { ftruncateSync, writeSync } from 'node:fs';

/** A file that grows by whole writes only. */
export interface AppendFile {
  /**
   * Appends the first `count` bytes, all or none: what a failed write left behind is cut off, at once or, where that
   * fails too, before the next write. Throws the system's error.
   */
  write(bytes: Uint8Array, count: number): void;
  /** How long it is, in bytes. */
  length(): number;
}

/** Writes through a descriptor opened with O_APPEND to a file whose `length` bytes are to stay. */
export function createAppendFile(fd: number, length: number): AppendFile {
  let goodLength = length;
  let isLonger = false;
  const cut = (): void => {
    ftruncateSync(fd, goodLength);
    isLonger = false;
  };
  return {
    write(bytes, count) {
      if (isLonger) cut();
      let done = 0;
      try {
        while (done < count) done += writeSync(fd, bytes, done, count - done);
      } catch (error) {
        isLonger = done > 0;
        if (isLonger) cutOrKeep(cut, error);
        throw error;
      }
      goodLength += count;
    },
    length: () => goodLength,
  };
}

/** Tries to cut; that the disk refuses this too is told with the error that is on its way already. */
function cutOrKeep(cut: () => void, error: unknown): void {
  try {
    cut();
  } catch (second) {
    if (error instanceof Error) error.cause ??= second;
  }
}
