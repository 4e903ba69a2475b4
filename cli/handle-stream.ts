import { HushError, type ErrorCode } from '../protocol/errors.ts';
import { printableJsonText } from '../protocol/printable.ts';
import { isHandle } from '../protocol/shapes.ts';
import { askInBatches, type BatchItem, type Outcome } from './batch.ts';
import type { Daemon } from './daemon.ts';
import { countText } from './format.ts';
import { lineOfFailure, lineWithHandle, parseHandleLine, type HandleLine } from './handle-lines.ts';
import type { InputLine } from './input-lines.ts';
import type { Output } from './output.ts';
import { createStatusLine } from './status-line.ts';

/** What is done with a table of handles. */
export interface HandleStream {
  readonly lines: AsyncIterable<readonly InputLine[]>;
  readonly daemon: Daemon;
  /** What the daemon is asked for the new handle of a line. */
  readonly ask: (line: HandleLine) => BatchItem;
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
  readonly number: number;
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

/** How many reads of 32 KiB are under way besides the newest: the daemon never waits for the next one. */
const readsAhead = 7;

/** So many handles are asked for at once: others wait for a millisecond or two while the daemon answers. */
const handlesAtOnce = 32;

/**
 * Renews the handle of each line and writes the lines in their order, each as soon as those before it are written. At
 * most eight reads of input are under way, whatever the number of lines, and reading waits for whoever reads the output.
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

  const finish = async (ended: readonly Ended[]): Promise<void> => {
    const texts: string[] = [];
    try {
      for (const { number, text, failure } of ended) {
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
      const started = renewed(next.value, stream);
      const turn = Promise.all([started, last]).then(([ended]) => finish(ended));
      // What waits for its turn must not count as an error that nobody meets.
      for (const promise of [started, turn]) {
        promise.catch((error: unknown) => {
          stop(error);
        });
      }
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

/** What becomes of the lines of one read. */
async function renewed(lines: readonly InputLine[], { daemon, ask }: HandleStream): Promise<Ended[]> {
  const read = lines.map((line) => ({ line, ...handleLineOf(line) }));
  const items = read.flatMap(({ parsed }) => (parsed === undefined ? [] : [ask(parsed)]));
  const outcomes = (await outcomesOf(daemon, items)).values();
  return read.map(({ line: { number, text }, parsed, error }) => {
    const outcome = parsed === undefined ? { error } : outcomes.next().value;
    const handle = outcome !== undefined && 'ok' in outcome ? outcome.ok['handle'] : undefined;
    // It accepts what the schema of handles accepts.
    if (parsed !== undefined && isHandle(handle))
      return { number, text: lineWithHandle(parsed, handle as HandleLine['handle']) };
    const failure = (outcome !== undefined && 'error' in outcome ? outcome.error : undefined) ?? notAHandle();
    return { number, text: lineOfFailure(text, number, failure), failure };
  });
}

const notAHandle = (): HushError => new HushError('UNAVAILABLE', 'the daemon did not answer with a handle');

function handleLineOf({ text, error }: InputLine): { parsed?: HandleLine; error?: HushError } {
  if (error !== undefined) return { error };
  try {
    return { parsed: parseHandleLine(text) };
  } catch (fault) {
    if (fault instanceof HushError) return { error: fault };
    throw fault;
  }
}

/** Where the daemon cannot be asked, that is what became of each. */
async function outcomesOf(daemon: Daemon, items: readonly BatchItem[]): Promise<readonly Outcome[]> {
  if (items.length === 0) return [];
  try {
    return await askInBatches(daemon, items, handlesAtOnce);
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return items.map(() => ({ error }));
  }
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
