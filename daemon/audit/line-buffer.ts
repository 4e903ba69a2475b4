/** Lines on their way to a file: one buffer that is used again and again. */
export interface LineBuffer {
  /** Adds an ASCII text. */
  add(text: string): void;
  /** The bytes that were added since `clear`, valid until the next call. */
  bytes(): Uint8Array;
  clear(): void;
}

const usualBytes = 65_536;
/** What a burst has made larger than this is given back. */
const mostKeptBytes = 16 * usualBytes;

/** An empty buffer, which grows as it has to. */
export function createLineBuffer(): LineBuffer {
  let buffer = Buffer.from(new ArrayBuffer(usualBytes));
  let used = 0;
  return {
    add(text) {
      if (used + text.length > buffer.length) {
        const bigger = Buffer.from(new ArrayBuffer(Math.max(buffer.length * 2, used + text.length)));
        buffer.copy(bigger, 0, 0, used);
        buffer = bigger;
      }
      used += buffer.write(text, used, 'latin1');
    },
    bytes: () => buffer.subarray(0, used),
    clear() {
      used = 0;
      if (buffer.length > mostKeptBytes) buffer = Buffer.from(new ArrayBuffer(usualBytes));
    },
  };
}
