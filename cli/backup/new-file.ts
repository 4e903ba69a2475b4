import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { diskError, errnoOf } from '../../daemon/home/disk-errors.ts';
import { syncFolder } from '../../daemon/home/files.ts';
import { renameIfFree } from '../../native/rename.ts';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';

/** A file that has its name only once it is whole and on the disk. */
export interface NewFile {
  /** Where it is until then: a hidden name in the same folder. */
  readonly temporary: string;
  /** Appends. Throws UNAVAILABLE. */
  write(bytes: Uint8Array): void;
  /** Puts all that was written on the disk. Throws UNAVAILABLE. */
  sync(): void;
  /** Gives it its name. Throws EXISTS when something has that name and may not be replaced, UNAVAILABLE. */
  keep(): void;
  /** Removes it, unless it was kept. Further calls do nothing. */
  discard(): void;
}

/**
 * Begins the file `path`, which nobody else can read (mode 0600). Throws EXISTS when there is something of that name and
 * `force` is not given, or what is there is no regular file; UNAVAILABLE.
 */
export function createNewFile(path: string, { force }: { readonly force: boolean }): NewFile {
  refuseTaken(path, force);
  const folder = dirname(path);
  if (!existsSync(folder)) {
    throw new HushError('UNAVAILABLE', `cannot write ${path}: there is no folder ${folder}`, {
      hint: `mkdir -p ${shellWord(folder)}`,
    });
  }
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const attempt = <Result>(step: () => Result): Result => {
    try {
      return step();
    } catch (error) {
      throw diskError(`cannot write ${path}`, error, `ls -ld ${shellWord(folder)}`);
    }
  };
  const fd = attempt(() => openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  let isOpen = true;
  let isThere = true;

  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    closeSync(fd);
  };

  return {
    temporary,
    write: (bytes) =>
      attempt(() => {
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      }),
    sync: () => attempt(() => fsyncSync(fd)),
    keep() {
      attempt(close);
      refuseTaken(path, force);
      attempt(() => {
        if (force || !renameIfFree(temporary, path)) renameSync(temporary, path);
        isThere = false;
        syncFolder(folder);
      });
    },
    discard() {
      close();
      if (!isThere) return;
      isThere = false;
      try {
        unlinkSync(temporary);
      } catch (error) {
        // A disk that does not even let it be removed has ended the command with an error of its own.
        if (errnoOf(error) === undefined) throw error;
      }
    },
  };
}

function refuseTaken(path: string, force: boolean): void {
  const found = named(path);
  if (found === undefined || (force && found.isFile())) return;
  if (found.isDirectory()) {
    throw new HushError('EXISTS', `${path} is a folder`, { hint: 'name a file in it' });
  }
  throw new HushError('EXISTS', `${path} exists already`, {
    hint: found.isFile() ? 'name another file, or replace it with --force' : 'name another file',
  });
}

/** What has the name that a new file is to have, if anything has. Throws UNAVAILABLE. */
export function named(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw diskError(`cannot write ${path}`, error, `ls -ld ${shellWord(dirname(path))}`);
  }
}
