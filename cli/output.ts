/*
 * The voice of `hush`.
 * - Standard output holds what was asked for, one fact a line, and nothing else.
 * - Standard error holds all the rest, each line marked: `hush: error: …`, then `hush: hint: …` with the next
 *   command to type; `hush: note: …` for what is good to know. Lower case, no full stop.
 * - With `--json`, standard output is one line of JSON, and an error one line of JSON on standard error.
 * - Whatever comes from a store, a file or another process is made inert before a terminal sees it.
 */
import { errorTable, HushError, reportOf } from '../protocol/errors.ts';
import { printable, printableJson } from '../protocol/printable.ts';
import { forProfile } from './hints.ts';

/** Where a command writes; each method resolves when the bytes have left the process. */
export interface Output {
  /** Whether `--json` was given. */
  readonly json: boolean;
  /** The facts that a command prints: `json` as it stands with `--json`, else the lines. */
  facts(json: object, lines: readonly string[]): Promise<void>;
  /** Exactly these bytes on standard output. */
  bytes(bytes: Uint8Array): Promise<void>;
  /** A line on standard error that is no error; silent with `--json`. */
  note(text: string): Promise<void>;
}

/** The exit code of a process whose reader went away: 128 + SIGPIPE, as a shell shows it. */
const brokenPipe = 141;

/** The output of this process. */
export function createOutput(json: boolean): Output {
  return {
    json,
    facts: (facts, lines) =>
      write(
        process.stdout,
        json ? `${printableJson(facts)}\n` : lines.map((line) => `${printable(line)}\n`).join(''),
      ),
    bytes: (bytes) => write(process.stdout, bytes),
    note: (text) => (json ? Promise.resolve() : write(process.stderr, `hush: note: ${printable(text)}\n`)),
  };
}

/**
 * Tells of an error on standard error and gives the exit code it stands for. An error that is not of the table is
 * one of ours that nobody foresaw: it is told as UNAVAILABLE. `profile` is the one that the command line named, if it did.
 */
export async function reportError(error: unknown, json: boolean, profile?: string): Promise<number> {
  if (isBrokenPipe(error)) return brokenPipe;
  const known = inProfile(error instanceof HushError ? error : unforeseen(error), profile);
  await write(process.stderr, json ? jsonOf(known) : textOf(known));
  return errorTable[known.code].exit;
}

/** The error with a hint for who named that profile. */
function inProfile(error: HushError, profile: string | undefined): HushError {
  const hint = forProfile(error.hint, profile);
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
export function textOf(error: HushError): string {
  const lines = [`hush: error: ${printable(sentenceOf(error))}`];
  if (error.hint !== '') lines.push(`hush: hint: ${printable(error.hint)}`);
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

function unforeseen(error: unknown): HushError {
  const message = error instanceof Error ? error.message : String(error);
  return new HushError('UNAVAILABLE', message === '' ? 'something unforeseen went wrong' : message, {
    cause: error,
  });
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

function write(stream: NodeJS.WriteStream, content: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(content, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
