import { getSystemErrorMap } from 'node:util';
import { HushError } from '../../protocol/errors.ts';

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space, then try again',
  EDQUOT: 'free some space or raise the quota, then try again',
  EROFS: 'make the file system writable again, then try again',
  EMFILE: 'raise the limit of open files (ulimit -n)',
};

/** The name of a system error (`ENOSPC`), or undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * The error for a failed system call: UNAVAILABLE, `<what>: <the system's reason>`. The reason holds no path, so that
 * it is fit for a peer if `what` is. `otherwise` is the hint where that reason has none of its own.
 */
export function diskError(what: string, error: unknown, otherwise?: string): HushError {
  if (error instanceof HushError) return error;
  const hint = hints[errnoOf(error) ?? ''] ?? otherwise;
  return new HushError('UNAVAILABLE', `${what}: ${reasonOf(error)}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0;
  return getSystemErrorMap().get(errno)?.[1] ?? error.message;
}
