import { errorTable, HushError } from '../protocol/errors.ts';

/** The text with everything that a terminal could act on made visible: controls, line ends, bidi marks. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Writes `hushd: warning: …` to standard error. */
export function warn(sentence: string): void {
  console.error(`hushd: warning: ${printable(sentence)}`);
}

/**
 * Writes the error that ends the daemon to standard error, as `hushd: error: …` and `hushd: hint: …`, and returns
 * the exit code that goes with it: the error table's, or 1 for an error of the runtime.
 */
export function reportFailure(error: unknown): number {
  const known =
    error instanceof HushError ? error : new HushError('UNAVAILABLE', String(error), { hint: '' });
  console.error(`hushd: error: ${printable(known.message)}`);
  if (known.hint !== '') console.error(`hushd: hint: ${printable(known.hint)}`);
  return errorTable[known.code].exit;
}
