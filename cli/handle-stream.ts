import { setTimeout as wait } from 'node:timers/promises';
import { HushError, type ErrorCode } from '../protocol/errors.ts';
import { printableJsonText } from '../protocol/printable.ts';
import { countText } from './format.ts';
import { lineOfFailure, lineWithHandle, parseHandleLine, type HandleLine } from './handle-lines.ts';
import type { InputLine } from './input-lines.ts';
import type { Output } from './output.ts';
import { createStatusLine } from './status-line.ts';

/** What is done with a table of handles. */
export interface HandleStream {
  readonly lines: AsyncIterable<readonly InputLine[]>;
  /** The new handle of a line, by the daemon. */
  readonly renew: (line: HandleLine) => Promise<HandleLine['handle']>;
  /** Whether a line that fails is written as a failure, and the rest goes on. */
  readonly keepGoing: boolean;
  /** What a person reads of it: `rewrapped`. */
  readonly verb: string;
  readonly output: Pick<Output, 'bytes' | 'note' | 'json'>;
  /** Whether standard output is a terminal, whose lines must not steer it and leave no room for a progress line. */
  readonly onTerminal: boolean;
}

/** How a line ended. */
interface Ended {
  readonly text: string;
  readonly failure?: HushError;
}

/** These would end every later line in the same way. */
const endsAll: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNREACHABLE',
  'DEADLINE',
  'UNTRUSTED_LISTENER',
  'UNSUPPORTED_VERSION',
  'UNIDENTIFIED',
  'LOCKED',
  'PROFILE_INACTIVE',
  'NO_SUCH_PROFILE',
  'UNAVAILABLE',
]);

/**
 * How many reads of 256 KiB are under way besides the newest: about 400 handles of 600 bytes, more than the daemon takes
 * at once, so that it never waits for the next ones.
 */
const readsAhead = 1;

const longestPauseMs = 2_000;
const mostPauses = 60;

/**
 * Renews the handle of each line and writes the lines in their order, each as soon as those before it are written. At
 * most two reads of input are under way, whatever the number of lines, and reading waits for whoever reads the output.
 * Answers how many lines were written. Throws the error of the first line that failed, with its number: at once, or
 * at the end with `keepGoing`; an error that every later line would meet ends it in any case.
 */
export async function renewHandles(stream: HandleStream): Promise<number> {
  const { lines, keepGoing, output, verb } = stream;
  const status = createStatusLine(!stream.onTerminal && !output.json);
  const begun = performance.now();
  let done = 0;
  const failures: { readonly number: number; readonly error: HushError }[] = [];
  let failed = 0;

  const progress = (): string => {
    const rate = Math.round(done / Math.max(0.001, (performance.now() - begun) / 1000));
    return `${verb} ${countText(done, 'handle')}, ${rate} a second`;
  };

  const finish = async (
    started: readonly { readonly number: number; readonly ended: Promise<Ended> }[],
  ): Promise<void> => {
    const texts: string[] = [];
    try {
      for (const { number, ended } of started) {
        const { text, failure } = await ended;
        if (failure === undefined) done++;
        else {
          failed++;
          if (failures.length === 0) failures.push({ number, error: failure });
          if (!keepGoing || endsAll.has(failure.code)) throw stoppedAt(number, failure, done);
        }
        texts.push(text);
      }
    } finally {
      if (texts.length > 0) await output.bytes(bytesOf(texts, stream.onTerminal));
    }
    status.show(progress);
  };

  const reader = lines[Symbol.asyncIterator]();
  let stop: (error: unknown) => void = () => undefined;
  /** The next lines, or the failure of earlier ones while nothing more comes in. */
  const nextLines = (): Promise<IteratorResult<readonly InputLine[], void>> =>
    new Promise((resolve, reject) => {
      stop = reject;
      reader.next().then(resolve, reject);
    });

  let last: Promise<void> = Promise.resolve();
  const underWay: Promise<void>[] = [];
  try {
    for (;;) {
      const next = await nextLines();
      if (next.done === true) break;
      const started = next.value.map((line) => ({ number: line.number, ended: renewed(line, stream) }));
      const turn = last.then(() => finish(started));
      // What waits for its turn must not count as an error that nobody meets.
      turn.catch((error: unknown) => {
        stop(error);
      });
      last = turn;
      underWay.push(turn);
      if (underWay.length > readsAhead) await underWay.shift();
    }
    await last;
  } finally {
    status.clear();
  }
  const [first] = failures;
  if (first !== undefined) throw failedLines(failed, done, first);
  return done;
}

async function renewed(line: InputLine, { renew }: HandleStream): Promise<Ended> {
  try {
    if (line.error !== undefined) throw line.error;
    const parsed = parseHandleLine(line.text);
    for (let pauses = 0; ; pauses++) {
      try {
        return { text: lineWithHandle(parsed, await renew(parsed)) };
      } catch (error) {
        await pauseAfter(error, pauses);
      }
    }
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return { text: lineOfFailure(line.text, line.number, error), failure: error };
  }
}

/** Waits for the rate of a client that has too many requests; any other error is thrown. */
async function pauseAfter(error: unknown, pauses: number): Promise<void> {
  const isLimited = error instanceof HushError && error.code === 'RATE_LIMITED';
  if (!isLimited || pauses === mostPauses) throw error;
  await wait(Math.min(longestPauseMs, (error.retryAfterMs ?? 100) * (pauses + 1)));
}

const bytesOf = (texts: readonly string[], onTerminal: boolean): Uint8Array =>
  new TextEncoder().encode(texts.map((text) => `${onTerminal ? printableJsonText(text) : text}\n`).join(''));

function stoppedAt(number: number, error: HushError, done: number): HushError {
  const message = `line ${number}: ${error.message}; ${countText(done, 'handle')} before it ${done === 1 ? 'is' : 'are'} done`;
  return new HushError(error.code, message, { hint: error.hint, cause: error });
}

function failedLines(
  failed: number,
  done: number,
  { number, error }: { readonly number: number; readonly error: HushError },
): HushError {
  const message = `${failed} of ${countText(failed + done, 'line')} failed, the first is line ${number}: ${error.message}`;
  return new HushError(error.code, message, { hint: error.hint, cause: error });
}
