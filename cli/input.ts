import { read } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { HushError } from '../protocol/errors.ts';
import { newBytes } from '../daemon/memory/plain-bytes.ts';

const standardInput = 0;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * All bytes of standard input up to its end, exactly as they came; the caller wipes them.
 * Throws TOO_LARGE as soon as there are more than `maxBytes`.
 */
export async function readInput(maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  return exactly(await readUntil(maxBytes, () => false));
}

/**
 * The first line of standard input without its one LF or CRLF; the caller wipes it. What follows is not read on.
 * Throws TOO_LARGE for a line of more than `maxBytes`.
 */
export async function readLine(maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes, length } = await readUntil(maxBytes + 2, (chunk) => chunk.includes(lineFeed));
  const feed = bytes.subarray(0, length).indexOf(lineFeed);
  let end = feed < 0 ? length : feed;
  if (feed > 0 && bytes[feed - 1] === carriageReturn) end--;
  bytes.fill(0, end);
  if (end > maxBytes) throw tooLarge(maxBytes);
  return exactly({ bytes, length: end });
}

interface Filled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
}

async function readUntil(maxBytes: number, isLast: (chunk: Uint8Array) => boolean): Promise<Filled> {
  let bytes = newBytes(Math.min(maxBytes + 1, 64 * 1024));
  let length = 0;
  for (;;) {
    const count = await readSome(bytes, length);
    const chunk = bytes.subarray(length, length + count);
    length += count;
    if (count === 0 || isLast(chunk)) return { bytes, length };
    if (length > maxBytes) {
      bytes.fill(0);
      throw tooLarge(maxBytes);
    }
    if (length === bytes.length) bytes = grown(bytes, Math.min(maxBytes + 1, length * 2));
  }
}

/** Reads into our own memory: the chunks of `process.stdin` would be copies that nobody wipes. */
function readSome(bytes: Uint8Array, offset: number): Promise<number> {
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
