import { open, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { diskError, errnoOf } from '../daemon/home/disk-errors.ts';
import { HushError } from '../protocol/errors.ts';
import { parseSecretPath } from '../protocol/names.ts';
import type { ParamsOf } from '../protocol/operations.ts';
import { shapeFault } from '../protocol/shape-fault.ts';

/** A row of `secret.importLegacy`. */
type LegacyRow = ParamsOf<'secret.importLegacy'>['rows'][number];

/** One line of a file of legacy values. */
export interface LegacyLine {
  /** The first is 1. */
  readonly number: number;
  readonly row: LegacyRow;
}

const nonceBytes = 12;
const tagBytes = 16;

const line = z.strictObject({
  path: z.string(),
  keyVersion: z.null().optional(),
  nonce: z.string().optional(),
  iv: z.string().optional(),
  ciphertext: z.string(),
  createdAt: z.iso.datetime({ offset: true }).optional(),
});

/**
 * The lines of a file of legacy values, some at a time: at most so many, and of so many bytes. Blank lines are passed
 * over. Throws BAD_REQUEST or INVALID_NAME with the number of a line that is none, CONFLICT for a path that comes twice,
 * UNAVAILABLE when the file cannot be read.
 */
export async function* legacyLines(
  file: string,
  most: { readonly lines: number; readonly bytes: number },
): AsyncGenerator<readonly LegacyLine[], void> {
  const paths = new Map<string, number>();
  let chunk: LegacyLine[] = [];
  let bytes = 0;
  let number = 0;
  for await (const text of linesOf(file)) {
    number++;
    if (text.trim() === '') continue;
    const row = at(number, () => parseLegacyLine(text));
    const before = paths.get(row.path);
    if (before !== undefined)
      throw new HushError('CONFLICT', `line ${number}: its path stands on line ${before} already`, {
        hint: 'leave one of the two lines away',
      });
    paths.set(row.path, number);
    const size = row.ciphertext.length + row.path.length;
    if (chunk.length >= most.lines || (chunk.length > 0 && bytes + size > most.bytes)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push({ number, row });
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

async function* linesOf(file: string): AsyncGenerator<string, void> {
  let handle: FileHandle;
  try {
    handle = await open(file);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(`cannot read ${file}`, error);
    throw new HushError('BAD_REQUEST', `there is no file ${file}`, { hint: 'hush help import' });
  }
  try {
    yield* handle.readLines();
  } catch (error) {
    throw diskError(`cannot read ${file}`, error);
  } finally {
    await handle.close();
  }
}

/** The row that a line of JSON is. Throws BAD_REQUEST, INVALID_NAME; the message repeats nothing of the line. */
export function parseLegacyLine(text: string): LegacyRow {
  const parsed = line.safeParse(jsonOf(text));
  if (!parsed.success) {
    if (parsed.error.issues[0]?.path[0] === 'keyVersion') {
      throw bad('keyVersion is not null: a data key sealed it, and not the master key');
    }
    throw bad(shapeFault(parsed.error, 'row'));
  }
  const { path, nonce, iv, ciphertext, createdAt } = parsed.data;
  if ((nonce === undefined) === (iv === undefined)) throw bad('it needs one of nonce and iv');
  const bytes = bytesOf('nonce', nonce ?? iv ?? '');
  if (bytes.length !== nonceBytes) throw bad(`the nonce has ${bytes.length} bytes, and not ${nonceBytes}`);
  const sealed = bytesOf('ciphertext', ciphertext);
  if (sealed.length < tagBytes) throw bad(`the ciphertext is shorter than its tag of ${tagBytes} bytes`);
  return {
    path: parseSecretPath(path).text,
    nonce: bytes,
    ciphertext: sealed,
    ...(createdAt === undefined ? {} : { createdAt: new Date(createdAt).toISOString() }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad('it is not JSON');
  }
}

function bytesOf(name: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw bad(`${name} is not base64`);
}

const bad = (message: string): HushError =>
  new HushError('BAD_REQUEST', message, { hint: 'see "Legacy values" in docs/formats.md' });

/** Runs a step about one line; its error names the line. */
function at<Result>(number: number, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    throw ofLine(number, error);
  }
}

/** The error with the number of the line that it is about. */
export const ofLine = (
  number: number,
  { code, message, hint }: Pick<HushError, 'code' | 'message' | 'hint'>,
): HushError => new HushError(code, `line ${number}: ${message}`, { hint });
