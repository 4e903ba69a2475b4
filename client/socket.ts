import { createConnection as createSocket } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { peerCredentials, socketFd } from '../native/peer-credentials.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';
import { newBytes } from '../protocol/bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { checkListener } from './listener.ts';
import type { TrustedListeners } from './listener.ts';

const readBufferBytes = 64 * 1024;
/** Between two attempts while the daemon has more connections waiting than its system keeps. */
const fullQueueMs = 20;

/** The error for a connection that has ended. */
export function dropped(message = 'the daemon closed the connection'): HushError {
  return new HushError('UNREACHABLE', message);
}

interface Connected {
  readonly socket: Socket;
  readonly listener: PeerCredentials;
}

/**
 * A connected socket whose listening end is trusted, or anybody's where `trusted` is undefined; what it reads is wiped
 * when `receive` returns. Where the daemon's queue of connections is full it is tried again until `expiresAt`, on the
 * clock of `performance.now()`. Rejects with UNREACHABLE, UNTRUSTED_LISTENER.
 */
export async function connectTo(
  path: string,
  trusted: TrustedListeners | undefined,
  receive: (chunk: Uint8Array) => void,
  expiresAt: number,
): Promise<Connected> {
  for (;;) {
    const connected = await attempt(path, trusted, receive);
    if (connected !== 'full') return connected;
    if (performance.now() + fullQueueMs >= expiresAt) throw notReached('EAGAIN');
    await sleep(fullQueueMs);
  }
}

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

/** UNREACHABLE without the socket's path: the sentence may travel further than the host. */
function notReached(code = 'unknown error'): HushError {
  switch (code) {
    case 'ENOENT':
      return new HushError('UNREACHABLE', 'hushd does not run: its socket does not exist');
    case 'ECONNREFUSED':
      return new HushError('UNREACHABLE', 'hushd does not run: nobody listens on its socket');
    case 'EAGAIN':
      return new HushError(
        'UNREACHABLE',
        'hushd runs, and more connections wait for it than its queue holds',
        {
          hint: 'try again; if that lasts: hush doctor',
        },
      );
    case 'EACCES':
    case 'EPERM':
      return new HushError('UNREACHABLE', "this user may not open hushd's socket", {
        hint: 'run as the user of the daemon, or ask the operator',
      });
    default:
      return new HushError('UNREACHABLE', `hushd's socket cannot be opened (${code})`);
  }
}
