import type { ErrorDetails } from '../protocol/errors.ts';

/** The shape of an error that the daemon tells. */
export interface ToldError extends ErrorDetails {
  readonly code: string;
  readonly message: string;
}

/** A reply that tells an error: of one call, or with the id null of the whole connection. */
export interface ErrorReply {
  readonly id: number | null;
  readonly error: ToldError;
}

const texts = ['hint', 'limit', 'approval'] as const;

/** The error that a reply or an item of a batch tells, undefined where it is none; what the client does not know of it is left out. */
export function toldError(value: unknown): ToldError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, retryAfterMs } = value as Partial<Record<keyof ToldError, unknown>>;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  const told: Record<string, unknown> = { code, message };
  if ('retryAfterMs' in value) {
    if (typeof retryAfterMs !== 'number') return undefined;
    told['retryAfterMs'] = retryAfterMs;
  }
  for (const key of texts) {
    if (!(key in value)) continue;
    const text: unknown = Reflect.get(value, key);
    if (typeof text !== 'string') return undefined;
    told[key] = text;
  }
  // Each field has been looked at.
  return told as unknown as ToldError;
}

/** The message as a reply that tells an error; undefined where it is none. */
export function errorReply({ id, error }: Readonly<Record<string, unknown>>): ErrorReply | undefined {
  const told = toldError(error);
  if (told === undefined || !(id === null || (typeof id === 'number' && Number.isSafeInteger(id))))
    return undefined;
  return { id, error: told };
}
