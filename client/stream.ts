import type { PeerCredentials } from '../native/peer-credentials.ts';
import { HushError } from '../protocol/errors.ts';
import type { TrustedListeners } from './listener.ts';

/** As much of a socket of node:net as a connection needs. */
export interface ByteStream {
  /** Bytes that the kernel has not taken yet. */
  readonly writableLength: number;
  write(bytes: Uint8Array, taken?: () => void): void;
  destroy(): void;
  /** Whether an answer is waited for. */
  ref(): void;
  unref(): void;
  on(event: 'end' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): void;
}

/** A stream that is connected, and who listens at its other end. */
export interface Connected {
  readonly socket: ByteStream;
  readonly listener: PeerCredentials;
}

/**
 * Connects a stream whose listening end is trusted, or anybody's where `trusted` is undefined; what it reads is wiped
 * when `receive` returns. Where the daemon's queue of connections is full it is tried again until `expiresAt`, on the
 * clock of `now()`. Rejects with UNREACHABLE, UNTRUSTED_LISTENER.
 */
export type Connector = (
  path: string,
  trusted: TrustedListeners | undefined,
  receive: (chunk: Uint8Array) => void,
  expiresAt: number,
) => Promise<Connected>;

/** How much is read at once, in bytes. */
export const readBufferBytes = 64 * 1024;

/** Between two attempts while the daemon has more connections waiting than its system keeps, in milliseconds. */
export const fullQueueMs = 20;

/** The error for a connection that has ended. */
export function dropped(message = 'the daemon closed the connection'): HushError {
  return new HushError('UNREACHABLE', message);
}

/** UNREACHABLE without the socket's path: the sentence may travel further than the host. */
export function notReached(code = 'unknown error'): HushError {
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
