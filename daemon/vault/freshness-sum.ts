/** Bytes of the sum. */
export const sumSize = 32;

/**
 * The sum with the items put in, or, if they are in it already, taken out: the exclusive or of keyed pseudorandom
 * outputs (MSet-XOR-Hash of Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental Multiset Hash Functions and
 * Their Application to Memory Integrity Checking", ASIACRYPT 2003). No item comes twice, the number of items stands
 * beside the sum, and both are kept sealed, which takes the place of the paper's nonce.
 */
export function toggled(sum: Uint8Array, items: Iterable<Uint8Array>): Uint8Array {
  const result = sum.slice();
  for (const item of items) toggle(result, item);
  return result;
}

/** As `toggle`, for an item as a text of one byte a character. */
export function toggleText(sum: Uint8Array, item: string): void {
  for (let at = 0; at < sumSize; at++) sum[at] = (sum[at] ?? 0) ^ item.charCodeAt(at);
}

/** Puts an item into the sum in place, or takes it out if it is in it already. */
export function toggle(sum: Uint8Array, item: Uint8Array): void {
  for (let at = 0; at < sumSize; at++) sum[at] = (sum[at] ?? 0) ^ (item[at] ?? 0);
}
