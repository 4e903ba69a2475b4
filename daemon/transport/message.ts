import { HushError } from '../../protocol/errors.ts';
import { decodeMessage } from '../../protocol/frames.ts';

/** A request as it stands in its frame, its parameters not yet looked at. */
export interface Request {
  readonly id: number;
  readonly op: string;
  readonly params: unknown;
}

/** The request in `bytes[start, end)`. Throws BAD_REQUEST where it is not one map of id, op and params. */
export function parseRequest(bytes: Uint8Array, start: number, end: number): Request {
  const message = decodeMessage(bytes, start, end);
  const { id, op, params } = message;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
    throw new HushError('BAD_REQUEST', 'a request needs an id: a whole number from 0 to 2^53 - 1');
  }
  if (typeof op !== 'string' || !hasOnly(message)) {
    throw new HushError('BAD_REQUEST', 'a request is a map of id, op and params, and nothing else');
  }
  return { id, op, params };
}

/** A loop, because collecting the other keys in an object costs more than decoding the message. */
function hasOnly(message: Record<string, unknown>): boolean {
  for (const key in message) if (key !== 'id' && key !== 'op' && key !== 'params') return false;
  return true;
}
