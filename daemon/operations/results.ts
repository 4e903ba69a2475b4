import { wipe } from '../memory/plain-bytes.ts';

/** Overwrites every binary value in a result: its receiver has its own copy by now. */
export function wipeResult(result: object): void {
  // `for in` makes no array of an object's values, but a text of each index of an array.
  if (Array.isArray(result)) for (const value of result) wipeWithin(value);
  else for (const key in result) wipeWithin(result[key as keyof typeof result]);
}

function wipeWithin(value: unknown): void {
  if (value instanceof Uint8Array) wipe(value);
  else if (typeof value === 'object' && value !== null) wipeResult(value);
}

/** What a binary value grows by where it is sealed by itself. */
const fieldOverhead = 28;

/**
 * At most how many bytes a result takes on the wire: its binary values, sealed, its texts, and 64 for all the rest of a
 * map.
 */
export function sizeOfResult(result: object): number {
  let bytes = 64;
  for (const value of Object.values(result) as unknown[]) {
    if (value instanceof Uint8Array) bytes += value.byteLength + fieldOverhead;
    else if (typeof value === 'string') bytes += Buffer.byteLength(value);
    else if (typeof value === 'object' && value !== null) bytes += sizeOfResult(value);
  }
  return bytes;
}
