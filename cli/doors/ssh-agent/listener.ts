import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { checkDirectory } from '../../../daemon/home/safety.ts';
import { peerCredentials, socketFd } from '../../../native/peer-credentials.ts';
import { HushError } from '../../../protocol/errors.ts';
import { listenAlone, type DoorPlace } from '../listening.ts';
import { converse, type Answer } from './conversation.ts';

/** Where an agent listens, and what it answers. */
export interface ListenerParts {
  /** A path in a folder that nobody else can reach, or a socket that listens already. */
  readonly at: DoorPlace;
  readonly answer: Answer;
  /** Told of a peer that was sent away. */
  readonly onRefused: (error: HushError) => void;
  readonly patienceMs?: number;
  /** How many clients are served at a time; past that the one that has been silent longest goes. */
  readonly most?: number;
}

/** An agent that listens. */
export interface AgentListener {
  /** Ends all conversations and removes the socket. */
  close(): Promise<void>;
}

const usualPatienceMs = 10_000;
const usualMost = 128;
/** What to type where an agent cannot listen at a path. */
export const anotherPlace = 'hush door ssh-agent --socket PATH';

/**
 * Listens for clients of the agent: of the own user only, which the kernel tells. Throws EXISTS when somebody listens at
 * the path, UNSAFE_MODE for its folder, UNAVAILABLE.
 */
export async function listenForClients(parts: ListenerParts): Promise<AgentListener> {
  const { at, patienceMs = usualPatienceMs, most = usualMost } = parts;
  /** The one that spoke last is the last. */
  const idle = new Set<Socket>();
  const all = new Map<Socket, Promise<void>>();

  const accept = (socket: Socket): void => {
    socket.on('error', () => undefined);
    const refusal = refusalOf(socket);
    if (refusal !== undefined) {
      parts.onRefused(refusal);
      socket.destroy();
      return;
    }
    const [silent] = idle;
    if (all.size >= most) (silent ?? socket).destroy();
    if (socket.destroyed) return;
    idle.add(socket);
    const onBusy = (isBusy: boolean): void => {
      idle.delete(socket);
      if (!isBusy) idle.add(socket);
    };
    const talk = converse(socket, { answer: parts.answer, onBusy, patienceMs }).finally(() => {
      idle.delete(socket);
      all.delete(socket);
    });
    all.set(socket, talk);
  };

  if ('path' in at) requireOwnFolder(dirname(at.path));
  const server = createServer({ allowHalfOpen: true }, accept);
  const listening = await listenAlone(server, at, anotherPlace);
  return {
    async close() {
      const closed = listening.close();
      for (const socket of all.keys()) socket.destroy();
      await Promise.all([closed, ...all.values()]);
    },
  };
}

/** Throws UNSAFE_MODE. The mend is another folder: this one may be anybody's, such as /tmp, and is not to be closed. */
function requireOwnFolder(folder: string): void {
  try {
    checkDirectory(folder);
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'UNSAFE_MODE')) throw error;
    throw new HushError('UNSAFE_MODE', error.message, {
      hint: `${anotherPlace}, in a folder that is yours alone`,
      cause: error,
    });
  }
}

/** Why a peer is not served; a peer that is gone already is nobody's concern, and is sent away too. */
function refusalOf(socket: Socket): HushError | undefined {
  try {
    const { uid } = peerCredentials(socketFd(socket));
    if (uid === process.geteuid?.()) return undefined;
    return new HushError('ACCESS_DENIED', `a client of uid ${uid} was sent away: it is another user`);
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  }
}
