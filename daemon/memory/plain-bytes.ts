import { timingSafeEqual } from 'node:crypto';

export { concatBytes, copyBytes, newBytes, wipe } from '../../protocol/bytes.ts';

/** Whether both hold the same bytes; the time tells the lengths and nothing of the content. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
