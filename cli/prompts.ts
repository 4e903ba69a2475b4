import { isatty } from 'node:tty';
import { HushError } from '../protocol/errors.ts';
import { utf8Of } from './passphrase.ts';
import { isGiven } from './switches.ts';

/** The exit code of a process that Ctrl-C ended, or Ctrl-D at a prompt: 128 + SIGINT. */
const interrupted = 130;

/** What a terminal that does not know its size is taken for. */
const usualColumns = 80;

/**
 * Whether somebody types at standard input. `process.stdin` is not asked: its making would set a pipe that we share
 * with other processes to non-blocking.
 */
export function isTyped(): boolean {
  return isatty(0);
}

/** Whether there is a person to ask: both ends of a prompt are a terminal, and `--no-input` does not forbid it. */
export function onTerminal(): boolean {
  return hasPerson() && !isGiven('--no-input');
}

const hasPerson = (): boolean => isTyped() && isatty(2);

/** Throws BAD_REQUEST where `--no-input` forbids the question; `instead` is what gives the answer. */
function refuseIfForbidden(message: string, instead: string): void {
  if (!isGiven('--no-input')) return;
  throw new HushError('BAD_REQUEST', `--no-input, and there is something to ask: ${message}`, {
    hint: instead,
  });
}

/**
 * What was typed at a hidden prompt, as UTF-8 that is the caller's to wipe. Nothing of it shows, its length neither.
 * The prompt's library has it in strings, which cannot be wiped and die with this short process. Ctrl-C and
 * Ctrl-D end the process here, after the library has put the terminal back. With `--no-input` it throws BAD_REQUEST, the hint being
 * `instead`.
 */
export async function askHidden(
  message: string,
  emptyComplaint: string,
  instead = 'leave --no-input away, or pipe it in: the help of the command says how',
): Promise<Uint8Array<ArrayBuffer>> {
  refuseIfForbidden(message, instead);
  const { password } = await promptLibrary();
  const answer = await password({
    ...streams(),
    message,
    mask: '',
    validate: (typed) => (typed === undefined || typed === '' ? emptyComplaint : undefined),
  });
  return typeof answer === 'symbol' ? leave() : utf8Of(answer);
}

/** Asks for the same thing twice, and again from the start for as long as the two differ. */
export async function askHiddenTwice(
  message: string,
  emptyComplaint: string,
  instead?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  for (let prompt = message; ; prompt = `They differ. ${message}`) {
    const first = await askHidden(prompt, emptyComplaint, instead);
    const second = await askHidden('The same once more', emptyComplaint);
    const same = Buffer.compare(first, second) === 0;
    second.fill(0);
    if (same) return first;
    first.fill(0);
  }
}

/**
 * Whether a change may be made: at once with `--yes` or where there is nobody to ask, else if a person agrees. The
 * answer that Enter gives is no. With `--no-input` on a terminal it throws BAD_REQUEST that names `--yes`.
 */
export async function mayGoAhead(question: string, yes: true | undefined): Promise<boolean> {
  if (yes || !hasPerson()) return true;
  refuseIfForbidden(question, '--yes goes ahead without asking');
  return askYesNo(question);
}

/** Whether a person at the terminal agrees; the answer that Enter gives is no. */
export async function askYesNo(question: string): Promise<boolean> {
  const { confirm } = await promptLibrary();
  const answer = await confirm({ ...streams(), message: question, initialValue: false });
  return typeof answer === 'symbol' ? leave() : answer;
}

/** What was typed, in the open. */
export async function askText(message: string): Promise<string> {
  const { text } = await promptLibrary();
  const answer = await text({ ...streams(), message });
  return typeof answer === 'symbol' ? leave() : answer;
}

/** What draws prompts. To it Ctrl-D is no cancelling: it would end without a word, and take the cursor along. */
async function promptLibrary() {
  const library = await import('@clack/prompts');
  library.updateSettings({ aliases: { '\x04': 'cancel' } });
  return library;
}

/** Prompts are drawn on standard error, so that standard output stays what was asked for. */
function streams(): { readonly input: NodeJS.ReadStream; readonly output: NodeJS.WriteStream } {
  // The library would draw one character a line on a terminal whose width is 0.
  if (process.stderr.columns === 0) process.stderr.columns = usualColumns;
  return { input: process.stdin, output: process.stderr };
}

/** Ends the process after the library has seen Ctrl-C or Ctrl-D and answered with its cancel symbol. */
function leave(): never {
  process.exit(interrupted);
}
