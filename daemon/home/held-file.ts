import { closeSync, fstatSync, read } from 'node:fs';

import { HushError } from '../../protocol/errors.ts';
import { diskError } from './disk-errors.ts';

/** An open file that is read from while the event loop goes on. */
export interface HeldFile {
  /** How many bytes it has now. */
  size(): number;
  /** Fills the bytes from a place in the file. Throws UNAVAILABLE, also when the file ends before. */
  read(bytes: Uint8Array, offset: number): Promise<void>;
  /** Closes the descriptor once no read needs it any more: its number may be another file's then. */
  release(): void;
}

/** The file behind a descriptor, which is the held file's to close; `what` names it in errors. */
export function holdFile(fd: number, what: string): HeldFile {
  let pending = 0;
  let isHeld = true;
  let isOpen = true;

  const closeWhenIdle = (): void => {
    if (isHeld || pending > 0 || !isOpen) return;
    isOpen = false;
    closeSync(fd);
  };

  return {
    size: () => fstatSync(fd).size,
    async read(bytes, offset) {
      if (!isHeld) throw new HushError('UNAVAILABLE', `${what} is not open any more`);
      pending++;
      try {
        for (let done = 0; done < bytes.length;) {
          const count = await readSome(fd, bytes.subarray(done), offset + done, what);
          if (count === 0) throw new HushError('UNAVAILABLE', `${what} became shorter while it was read`);
          done += count;
        }
      } finally {
        pending--;
        closeWhenIdle();
      }
    },
    release() {
      isHeld = false;
      closeWhenIdle();
    },
  };
}

function readSome(fd: number, bytes: Uint8Array, position: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, bytes, 0, bytes.length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(diskError(`cannot read ${what}`, error));
    });
  });
}
