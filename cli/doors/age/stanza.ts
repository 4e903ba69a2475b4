import { concatBytes, wipe } from '../../../protocol/bytes.ts';
import { HushError } from '../../../protocol/errors.ts';
import type { Lines } from '../../input.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';

/** A stanza as age's plugins speak it (C2SP age-plugin): `-> TYPE ARGUMENT…`, then a body in base64. */
export interface Stanza {
  readonly type: string;
  readonly args: readonly string[];
  /** The caller's to wipe. */
  readonly body: Uint8Array;
}

/** The longest line that is read; a body has lines of 64. */
export const longestLine = 16 * 1024;

const startedByAge = 'age starts this program itself: age -d -i FILE';
const columns = 64;
const mostBodyLines = 4096;
const headPattern = /^-> [!-~]+(?: [!-~]+)*$/;
const encoder = new TextEncoder();

/** The next stanza; undefined where there is none any more. Throws BAD_REQUEST for what is none, TOO_LARGE. */
export async function readStanza(lines: Lines): Promise<Stanza | undefined> {
  const first = await nextLine(lines);
  if (first === undefined) return undefined;
  const head = String.fromCharCode(...first);
  if (!headPattern.test(head)) throw notAStanza('a line that should begin one with -> does not');
  const [type = '', ...args] = head.slice('-> '.length).split(' ');
  return { type, args, body: await readBody(lines) };
}

async function nextLine(lines: Lines): Promise<Uint8Array | undefined> {
  try {
    return await lines.next();
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'TOO_LARGE')) throw error;
    throw tooLong(`a line of the input is longer than ${longestLine} bytes`);
  }
}

/** The body: full lines, then one that is not full, which may be empty. */
async function readBody(lines: Lines): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  try {
    for (;;) {
      const line = await nextLine(lines);
      if (line === undefined) throw notAStanza('the input ends within one');
      const part = line.length > columns ? undefined : decodeBase64(line);
      const isLast = line.length < columns;
      wipe(line);
      if (part === undefined) throw notAStanza('its body is not base64 in lines of 64');
      parts.push(part);
      if (isLast) return concatBytes(...parts);
      if (parts.length > mostBodyLines) throw tooLong(`a stanza is longer than ${mostBodyLines} lines`);
    }
  } finally {
    wipe(...parts);
  }
}

/** The text of a stanza, which the caller wipes where its body is secret. */
export function stanzaText({ type, args, body }: Stanza): Uint8Array<ArrayBuffer> {
  const digits = encodeBase64(body);
  const feed = encoder.encode('\n');
  // A last line that is not full shows where the body ends; after a full one it is empty.
  const count = Math.floor(digits.length / columns) + 1;
  const lines = Array.from({ length: count }, (_, at) => digits.subarray(at * columns, (at + 1) * columns));
  try {
    return concatBytes(
      encoder.encode(`-> ${[type, ...args].join(' ')}\n`),
      ...lines.flatMap((line) => [line, feed]),
    );
  } finally {
    wipe(digits);
  }
}

const notAStanza = (why: string): HushError =>
  new HushError('BAD_REQUEST', `the input is no stanza of age: ${why}`, {
    hint: startedByAge,
  });

const tooLong = (what: string): HushError => new HushError('TOO_LARGE', what, { hint: startedByAge });
