/*
 * The voice of `hush`.
 * - Standard output holds what was asked for, one fact a line, and nothing else.
 * - Standard error holds all the rest, each line marked: `hush: error: …`, then `hush: hint: …` with the next
 *   command to type; `hush: note: …` for what is good to know, unless `--quiet`. Lower case, no full stop.
 * - With `--json`, standard output is one line of JSON, and an error one line of JSON on standard error.
 * - Whatever comes from a store, a file or another process is made inert before a terminal sees it.
 * - Colour marks what is wrong and what to type, on a terminal alone.
 */
import { writeSync } from 'node:fs';
import { errorTable, HushError, reportOf } from '../protocol/errors.ts';
import { printable, printableJson } from '../protocol/printable.ts';
import { paintFor, plain, type Paint } from './colour.ts';
import { forProfile } from './hints.ts';
import { isGiven } from './switches.ts';

/** Where a command writes; each method resolves when the bytes have left the process. */
export interface Output {
  /** Whether `--json` was given. */
  readonly json: boolean;
  /**
   * The facts that a command prints: `json` as it stands with `--json`, else the lines, each of which `tint` may colour
   * once it is inert.
   */
  facts(json: object, lines: readonly string[], tint?: Tint): Promise<void>;
  /** Exactly these bytes on standard output. */
  bytes(bytes: Uint8Array): Promise<void>;
  /** A line on standard error that is no error; silent with `--json` and `--quiet`. */
  note(text: string): Promise<void>;
}

/** Gives parts of a line colours. */
export type Tint = (line: string, paint: Paint) => string;

/** The exit code of a process whose reader went away: 128 + SIGPIPE, as a shell shows it. */
const brokenPipe = 141;

/** The output of this process. */
export function createOutput(json: boolean, quiet: boolean = isGiven('--quiet')): Output {
  return {
    json,
    facts: (facts, lines, tint = (line) => line) => {
      const paint = paintFor(process.stdout);
      const text = lines.map((line) => `${tint(printable(line), paint)}\n`).join('');
      return write(standardOutput, json ? `${printableJson(facts)}\n` : text);
    },
    bytes: (bytes) => write(standardOutput, bytes),
    note: (text) =>
      json || quiet ? Promise.resolve() : write(standardError, `hush: note: ${printable(text)}\n`),
  };
}

/**
 * Tells of an error on standard error and gives the exit code it stands for. An error that is not of the table is
 * one of ours that nobody foresaw: it is told as UNAVAILABLE. `profile` is the one that the command line named, if it did.
 * Where standard error takes nothing the exit code alone tells it: this never rejects.
 */
export async function reportError(error: unknown, json: boolean, profile?: string): Promise<number> {
  if (isBrokenPipe(error)) return brokenPipe;
  const known = inProfile(error instanceof HushError ? error : await unforeseen(error), profile);
  const text = json ? jsonOf(known) : textOf(known, paintFor(process.stderr));
  await write(standardError, text).catch(() => undefined);
  return errorTable[known.code].exit;
}

/** The error with a hint for who named that profile; one that has none has that of its code. */
function inProfile(error: HushError, profile: string | undefined): HushError {
  const hint = forProfile(error.hint || errorTable[error.code].hint, profile);
  return hint === error.hint ? error : withHint(error, hint);
}

/** The error with another hint. */
export function withHint(error: HushError, hint: string): HushError {
  const { code, message, retryAfterMs, limit, approval } = error;
  return new HushError(code, message, {
    hint,
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(limit === undefined ? {} : { limit }),
    ...(approval === undefined ? {} : { approval }),
  });
}

/** The lines that tell of an error. */
export function textOf(error: HushError, paint: Paint = plain): string {
  const lines = [`${paint('red', 'hush: error:')} ${printable(sentenceOf(error))}`];
  if (error.hint !== '') lines.push(`${paint('cyan', 'hush: hint:')} ${printable(error.hint)}`);
  return `${lines.join('\n')}\n`;
}

function jsonOf(error: HushError): string {
  return `${printableJson({ error: reportOf(error) })}\n`;
}

function sentenceOf(error: HushError): string {
  // To ask again is no use before somebody has decided.
  if (error.retryAfterMs === undefined || error.code === 'APPROVAL_PENDING') return error.message;
  return `${error.message}; it may pass in ${secondsOf(error.retryAfterMs)}`;
}

function secondsOf(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 100) / 10;
  return `${seconds} s`;
}

async function unforeseen(error: unknown): Promise<HushError> {
  const { diskError } = await import('../daemon/home/disk-errors.ts');
  const message = error instanceof Error ? error.message : String(error);
  const { hint } = diskError('', error);
  return new HushError('UNAVAILABLE', message === '' ? 'something unforeseen went wrong' : message, {
    hint,
    cause: error,
  });
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/**
 * Lets a command go on whose reader has gone: that is met where a write is awaited, and without a listener it would end
 * the process first. Not for commands that write by an `Output` alone: the streams take longer to make than they take.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    if (stream.listenerCount('error') === 0) stream.on('error', () => undefined);
}

const standardOutput = 1;
const standardError = 2;

/** Writes all of it before it returns, as Node's streams do with files, pipes and terminals. */
async function write(fd: number, content: string | Uint8Array): Promise<void> {
  // With `--json` a value is text; a Buffer made of it would leave a copy in Buffer's pool.
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(fd, bytes, at);
  } catch (error) {
    // Another process set the pipe that we share to non-blocking: Node's streams can wait for room in it.
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    await writeToStream(fd === standardOutput ? process.stdout : process.stderr, bytes.subarray(at));
  }
}

function writeToStream(stream: NodeJS.WriteStream, content: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.write(content, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
