import { errorTable, HushError, reportOf } from '../protocol/errors.ts';
import { printable, printableJson } from '../protocol/printable.ts';

/** Writes `hushd: warning: …` to standard error. */
export function warn(sentence: string): void {
  console.error(`hushd: warning: ${printable(sentence)}`);
}

/**
 * Writes the error that ends the daemon to standard error, as `hushd: error: …` and `hushd: hint: …`, and returns
 * the exit code that goes with it: the error table's, or 1 for an error of the runtime. Whoever started the daemon
 * with standard output on a pipe gets it there too, as the line `{"event":"failed","error":{code,message,hint}}`.
 */
export function reportFailure(error: unknown): number {
  const known =
    error instanceof HushError ? error : new HushError('UNAVAILABLE', String(error), { hint: '' });
  console.error(`hushd: error: ${printable(known.message)}`);
  if (known.hint !== '') console.error(`hushd: hint: ${printable(known.hint)}`);
  if (!process.stdout.isTTY) {
    process.stdout.write(`${printableJson({ event: 'failed', error: reportOf(known) })}\n`);
  }
  return errorTable[known.code].exit;
}
