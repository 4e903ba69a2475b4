import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { diskError, errnoOf } from '../../daemon/home/disk-errors.ts';
import { syncFolder } from '../../daemon/home/files.ts';
import { readAcl, writeAcl } from '../../native/acl.ts';
import { exchangeNames } from '../../native/rename.ts';
import { newBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { createNewFile } from '../backup/new-file.ts';
import { withHint } from '../output.ts';

/** The largest file that is edited, in bytes. */
const mostEditedBytes = 4 * 1024 * 1024;

/** A file as it was when it was read. */
export interface EditedFile {
  readonly path: string;
  /** The caller's to wipe. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly facts: Stats;
  /** Its access control list; undefined where it has none. */
  readonly acl: Uint8Array | undefined;
}

/**
 * Reads a file that is to be edited. Throws UNSAFE_MODE for a symbolic link and for a file with a second name, which
 * would keep the old content; BAD_REQUEST for what is no regular file; UNAVAILABLE for a read-only one and for one that
 * cannot be read; TOO_LARGE.
 */
export function readForEdit(path: string): EditedFile {
  refuse(path);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
  const fd = attempt(`cannot read ${path}`, path, () =>
    openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY),
  );
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw new HushError('BAD_REQUEST', `${path} is no regular file`);
    if (facts.size > mostEditedBytes) {
      throw new HushError('TOO_LARGE', `${path} is larger than ${mostEditedBytes} bytes`, {
        hint: 'edit it by hand: hush set, then the reference in place of the value',
      });
    }
    const acl = readAcl(fd);
    const bytes = attempt(`cannot read ${path}`, path, () => contentOf(fd, facts.size));
    return { path, bytes, facts, acl };
  } finally {
    closeSync(fd);
  }
}

function refuse(path: string): void {
  const found = attempt(`cannot read ${path}`, path, () => lstatSync(path));
  if (found.isSymbolicLink()) {
    throw new HushError('UNSAFE_MODE', `${path} is a symbolic link, and an edit would take its place`, {
      hint: targetOf(path),
    });
  }
  if (!found.isFile()) {
    throw new HushError('BAD_REQUEST', `${path} is no regular file`, { hint: 'hush help configure' });
  }
  if (found.nlink > 1) {
    throw new HushError('UNSAFE_MODE', `${path} has another name too, which would keep the value`, {
      hint: `find the other hard link, and remove it: find . -samefile ${shellWord(path)}`,
    });
  }
  if ((found.mode & 0o444) !== 0 && (found.mode & 0o222) === 0) {
    throw new HushError('UNAVAILABLE', `${path} is read-only`, { hint: `chmod u+w ${shellWord(path)}` });
  }
}

function targetOf(path: string): string {
  try {
    return `name the file itself: ${shellWord(realpathSync(path))}`;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return 'it points to nothing';
  }
}

/** A new content of a file, on the disk beside it, that is not the file's yet. */
export interface NewContent {
  /**
   * Makes it the file's content in one step. Throws CONFLICT where the file is not what it was when it was read, and
   * UNAVAILABLE: in both cases the file is left as it is found.
   */
  take(): void;
  /** Removes it, unless it was taken. Further calls do nothing. */
  discard(): void;
}

/** Writes new content beside the file, with the mode, the ACL and the owner of the file, and syncs it. Throws UNAVAILABLE. */
export function writeBeside(file: EditedFile, bytes: Uint8Array): NewContent {
  const { path, facts, acl } = file;
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const what = `cannot write ${path}`;
  const fd = attempt(what, dirname(path), () =>
    openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
  );
  let isThere = true;
  const discard = (): void => {
    if (!isThere) return;
    isThere = false;
    attempt(what, dirname(path), () => rmSync(temporary, { force: true }));
  };
  try {
    attempt(what, dirname(path), () => {
      const made = fstatSync(fd);
      if (made.uid !== facts.uid || made.gid !== facts.gid) fchownSync(fd, facts.uid, facts.gid);
      // Before the mode: without the list its bits for the group would be those of the list's mask.
      writeAcl(fd, acl);
      fchmodSync(fd, facts.mode & 0o7777);
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    });
  } catch (error) {
    discard();
    throw error;
  } finally {
    closeSync(fd);
  }
  return {
    take() {
      if (!isSame(path, file)) throw changed(path);
      // With the names exchanged, what was replaced is still there to be looked at: nobody's change is lost.
      if (exchanged(temporary, path)) {
        try {
          if (!isSame(temporary, file)) throw changed(path);
          attempt(what, dirname(path), () => unlinkSync(temporary));
        } catch (error) {
          exchangeNames(temporary, path);
          throw error;
        }
      } else {
        attempt(what, dirname(path), () => renameSync(temporary, path));
      }
      isThere = false;
      syncIfPossible(dirname(path));
    },
    discard,
  };
}

