import { createConnection as createSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { peerCredentials, socketFd } from '../native/peer-credentials.ts';
import { newBytes } from '../protocol/bytes.ts';
import { now } from './clock.ts';
import { checkListener } from './listener.ts';
import type { TrustedListeners } from './listener.ts';
import { dropped, fullQueueMs, notReached, readBufferBytes } from './stream.ts';
import type { Connected, Connector } from './stream.ts';

/** A connector by node:net. */
export const connectTo: Connector = async (path, trusted, receive, expiresAt) => {
  for (;;) {
    const connected = await attempt(path, trusted, receive);
    if (connected !== 'full') return connected;
    if (now() + fullQueueMs >= expiresAt) throw notReached('EAGAIN');
    await sleep(fullQueueMs);
  }
};

function attempt(
  path: string,
  trusted: TrustedListeners | undefined,
  receive: (chunk: Uint8Array) => void,
): Promise<Connected | 'full'> {
  return new Promise((resolve, reject) => {
    const buffer = newBytes(readBufferBytes);
    const socket = createSocket({
      path,
      onread: {
        buffer,
        callback(length) {
          receive(buffer.subarray(0, length));
          buffer.fill(0, 0, length);
          return true;
        },
      },
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EAGAIN') resolve('full');
      else reject(notReached(error.code));
    });
    socket.once('connect', () => {
      try {
        const listener = peerCredentials(socketFd(socket));
        if (trusted !== undefined) checkListener(listener, trusted);
        socket.removeAllListeners('error');
        resolve({ socket, listener });
      } catch (error) {
        socket.destroy();
        reject(error instanceof Error ? error : dropped());
      }
    });
  });
}
