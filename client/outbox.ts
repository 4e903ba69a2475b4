import { newBytes } from '../protocol/bytes.ts';
import type { ByteStream } from './stream.ts';

const usualBytes = 64 * 1024;

/** Gathers the frames of one turn of the event loop into one write, and wipes them once the kernel has them. */
export interface Outbox {
  /** Copies the frame; it leaves at the end of the turn, after all microtasks. */
  add(frame: Uint8Array): void;
  /** Has everything that leaves from now on pass through `seal`. */
  secure(seal: (plain: Uint8Array) => Uint8Array): void;
  /** Wipes what has not left yet. */
  wipe(): void;
}

/** An outbox of a connected socket. */
export function createOutbox(socket: ByteStream): Outbox {
  let gathered = newBytes(usualBytes);
  let length = 0;
  let scheduled = false;
  let seal: ((plain: Uint8Array) => Uint8Array) | undefined;

  /** Answers whether the kernel took all of the bytes at once; they are wiped as soon as it has. */
  const write = (bytes: Uint8Array): boolean => {
    if (seal !== undefined) {
      socket.write(seal(bytes));
      bytes.fill(0);
      return true;
    }
    let queued = false;
    socket.write(bytes, () => {
      if (queued) bytes.fill(0);
    });
    queued = socket.writableLength > 0;
    if (!queued) bytes.fill(0);
    return !queued;
  };

  const flush = (): void => {
    if (length === 0) return;
    const bytes = gathered.subarray(0, length);
    length = 0;
    if (!write(bytes)) gathered = newBytes(usualBytes);
  };

  return {
    add(frame) {
      if (length + frame.byteLength > usualBytes) flush();
      if (frame.byteLength > usualBytes) {
        const large = newBytes(frame.byteLength);
        large.set(frame);
        write(large);
        return;
      }
      gathered.set(frame, length);
      length += frame.byteLength;
      if (scheduled) return;
      scheduled = true;
      process.nextTick(() => {
        scheduled = false;
        flush();
      });
    },
    secure(sealing) {
      seal = sealing;
    },
    wipe() {
      gathered.fill(0, 0, length);
      length = 0;
    },
  };
}
