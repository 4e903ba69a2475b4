import { HushError, errorTable } from '../protocol/errors.ts';

/**
 * The error as the platform's REST clients may see it: it names hushd, and a sentence that might hold a path of
 * this host is replaced by the table's.
 */
export function withoutPaths(error: unknown): HushError {
  if (!(error instanceof HushError)) return new HushError('UNAVAILABLE', 'hushd: the client failed');
  const { code, retryAfterMs, limit, approval } = error;
  const message = error.message.includes('/') ? errorTable[code].message : error.message;
  const hint = error.hint.includes('/') ? errorTable[code].hint : error.hint;
  return new HushError(code, message.includes('hushd') ? message : `hushd: ${message}`, {
    hint,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(limit === undefined ? {} : { limit }),
    ...(approval === undefined ? {} : { approval }),
  });
}
