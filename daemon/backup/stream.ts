import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { HushError } from '../../protocol/errors.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import {
  type BackedUpFile,
  lastLineBytes,
  type Manifest,
  serialiseHead,
  serialiseLastLine,
} from './container.ts';

/** One file of a profile as it stood at one moment. */
export interface Source extends Pick<BackedUpFile, 'part' | 'name' | 'size'> {
  /** Fills the bytes from a place in the file. Throws what ends the backup. */
  read(bytes: Uint8Array, offset: number): Promise<void>;
}

/** A backup that is read from its beginning to its end; nothing of it lies on a disk. */
export interface BackupStream {
  /** In bytes. */
  readonly size: number;
  /** The bytes at an offset, fewer at the end. Throws BAD_REQUEST for one that nothing before has been read up to. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Whether all of it has been read. */
  isComplete(): boolean;
}

/** What is hashed or read in one turn: more would keep others waiting for more than a tenth of a millisecond. */
const sliceBytes = 64 * 1024;

/** The backup of these files, once each of them has been read and hashed for the manifest. Throws what reading throws. */
export async function streamOf(
  sources: readonly Source[],
  facts: Omit<Manifest, 'files'>,
  macOf: (signed: Uint8Array) => Uint8Array,
): Promise<BackupStream> {
  const files: BackedUpFile[] = [];
  for (const source of sources) {
    const { part, name, size } = source;
    files.push({ part, name, size, sha256: await hashOf(source) });
  }
  const head = serialiseHead({ ...facts, files }, macOf);
  return streamBehind(head, sources);
}

async function hashOf(source: Source): Promise<string> {
  const hash = createHash('sha256');
  const buffer = newBytes(sliceBytes);
  for (let offset = 0; offset < source.size; offset += sliceBytes) {
    const slice = buffer.subarray(0, Math.min(sliceBytes, source.size - offset));
    await source.read(slice, offset);
    hash.update(slice);
    await nextTurn();
  }
  return hash.digest('hex');
}

type Segment = Pick<Source, 'size' | 'read'>;

function streamBehind(head: Uint8Array, sources: readonly Source[]): BackupStream {
  const segments: readonly Segment[] = [memorySegment(() => head, head.length), ...sources];
  const hashed = segments.reduce((sum, { size }) => sum + size, 0);
  const total = hashed + lastLineBytes;
  const whole: Hash = createHash('sha256');
  /** Everything before this has been read at least once, and is in the hash as far as that goes. */
  let reached = 0;
  let lastLine: Uint8Array | undefined;
  const all = [
    ...segments,
    memorySegment(() => (lastLine ??= serialiseLastLine(whole.digest())), lastLineBytes),
  ];
  let turn: Promise<unknown> = Promise.resolve();

  async function fill(bytes: Uint8Array, offset: number): Promise<void> {
    let start = 0;
    for (const segment of all) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + bytes.length, start + segment.size);
      if (from < to) await segment.read(bytes.subarray(from - offset, to - offset), from - start);
      start += segment.size;
    }
  }

  async function readNow(offset: number, length: number): Promise<Uint8Array> {
    if (offset > reached || offset > total) {
      throw new HushError('BAD_REQUEST', `offset: the backup has been read up to ${reached} only`);
    }
    const bytes = newBytes(Math.min(length, total - offset));
    for (let done = 0; done < bytes.length;) {
      const at = offset + done;
      // The last line is made once all before it has been hashed, so no slice reaches over its beginning.
      const end = at < hashed ? Math.min(at + sliceBytes, hashed) : total;
      const slice = bytes.subarray(done, Math.min(bytes.length, done + end - at));
      await fill(slice, at);
      const fresh = slice.subarray(Math.max(0, reached - at), Math.max(0, hashed - at));
      if (fresh.length > 0) whole.update(fresh);
      reached = Math.max(reached, at + slice.length);
      done += slice.length;
      await nextTurn();
    }
    return bytes;
  }

  return {
    size: total,
    read(offset, length) {
      // One at a time, in the order they came: a client may ask for the next bytes before it has these.
      const read = turn.then(() => readNow(offset, length));
      turn = read.catch(() => undefined);
      return read;
    },
    isComplete: () => reached === total,
  };
}

/** A part of the stream that is made when it is first read. */
const memorySegment = (bytesOf: () => Uint8Array, size: number): Segment => ({
  size,
  read(bytes, offset) {
    bytes.set(bytesOf().subarray(offset, offset + bytes.length));
    return Promise.resolve();
  },
});

/** A file of a profile that is in memory. */
export const memorySource = (part: Source['part'], name: string, bytes: Uint8Array): Source => ({
  part,
  name,
  ...memorySegment(() => bytes, bytes.length),
});
