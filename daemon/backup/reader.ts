import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { HushError } from '../../protocol/errors.ts';
import { diskError, errnoOf } from '../home/disk-errors.ts';
import { equalBytes, newBytes } from '../memory/plain-bytes.ts';
import { hexOf } from '../keys/text.ts';
import {
  type BackedUpFile,
  type Head,
  lastLineBytes,
  mostHeadBytes,
  parseHead,
  parseLastLine,
  sizeOf,
} from './container.ts';

/** The file of a backup whose head fits its size; nothing else of it has been looked at. */
export interface BackupFile {
  readonly head: Head;
  /** In bytes. */
  readonly size: number;
  /**
   * Reads the whole file once and gives each file in it, in their order, piece by piece to `take` with its place in
   * that file; `progress` is told the bytes read so far. Pieces are valid until `take` has ended. Answers the checksum
   * of the whole, in hex. Throws DAMAGED when a checksum is wrong, INTEGRITY when that of the whole is right and that
   * of a file in it is not, UNAVAILABLE, and what `take` throws.
   */
  readAll(take?: TakePiece, progress?: (bytes: number) => void): Promise<string>;
  /** The bytes of one of the small files in it, which no checksum has proved. Throws DAMAGED over `most` bytes. */
  read(file: BackedUpFile, most: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Takes a piece of one of the files in a backup. */
export type TakePiece = (file: BackedUpFile, piece: Uint8Array, offset: number) => void;

const pieceBytes = 256 * 1024;

/**
 * Opens the file of a backup. Throws DAMAGED when it is none, is cut off or goes on too long; NEWER_FORMAT; BAD_REQUEST
 * when there is no such file or it is no regular one; UNAVAILABLE.
 */
export async function openBackup(path: string): Promise<BackupFile> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    const head = parseHead(await readAt(file, newBytes(Math.min(size, mostHeadBytes)), 0));
    const wanted = sizeOf(head);
    if (size !== wanted) {
      const what = size < wanted ? 'cut off' : 'followed by something else';
      throw new HushError('DAMAGED', `the backup is ${what}: it has ${size} bytes, and not ${wanted}`, {
        hint: 'copy it anew, or take another backup',
      });
    }
    return {
      head,
      size,
      readAll: (take = () => undefined, progress = () => undefined) =>
        named(path, () => readAll(file, head, take, progress)),
      read: (wanted, most) => named(path, () => readOne(file, head, wanted, most)),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw diskError(`cannot read ${path}`, error);
  }
}

async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await named(path, () => open(path, constants.O_RDONLY | constants.O_NONBLOCK)).catch(
    (error: unknown) => {
      if (!(error instanceof HushError) || errnoOf(error.cause) !== 'ENOENT') throw error;
      throw new HushError('BAD_REQUEST', `there is no file ${path}`, { hint: 'hush help backup' });
    },
  );
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new HushError('BAD_REQUEST', `${path} is not a regular file`, { hint: 'hush help backup' });
}

async function named<Result>(path: string, step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    throw diskError(`cannot read ${path}`, error);
  }
}

async function readAll(
  file: FileHandle,
  head: Head,
  take: TakePiece,
  progress: (bytes: number) => void,
): Promise<string> {
  const whole = createHash('sha256');
  const buffer = newBytes(pieceBytes);
  let position = 0;
  let wrong: BackedUpFile | undefined;

  async function next(length: number): Promise<Uint8Array> {
    const piece = await readAt(file, buffer.subarray(0, Math.min(length, pieceBytes)), position);
    whole.update(piece);
    position += piece.length;
    progress(position);
    return piece;
  }

  while (position < head.length) await next(head.length - position);
  for (const listed of head.manifest.files) {
    const own = createHash('sha256');
    for (let offset = 0; offset < listed.size;) {
      const piece = await next(listed.size - offset);
      own.update(piece);
      take(listed, piece, offset);
      offset += piece.length;
    }
    if (own.digest('hex') !== listed.sha256) wrong ??= listed;
  }
  const said = parseLastLine(await readAt(file, buffer.subarray(0, lastLineBytes), position));
  const isWhole = said !== undefined && equalBytes(said, whole.digest());
  progress(position + lastLineBytes);
  if (wrong === undefined && isWhole) return hexOf(said);
  const part = wrong === undefined ? 'the backup' : `${wrong.name} in the backup`;
  throw isWhole
    ? new HushError('INTEGRITY', `${part} was tampered with: it is not what the manifest says`, {
        hint: 'restore from another backup',
      })
    : new HushError('DAMAGED', `${part} is damaged: its checksum is wrong`, {
        hint: 'copy it anew, or restore from another backup',
      });
}

async function readOne(
  file: FileHandle,
  head: Head,
  wanted: BackedUpFile,
  most: number,
): Promise<Uint8Array> {
  const { files } = head.manifest;
  if (wanted.size > most) throw new HushError('DAMAGED', `${wanted.name} in the backup is far too long`);
  const before = files.slice(0, files.indexOf(wanted)).reduce((sum, { size }) => sum + size, head.length);
  return readAt(file, newBytes(wanted.size), before);
}

/** Fills the bytes from a place in the file. Throws DAMAGED when the file ends before. */
async function readAt(
  file: FileHandle,
  bytes: Uint8Array<ArrayBuffer>,
  position: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new HushError('DAMAGED', 'the backup became shorter while it was read');
    done += bytesRead;
  }
  return bytes;
}