function exchanged(temporary: string, path: string): boolean {
  try {
    return exchangeNames(temporary, path);
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    throw new HushError(error.code, `cannot write ${path}: ${error.message}`, {
      hint: 'a file that is mounted by itself, as into a container, is edited where it comes from',
      cause: error,
    });
  }
}

/**
 * Makes the new content durable where the disk lets it. Else a power failure may bring the old file back, whose value is
 * in the vault by then too: nothing would be lost, and there is nothing to undo.
 */
function syncIfPossible(folder: string): void {
  try {
    syncFolder(folder);
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
  }
}

/** A copy of a file as it was. */
export interface Backup {
  /** Gives it its name, FILE.bak. Throws EXISTS, UNAVAILABLE. */
  keep(): void;
  /** Removes it while it has not that name. */
  discard(): void;
  /** Removes it, whether it has that name or not. Throws UNAVAILABLE. */
  remove(): void;
}

/** Copies a file as it was, with mode 0600. Throws EXISTS where FILE.bak is there already, UNAVAILABLE. */
export function backUp({ path, bytes }: EditedFile): Backup {
  const name = `${path}.bak`;
  // Its own hint speaks of `--force`, which is about the secret here.
  const unlessTaken = <Result>(step: () => Result): Result => {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof HushError && error.code === 'EXISTS')) throw error;
      throw withHint(error, 'move it away, then try again');
    }
  };
  const copy = unlessTaken(() => createNewFile(name, { force: false }));
  let isKept = false;
  try {
    copy.write(bytes);
    copy.sync();
  } catch (error) {
    copy.discard();
    throw error;
  }
  return {
    keep() {
      unlessTaken(() => copy.keep());
      isKept = true;
    },
    discard: copy.discard,
    remove() {
      if (isKept) attempt(`cannot remove ${name}`, name, () => rmSync(name, { force: true }));
      else copy.discard();
    },
  };
}

function isSame(path: string, { bytes, facts }: EditedFile): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.ino !== facts.ino || found.dev !== facts.dev || found.size !== bytes.length) return false;
  const fd = attempt(`cannot read ${path}`, path, () =>
    openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  try {
    const now = contentOf(fd, bytes.length);
    const same = Buffer.compare(now, bytes) === 0;
    now.fill(0);
    return same && found.mode === facts.mode && found.uid === facts.uid && found.gid === facts.gid;
  } finally {
    closeSync(fd);
  }
}

const changed = (path: string): HushError =>
  new HushError('CONFLICT', `${path} was changed meanwhile, and stays as it is`, {
    hint: 'look at it, then try again',
  });

/** The first `size` bytes of a file, which are all of it. Throws CONFLICT where it has less by now. */
function contentOf(fd: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = newBytes(size);
  let length = 0;
  while (length < size) {
    const count = readSync(fd, bytes, length, size - length, length);
    if (count === 0) break;
    length += count;
  }
  if (length < size) {
    bytes.fill(0);
    throw new HushError('CONFLICT', 'the file became shorter while it was read', { hint: 'try again' });
  }
  return bytes;
}

/** Runs a step; its error is `what`, and where to look is `place`. */
function attempt<Result>(what: string, place: string, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    throw diskError(what, error, `ls -ld ${shellWord(place)}`);
  }
}
