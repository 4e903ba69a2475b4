import { isatty } from 'node:tty';
import { utf8Of } from './passphrase.ts';

/** The exit code of a process that Ctrl-C ended: 128 + SIGINT. */
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

/** Whether there is a person to ask: both ends of a prompt are a terminal. */
export function onTerminal(): boolean {
  return isTyped() && isatty(2);
}

/**
 * What was typed at a hidden prompt, as UTF-8 that is the caller's to wipe. Nothing of it shows, its length neither.
 * The prompt's library has it in strings, which cannot be wiped and die with this short process. Ctrl-C ends the
 * process here, after the library has put the terminal back.
 */
export async function askHidden(message: string, emptyComplaint: string): Promise<Uint8Array<ArrayBuffer>> {
  const { password } = await import('@clack/prompts');
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
): Promise<Uint8Array<ArrayBuffer>> {
  for (let prompt = message; ; prompt = `They differ. ${message}`) {
    const first = await askHidden(prompt, emptyComplaint);
    const second = await askHidden('The same once more', emptyComplaint);
    const same = Buffer.compare(first, second) === 0;
    second.fill(0);
    if (same) return first;
    first.fill(0);
  }
}

/**
 * Whether a change may be made: at once with `--yes` or where there is nobody to ask, else if a person agrees. The
 * answer that Enter gives is no.
 */
export async function mayGoAhead(question: string, yes: true | undefined): Promise<boolean> {
  if (yes || !onTerminal()) return true;
  const { confirm } = await import('@clack/prompts');
  const answer = await confirm({ ...streams(), message: question, initialValue: false });
  return typeof answer === 'symbol' ? leave() : answer;
}

/** What was typed, in the open. */
export async function askText(message: string): Promise<string> {
  const { text } = await import('@clack/prompts');
  const answer = await text({ ...streams(), message });
  return typeof answer === 'symbol' ? leave() : answer;
}

/** Prompts are drawn on standard error, so that standard output stays what was asked for. */
function streams(): { readonly input: NodeJS.ReadStream; readonly output: NodeJS.WriteStream } {
  // The library would draw one character a line on a terminal whose width is 0.
  if (process.stderr.columns === 0) process.stderr.columns = usualColumns;
  return { input: process.stdin, output: process.stderr };
}

/** Ends the process after the library has seen Ctrl-C and answered with its cancel symbol. */
function leave(): never {
  process.exit(interrupted);
}
