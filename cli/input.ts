import { read } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { HushError } from '../protocol/errors.ts';
import { newBytes } from '../protocol/bytes.ts';

const standardInput = 0;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * All bytes of standard input up to its end, exactly as they came; the caller wipes them.
 * Throws TOO_LARGE as soon as there are more than `maxBytes`.
 */
export async function readInput(maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  return exactly(await readAll(maxBytes));
}

/** Standard input, line by line. Nobody else may read it meanwhile. */
export interface Lines {
  /**
   * The next line without its one LF or CRLF, which the caller wipes; undefined at the end. Throws TOO_LARGE for a line
   * that is too long.
   */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Wipes what was read and not asked for. */
  close(): void;
}

/** Opens standard input for lines of at most `maxBytes`. */
export function openLines(maxBytes: number): Lines {
  const bytes = newBytes(maxBytes + 2);
  let length = 0;
  let ended = false;

  /** Takes the line of `end` bytes off the front, with what ends it. */
  const take = (end: number, next: number): Uint8Array<ArrayBuffer> => {
    if (end > maxBytes) throw tooLarge(maxBytes);
    const line = newBytes(end);
    line.set(bytes.subarray(0, end));
    bytes.copyWithin(0, next, length);
    bytes.fill(0, length - next, length);
    length -= next;
    return line;
  };

  return {
    async next() {
      for (;;) {
        const feed = bytes.subarray(0, length).indexOf(lineFeed);
        if (feed >= 0) return take(bytes[feed - 1] === carriageReturn ? feed - 1 : feed, feed + 1);
        if (length === bytes.length) throw tooLarge(maxBytes);
        if (ended) return length === 0 ? undefined : take(length, length);
        const count = await readSome(bytes, length);
        ended = count === 0;
        length += count;
      }
    },
    close() {
      bytes.fill(0);
      length = 0;
      ended = true;
    },
  };
}

interface Filled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
}

async function readAll(maxBytes: number): Promise<Filled> {
  let bytes = newBytes(Math.min(maxBytes + 1, 64 * 1024));
  let length = 0;
  for (;;) {
    const count = await readSome(bytes, length);
    length += count;
    if (count === 0) return { bytes, length };
    if (length > maxBytes) {
      bytes.fill(0);
      throw tooLarge(maxBytes);
    }
    if (length === bytes.length) bytes = grown(bytes, Math.min(maxBytes + 1, length * 2));
  }
}

/** Reads into our own memory: the chunks of `process.stdin` would be copies that nobody wipes. */
export function readSome(bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(standardInput, bytes, offset, bytes.length - offset, null, (error, count) => {
      if (error === null) resolve(count);
      // Another process set the pipe that we share to non-blocking. Node has no event for a bare descriptor.
      else if (error.code === 'EAGAIN')
        void wait(10)
          .then(() => readSome(bytes, offset))
          .then(resolve, reject);
      else if (error.code === 'EOF') resolve(0);
      else
        reject(
          new HushError('UNAVAILABLE', `cannot read standard input: ${error.message}`, { cause: error }),
        );
    });
  });
}

function grown(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const larger = newBytes(size);
  larger.set(bytes);
  bytes.fill(0);
  return larger;
}

function exactly({ bytes, length }: Filled): Uint8Array<ArrayBuffer> {
  const exact = newBytes(length);
  exact.set(bytes.subarray(0, length));
  bytes.fill(0);
  return exact;
}

function tooLarge(maxBytes: number): HushError {
  return new HushError('TOO_LARGE', `standard input holds more than ${maxBytes} bytes`);
}
