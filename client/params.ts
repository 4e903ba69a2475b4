import { HushError } from '../protocol/errors.ts';
import { operations } from '../protocol/operations.ts';
import type { OperationName } from '../protocol/operations.ts';
import { shapeFault } from '../protocol/shape-fault.ts';
import type { Limits } from '../protocol/shapes.ts';

/**
 * The parameters as the table of operations wants them, without keys that hold `undefined`. A request that is not
 * well formed would cost the whole connection. Throws BAD_REQUEST that names the parameter and never its value.
 */
export function checkParams(op: OperationName, params: object): Record<string, unknown> {
  const checked = operations[op].params.safeParse(params);
  if (!checked.success) throw new HushError('BAD_REQUEST', shapeFault(checked.error, op));
  const sent: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(checked.data)) if (value !== undefined) sent[key] = value;
  return sent;
}

/** Throws TOO_LARGE, with the limit's name, for what the daemon told in `hello` that it will not take. */
export function checkSizes(op: OperationName, params: Record<string, unknown>, limits: Limits): void {
  if (op === 'secret.set') checkBytes(params['value'], limits, 'valueBytes');
  else if (op === 'crypto.encrypt') checkBytes(params['plaintext'], limits, 'plaintextBytes');
  else if (op === 'batch' && Array.isArray(params['items']) && params['items'].length > limits.batchItems) {
    throw tooLarge('the batch', params['items'].length, 'items', limits, 'batchItems');
  }
}

function checkBytes(value: unknown, limits: Limits, limit: 'valueBytes' | 'plaintextBytes'): void {
  if (value instanceof Uint8Array && value.byteLength > limits[limit]) {
    throw tooLarge('the value', value.byteLength, 'bytes', limits, limit);
  }
}

function tooLarge(what: string, size: number, unit: string, limits: Limits, limit: keyof Limits): HushError {
  return new HushError('TOO_LARGE', `${what} has ${size} ${unit}, the limit is ${limits[limit]}`, { limit });
}
