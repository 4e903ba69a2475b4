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

/** How long a daemon may let a request wait that is larger than its queue, in milliseconds. */
const mostSendingMs = 10_000;

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

function polledStream(fd: number, receive: (chunk: Uint8Array) => void): ByteStream {
  const buffer = newBytes(readBufferBytes);
  const listeners = { end: [], close: [], error: [] } as {
    readonly end: (() => void)[];
    readonly close: (() => void)[];
    readonly error: ((error: NodeJS.ErrnoException) => void)[];
  };
  const state = { isOpen: true, isWaiting: false, isScheduled: false };

  const fail = (code: string): void => {
    for (const listener of listeners.error) listener(Object.assign(new Error(code), { code }));
    destroy();
  };

  function destroy(): void {
    if (!state.isOpen) return;
    state.isOpen = false;
    closeSync(fd);
    buffer.fill(0);
    for (const listener of listeners.close) listener();
  }

  const schedule = (): void => {
    if (state.isScheduled || !state.isWaiting || !state.isOpen) return;
    state.isScheduled = true;
    setImmediate(() => {
      state.isScheduled = false;
      read();
    });
  };

  const read = (): void => {
    if (!state.isOpen || !state.isWaiting) return;
    waitFor('input', fd, turnMs);
    const count = receiveSome(fd, buffer);
    if (count === 0) {
      for (const listener of listeners.end) listener();
      destroy();
    } else if (typeof count === 'number') {
      receive(buffer.subarray(0, count));
      buffer.fill(0, 0, count);
    } else if (count !== 'EAGAIN' && count !== 'EINTR') fail(count);
    schedule();
  };

  return {
    writableLength: 0,
    write(bytes, taken) {
      const until = now() + mostSendingMs;
      for (let sent = 0; sent < bytes.length && state.isOpen; ) {
        const count = sendSome(fd, bytes.subarray(sent));
        if (typeof count === 'number') sent += count;
        else if (count !== 'EAGAIN' && count !== 'EINTR') fail(count);
        else if (now() > until) fail('ETIMEDOUT');
        else waitFor('room', fd, turnMs);
      }
      taken?.();
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
