import type { Socket } from 'node:net';
import { sealedLength, sealRecords } from '../../noise/records.ts';
import type { Transport } from '../../noise/transport.ts';
import type { Slabs } from './slabs.ts';

/** Collects the frames of one turn of the event loop for one connection, and writes them at once. */
export interface Outbox {
  /** Copies a frame in. */
  add(frame: Uint8Array): void;
  /** How many bytes are collected and not yet written. */
  collected(): number;
  /** Writes what was collected; its bytes are wiped once the kernel has them. */
  flush(): void;
  /** Has everything that is flushed from now on sealed as records. */
  secure(transport: Transport): void;
  /** Wipes what was collected and not written. */
  wipe(): void;
}

/** An outbox in front of `socket`. `written` is called each time that a write has left the process. */
export function createOutbox(socket: Socket, slabs: Slabs, written: () => void): Outbox {
  let slab: Buffer | undefined;
  let used = 0;
  let sealing: Transport | undefined;

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

  const write = (leaving: Buffer, bytes: number): void => {
    socket.write(leaving.subarray(0, bytes), () => {
      slabs.giveBack(leaving, bytes);
      written();
    });
  };

  const writeSealed = (transport: Transport, leaving: Buffer, bytes: number): void => {
    const records = slabs.take(sealedLength(bytes));
    try {
      sealRecords(transport, leaving.subarray(0, bytes), records);
    } finally {
      slabs.giveBack(leaving, bytes);
    }
    write(records, sealedLength(bytes));
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
      if (sealing === undefined) write(leaving, bytes);
      else writeSealed(sealing, leaving, bytes);
    },
    secure(transport) {
      sealing = transport;
    },
    wipe() {
      if (slab !== undefined) slabs.giveBack(slab, used);
      slab = undefined;
      used = 0;
    },
  };
}
