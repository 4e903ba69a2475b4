import { createServer, type Socket } from 'node:net';
import { socketFd } from '../../../native/peer-credentials.ts';
import { peerAddress } from '../../../native/unix-address.ts';
import { HushError } from '../../../protocol/errors.ts';
import { copyBytes } from '../../../protocol/bytes.ts';
import { withRunningDaemon } from '../../daemon.ts';
import { typedFor } from '../../target.ts';
import { listenAlone, type DoorPlace } from '../listening.ts';
import { parseAddress, type Wanted } from './address.ts';
import { checkManager, checkUnit } from './asker.ts';
import { placeOf, type Scopes } from './places.ts';

/** The most bytes that systemd takes for the credentials of a unit with their names (CREDENTIALS_TOTAL_SIZE_MAX). */
const mostBytes = 1024 * 1024;
/**
 * How long a peer that is no service manager may leave its refusal unread, and when the door is about to close any peer
 * what it is sent: longer than the daemon may take to answer.
 */
const patienceMs = 45_000;
/** What to type where the door cannot listen at a path. */
export const anotherPlace = 'hush door systemd --socket PATH';

/** What the door is to serve, and where; what it tells must not throw. */
export interface DoorParts {
  readonly profile: string;
  readonly scopes: Scopes;
  readonly at: DoorPlace;
  readonly onServed: (wanted: Wanted, path: string) => void;
  readonly onRefused: (error: HushError) => void;
}

/** A door that listens. */
export interface Door {
  /** Stops listening, and ends once each peer has its answer. */
  close(): Promise<void>;
}

/**
 * Serves `LoadCredential=` (systemd.exec(5)): each connection gets the bytes of one secret, asked from the daemon as by
 * any client. A refusal must not look like a value: systemd takes a connection that ends without a byte for an empty
 * credential, and starts the unit with it. So whoever is refused gets one byte more than systemd takes, upon which it
 * fails the unit (243/CREDENTIALS). Throws EXISTS when somebody listens at the path, UNAVAILABLE.
 */
export async function openDoor(parts: DoorParts): Promise<Door> {
  const tooMuch = new Uint8Array(mostBytes + 1);
  const answering = new Set<Promise<void>>();
  const open = new Set<Socket>();

  const answer = async (socket: Socket): Promise<void> => {
    try {
      const fd = socketFd(socket);
      socket.setTimeout(patienceMs);
      const peer = checkManager(fd);
      // A manager has its own time limit. The part of an answer that it got when we ended it would be the credential.
      socket.setTimeout(0);
      const wanted = parseAddress(copyBytes(peerAddress(fd)));
      if (wanted === undefined) throw noAddress();
      checkUnit(fd, peer, wanted.unit);
      await serve(socket, wanted, parts);
    } catch (error) {
      parts.onRefused(
        error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error }),
      );
      // What is on its way already is not made longer; a peer that has gone needs no answer.
      if (socket.bytesWritten === 0) await send(socket, tooMuch).catch(() => undefined);
    } finally {
      socket.destroy();
    }
  };

  // systemd ends its own direction before it reads.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('timeout', () => socket.destroy());
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const answered = answer(socket).finally(() => answering.delete(answered));
    answering.add(answered);
  });
  const listening = await listenAlone(server, parts.at, anotherPlace);

  return {
    async close() {
      const closed = listening.close();
      for (const socket of open) socket.setTimeout(patienceMs);
      await Promise.all([closed, ...answering]);
    },
  };
}

async function serve(
  socket: Socket,
  wanted: Wanted,
  { profile, scopes, onServed }: DoorParts,
): Promise<void> {
  const { unit, credential } = wanted;
  try {
    const { text: path } = placeOf(wanted, scopes);
    const value = await valueAt(profile, path);
    try {
      if (value.byteLength > mostBytes - credential.length) throw tooLarge();
      await send(socket, value);
      onServed(wanted, path);
    } finally {
      value.fill(0);
    }
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    const { code, message, hint } = error;
    throw new HushError(code, `${unit} got no credential ${credential}: ${message}`, { hint, cause: error });
  }
}

async function valueAt(profile: string, path: string): Promise<Uint8Array> {
  try {
    const { value } = await withRunningDaemon((daemon) => daemon.call('secret.get', { profile, path }));
    return value;
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'NOT_FOUND')) throw error;
    throw new HushError('NOT_FOUND', `there is no ${path}`, {
      hint: typedFor('set', { profile, path }, process.env),
      cause: error,
    });
  }
}

/** Sends the bytes and ends the connection. Throws UNAVAILABLE where the peer does not take them. */
function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new HushError('UNAVAILABLE', 'the peer did not wait for its answer'));
    if (socket.destroyed) {
      failed();
      return;
    }
    socket.once('finish', resolve);
    socket.once('close', failed);
    socket.end(bytes);
  });
}

const tooLarge = (): HushError =>
  new HushError('TOO_LARGE', 'with its name it is larger than the 1 MiB that systemd takes', {
    hint: 'a unit has no more than that for all of its credentials: have its program ask hush get',
  });

const noAddress = (): HushError =>
  new HushError('BAD_REQUEST', 'a peer asked without the address that systemd gives itself', {
    hint: 'LoadCredential=NAME:PATH in the unit',
  });
