import { errorTable, HushError, reportOf, type ErrorCode } from '../../protocol/errors.ts';
import { printable, printableJson } from '../../protocol/printable.ts';

/**
 * What ends a command before it does anything, the gravest first: an exit code says one thing, and this is the one. Codes
 * that are not here come first of all.
 */
const gravity: readonly ErrorCode[] = [
  'LOCKED',
  'PROFILE_INACTIVE',
  'UNIDENTIFIED',
  'ACCESS_DENIED',
  'APPROVAL_DENIED',
  'APPROVAL_PENDING',
  'NO_SUCH_PROFILE',
  'NOT_FOUND',
  'RATE_LIMITED',
  'EXPIRED',
  'FORBIDDEN_ENV',
  'CONFLICT',
  'INVALID_NAME',
  'TOO_LARGE',
  'BAD_REQUEST',
];

/** These are of a whole profile: one line tells of all its secrets. */
const ofProfile: ReadonlySet<string> = new Set([
  'LOCKED',
  'PROFILE_INACTIVE',
  'UNIDENTIFIED',
  'NO_SUCH_PROFILE',
]);

/** The problem that an error is to something that is named: a variable, a place in a file. */
export function problemOf(what: string, error: HushError): HushError {
  if (ofProfile.has(error.code)) return error;
  return new HushError(error.code, `${what}: ${error.message}`, {
    hint: error.hint,
    cause: error,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.approval === undefined ? {} : { approval: error.approval }),
  });
}

/** The problems, the gravest first, each once. */
export function inOrder(problems: readonly HushError[]): HushError[] {
  const seen = new Map<string, HushError>();
  for (const problem of problems) if (!seen.has(problem.message)) seen.set(problem.message, problem);
  return [...seen.values()].sort((a, b) => gravity.indexOf(a.code) - gravity.indexOf(b.code));
}

/**
 * Tells of all problems on standard error, each on a line of its own, then what was not done because of them and what
 * to do: each hint once. Gives the exit code, which is that of the gravest.
 */
export function reportProblems(problems: readonly HushError[], notDone: string, json: boolean): number {
  const ordered = inOrder(problems);
  const [first] = ordered;
  if (first === undefined) return 0;
  process.stderr.write(json ? jsonOf(first, ordered, notDone) : textOf(ordered, notDone));
  return errorTable[first.code].exit;
}

function textOf(problems: readonly HushError[], notDone: string): string {
  const hints = new Set(problems.map(({ hint }) => hint).filter((hint) => hint !== ''));
  return [
    ...problems.map(({ message }) => `hush: error: ${printable(message)}`),
    `hush: error: ${notDone}`,
    ...[...hints].map((hint) => `hush: hint: ${printable(hint)}`),
    '',
  ].join('\n');
}

function jsonOf(first: HushError, problems: readonly HushError[], notDone: string): string {
  const { code, hint } = first;
  return `${printableJson({ error: { code, message: notDone, hint, problems: problems.map(reportOf) } })}\n`;
}
