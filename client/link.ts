import { HushError } from '../protocol/errors.ts';
import { now } from './clock.ts';
import type { Connection } from './connection.ts';

/** What a link needs to keep itself up. */
export interface LinkOptions {
  open(expiresAt: number, onClose: (reason: HushError) => void): Promise<Connection>;
  /** Makes sure, before a new connection is used, that the right vault is behind it; what it throws is told. */
  verify(connection: Connection, expiresAt: number): Promise<void>;
  onDisconnect(): void;
  onReconnect(): void;
}

/** One connection at a time, opened again when it is next needed. */
export interface Link {
  /**
   * The connection, at once if it is up. Otherwise one attempt to open it, shared by all that wait, rejecting with
   * what the opening rejects with, or DEADLINE.
   */
  ready(expiresAt: number): Connection | Promise<Connection>;
  /** Ends it for good: what is in flight and what comes later is rejected with UNREACHABLE. */
  close(): void;
}

/** A link that has no connection yet. */
export function createLink({ open, verify, onDisconnect, onReconnect }: LinkOptions): Link {
  let connection: Connection | undefined;
  let verified: Connection | undefined;
  let opening: Promise<Connection> | undefined;
  let closed: HushError | undefined;
  let lost = false;

  const onClose = (): void => {
    connection = undefined;
    if (verified !== undefined) {
      verified = undefined;
      lost = true;
      if (closed === undefined) onDisconnect();
    }
  };

  const throwIfEnded = (fresh: Connection): void => {
    const reason = closed ?? fresh.ended();
    if (reason !== undefined) throw reason;
  };

  const bringUp = async (expiresAt: number): Promise<Connection> => {
    const fresh = connection ?? (await open(expiresAt, onClose));
    connection = fresh;
    try {
      throwIfEnded(fresh);
      await verify(fresh, expiresAt);
      throwIfEnded(fresh);
    } catch (error) {
      const isOther = error instanceof HushError && (error === closed || error.code === 'INTEGRITY');
      if (isOther) fresh.close(error);
      throw error;
    }
    verified = fresh;
    if (lost) {
      lost = false;
      onReconnect();
    }
    return fresh;
  };

  return {
    ready(expiresAt) {
      if (verified !== undefined) return verified;
      if (closed !== undefined) return Promise.reject(closed);
      opening ??= bringUp(expiresAt).finally(() => {
        opening = undefined;
      });
      return within(opening, expiresAt);
    },
    close() {
      closed ??= new HushError('UNREACHABLE', 'the client was closed', { hint: 'connect again' });
      connection?.close(closed);
    },
  };
}

/** The promise, or DEADLINE when that comes first. */
async function within<T>(promise: Promise<T>, expiresAt: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => {
        reject(new HushError('DEADLINE', 'the daemon did not answer the greeting in time'));
      },
      Math.max(1, expiresAt - now()),
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
