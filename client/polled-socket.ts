import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { peerCredentials } from '../native/peer-credentials.ts';
import { connectStream, receiveSome, sendSome, waitFor } from '../native/stream-socket.ts';
import { newBytes } from '../protocol/bytes.ts';
import { now } from './clock.ts';
import { checkListener } from './listener.ts';
import { fullQueueMs, notReached, readBufferBytes } from './stream.ts';
import type { ByteStream, Connector } from './stream.ts';

/** How long the process stands still at a time while it waits, in milliseconds; then timers and signals have their turn. */
const turnMs = 10;

/**
 * A connector for a process that asks, waits for the answer and does nothing meanwhile. It stands still while it waits,
 * and needs neither node:net nor the streams below it, which take longer to load than such a process takes besides.
 */
export const connectPolled: Connector = async (path, trusted, receive, expiresAt) => {
  for (;;) {
    const fd = connectStream(path, closeSync);
    if (typeof fd === 'number') {
      try {
        const listener = peerCredentials(fd);
        if (trusted !== undefined) checkListener(listener, trusted);
        return { socket: polledStream(fd, receive), listener };
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
    if (fd !== 'EAGAIN' || now() + fullQueueMs >= expiresAt) throw notReached(fd);
    await sleep(fullQueueMs);
  }
};

/** Bytes that the kernel has not taken yet; whoever gave them keeps them until `taken`. */
interface Pending {
  bytes: Uint8Array;
  readonly taken: (() => void) | undefined;
}

function polledStream(fd: number, receive: (chunk: Uint8Array) => void): ByteStream {
  const buffer = newBytes(readBufferBytes);
  const listeners = { end: [], close: [], error: [] } as {
    readonly end: (() => void)[];
    readonly close: (() => void)[];
    readonly error: ((error: NodeJS.ErrnoException) => void)[];
  };
  const state = { isOpen: true, isWaiting: false, isScheduled: false };
  let pending: Pending[] = [];

  function destroy(): void {
    if (!state.isOpen) return;
    state.isOpen = false;
    closeSync(fd);
    buffer.fill(0);
    const left = pending;
    pending = [];
    for (const { taken } of left) taken?.();
    for (const listener of listeners.close) listener();
  }

  const fail = (code: string): void => {
    for (const listener of listeners.error) listener(Object.assign(new Error(code), { code }));
    destroy();
  };

  /** Whether an outcome is no failure but that there is nothing to do yet; a failure ends the stream. */
  const isForLater = (outcome: string): boolean => {
    if (outcome === 'EAGAIN' || outcome === 'EINTR') return true;
    fail(outcome);
    return false;
  };

  /** Sends what there is room for. */
  const send = (): void => {
    for (let first = pending[0]; first !== undefined && state.isOpen; first = pending[0]) {
      const count = sendSome(fd, first.bytes);
      if (typeof count === 'string') {
        isForLater(count);
        return;
      }
      first.bytes = first.bytes.subarray(count);
      if (first.bytes.length > 0) continue;
      pending.shift();
      first.taken?.();
    }
  };

  const read = (): void => {
    const count = receiveSome(fd, buffer);
    if (count === 0) {
      for (const listener of listeners.end) listener();
      destroy();
    } else if (typeof count === 'number') {
      receive(buffer.subarray(0, count));
      buffer.fill(0, 0, count);
    } else isForLater(count);
  };

  const turn = (): void => {
    state.isScheduled = false;
    if (!state.isOpen) return;
    waitFor(pending.length === 0 ? 'input' : 'room', fd, turnMs);
    send();
    // Sending may have ended it, which the compiler does not see.
    if (isOpen() && state.isWaiting) read();
    schedule();
  };

  const isOpen = (): boolean => state.isOpen;

  const schedule = (): void => {
    if (state.isScheduled || !isOpen() || !(state.isWaiting || pending.length > 0)) return;
    state.isScheduled = true;
    setImmediate(turn);
  };

  return {
    get writableLength() {
      return pending.reduce((sum, { bytes }) => sum + bytes.length, 0);
    },
    write(bytes, taken) {
      if (!state.isOpen) return;
      pending.push({ bytes, taken });
      if (pending.length === 1) send();
      schedule();
    },
    destroy,
    ref() {
      state.isWaiting = true;
      schedule();
    },
    unref() {
      state.isWaiting = false;
    },
    on(event, listener) {
      // The overloads of `on` let each event have listeners of its own kind alone.
      (listeners[event] as unknown[]).push(listener);
    },
  };
}
