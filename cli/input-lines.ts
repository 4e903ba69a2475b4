import { setTimeout as delay } from 'node:timers/promises';
import { isReadable } from '../native/stream-socket.ts';
import { newBytes } from '../protocol/bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { readSome } from './input.ts';

/** One line of standard input without its LF or CRLF, or why it cannot be read. */
export interface InputLine {
  /** The first is 1. */
  readonly number: number;
  readonly text: string;
  readonly error?: HushError;
}

/** The longest line that is read: the largest message of the daemon that can be configured. */
const mostBytes = 64 * 1024 * 1024;
const readBytes = 32 * 1024;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const standardInput = 0;
/** Node has no event for a bare descriptor. */
const lookMs = 10;

/** The lines of standard input, those of one read together, so that whoever waits for an answer gets it. Not for secrets. */
export async function* inputLines(): AsyncGenerator<readonly InputLine[], void> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let buffer = newBytes(readBytes);
  let length = 0;
  let number = 0;
  /** Whether the line that is being read is too long already. */
  let skipping = false;

  const lineOf = (bytes: Uint8Array): InputLine => {
    number++;
    if (skipping) {
      skipping = false;
      const error = new HushError('TOO_LARGE', `it has more than ${mostBytes} bytes`);
      return { number, text: '', error };
    }
    try {
      return {
        number,
        text: decoder.decode(bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes),
      };
    } catch {
      return { number, text: '', error: new HushError('BAD_REQUEST', 'it is not UTF-8') };
    }
  };

  for (;;) {
    // A read that waits could not be given up: Node ends no process before it.
    while (!isReadable(standardInput)) await delay(lookMs);
    const count = await readSome(buffer, length);
    const end = length + count;
    const lines: InputLine[] = [];
    let start = 0;
    for (;;) {
      const feed = buffer.subarray(0, end).indexOf(lineFeed, Math.max(start, length));
      if (feed < 0) break;
      lines.push(lineOf(buffer.subarray(start, feed)));
      start = feed + 1;
    }
    buffer.copyWithin(0, start, end);
    length = end - start;
    // The last line may end without its LF.
    if (count === 0 && (length > 0 || skipping)) lines.push(lineOf(buffer.subarray(0, length)));
    if (lines.length > 0) yield lines;
    if (count === 0) return;
    if (length > mostBytes || skipping) {
      skipping = true;
      length = 0;
    }
    if (length === buffer.length) buffer = grown(buffer);
    else if (length < readBytes && buffer.length > readBytes) buffer = shrunk(buffer, length);
  }
}

function grown(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = newBytes(buffer.length * 2);
  larger.set(buffer);
  return larger;
}

/** A long line does not keep its memory for all that follow. */
function shrunk(buffer: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const smaller = newBytes(readBytes);
  smaller.set(buffer.subarray(0, length));
  return smaller;
}
