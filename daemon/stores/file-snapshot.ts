import { constants } from 'node:fs';

import { HushError } from '../../protocol/errors.ts';
import { holdFile, type HeldFile } from '../home/held-file.ts';
import { openSafeFile } from '../home/safety.ts';

/** A vault file as it stood at one moment, while commits go on beside it. */
export interface StoreSnapshot {
  /** In bytes. */
  readonly size: number;
  /** Fills the bytes from a place in the file. Throws CONFLICT once the snapshot has ended, UNAVAILABLE. */
  read(bytes: Uint8Array, offset: number): Promise<void>;
  /** What readers are told once it has ended. */
  ended(): HushError | undefined;
  /** Ends it: the file may change from here on. Further calls do nothing. */
  end(): void;
}

/** The snapshots of one vault file, one at a time. */
export interface FileSnapshots {
  /**
   * Throws CONFLICT while there is one, and what `freeze` throws: after that nothing may write to the file before
   * `thaw`, which is called once, when the snapshot ends in whatever way.
   */
  take(freeze: () => void, thaw: () => void): StoreSnapshot;
  /** Ends the snapshot that there is; `why` is what its readers are told, and `hint` what they can do. */
  end(why: string, hint?: string): void;
  /** Whether there is one. */
  isTaken(): boolean;
  /** Lets go of the file, after the database's own descriptor is closed. */
  close(): void;
}

interface Present {
  ended: HushError | undefined;
  readonly thaw: () => void;
}

/**
 * Reads a database's file beside SQLite, which holds it open; `label` names it in errors. The descriptor stays open
 * until `close`: to close any descriptor of a file drops all locks that this process has on it (fcntl(2)), SQLite's too.
 */
export function createFileSnapshots(path: string, label: string): FileSnapshots {
  let file: HeldFile | undefined;
  let present: Present | undefined;

  const end = (why: string, hint = 'take the backup again'): void => {
    if (present === undefined) return;
    const { thaw } = present;
    present.ended = new HushError('CONFLICT', why, { hint });
    present = undefined;
    thaw();
  };

  return {
    take(freeze, thaw) {
      if (present !== undefined) throw new HushError('CONFLICT', `${label} is being copied already`);
      const held = (file ??= holdFile(openSafeFile(path, constants.O_RDONLY), label));
      freeze();
      const own: Present = { ended: undefined, thaw };
      present = own;
      const requireCurrent = (): void => {
        if (own.ended !== undefined) throw own.ended;
      };
      return {
        size: held.size(),
        async read(bytes, offset) {
          requireCurrent();
          await held.read(bytes, offset);
          // What was read after the end may be of another moment.
          requireCurrent();
        },
        ended: () => own.ended,
        end: () => {
          if (present === own) end('the copying has ended');
        },
      };
    },
    end,
    isTaken: () => present !== undefined,
    close() {
      file?.release();
    },
  };
}
