import { closeSync, openSync, readSync } from 'node:fs';
import { newBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';

/**
 * The bytes of a file that the command line names, a pipe such as `<(…)` among them. Throws BAD_REQUEST where it cannot
 * be read, and TOO_LARGE as soon as there are more than `maxBytes`; `what` is what errors call it.
 */
export function readGivenFile(path: string, what: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  let bytes = newBytes(64 * 1024);
  let length = 0;
  try {
    const fd = openSync(path, 'r');
    try {
      for (let count = -1; count !== 0 && length <= maxBytes; length += count) {
        if (length === bytes.length) {
          const larger = newBytes(2 * length);
          larger.set(bytes);
          bytes.fill(0);
          bytes = larger;
        }
        count = readSync(fd, bytes, length, bytes.length - length, null);
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HushError('BAD_REQUEST', `cannot read the ${what}: ${reason}`, {
      hint: `ls -l ${shellWord(path)}`,
    });
  }
  if (length > maxBytes)
    throw new HushError('TOO_LARGE', `the ${what} ${path} has more than ${maxBytes} bytes`, {
      hint: 'name a smaller one',
    });
  return bytes.subarray(0, length);
}
