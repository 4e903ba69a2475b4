import { HushError } from '../protocol/errors.ts';
import type { OperationName } from '../protocol/operations.ts';
import type { Limits } from '../protocol/shapes.ts';

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
