import type { Socket } from 'node:net';
import type { Slabs } from './slabs.ts';

/** Collects the frames of one turn of the event loop for one connection, and writes them at once. */
export interface Outbox {
  /** Copies a frame in. */
  add(frame: Uint8Array): void;
  /** How many bytes are collected and not yet written. */
  collected(): number;
  /** Writes what was collected; its bytes are wiped once the kernel has them. */
  flush(): void;
  /** Wipes what was collected and not written. */
  wipe(): void;
}

/** An outbox in front of `socket`. `written` is called each time that a write has left the process. */
export function createOutbox(socket: Socket, slabs: Slabs, written: () => void): Outbox {
  let slab: Buffer | undefined;
  let used = 0;

  const room = (bytes: number): Buffer => {
    if (slab !== undefined && slab.byteLength - used >= bytes) return slab;
    const larger = slabs.take(Math.max(used + bytes, (slab?.byteLength ?? 0) * 2));
    if (slab !== undefined) {
      slab.copy(larger, 0, 0, used);
      slabs.giveBack(slab, used);
    }
    slab = larger;
    return larger;
  };

  return {
    add(frame) {
      const into = room(frame.byteLength);
      into.set(frame, used);
      used += frame.byteLength;
    },
    collected: () => used,
    flush() {
      if (slab === undefined || used === 0) return;
      const leaving = slab;
      const bytes = used;
      slab = undefined;
      used = 0;
      if (socket.destroyed || !socket.writable) {
        slabs.giveBack(leaving, bytes);
        return;
      }
      socket.write(leaving.subarray(0, bytes), () => {
        slabs.giveBack(leaving, bytes);
        written();
      });
    },
    wipe() {
      if (slab !== undefined) slabs.giveBack(slab, used);
      slab = undefined;
      used = 0;
    },
  };
}
