import type { Socket } from 'node:net';
import { concatBytes } from '../../../protocol/bytes.ts';
import { hasHungUp } from '../../../native/stream-socket.ts';
import { socketFd } from '../../../native/peer-credentials.ts';
import { sshUint32 } from '../../../daemon/signing/wire.ts';
import { mostMessageBytes } from './messages.ts';

/**
 * Gives the answer to a message; both are without their length. `isWanted` tells whether the client is still there. Never
 * rejects.
 */
export type Answer = (message: Uint8Array, isWanted: () => boolean) => Promise<Uint8Array>;

interface Conversation {
  readonly answer: Answer;
  /** Told when a message has come, and when its answer has gone. */
  readonly onBusy: (isBusy: boolean) => void;
  /** How long a message may take to come once it has begun, and an answer to be read. */
  readonly patienceMs: number;
}

/**
 * Talks with one client of the agent, one message after the other, until either end closes: whoever sends more before its
 * answer came waits in its socket. A message that is empty, too large, or does not come to its end, and an answer that
 * nobody reads, end the conversation. Never rejects.
 */
export async function converse(socket: Socket, { answer, onBusy, patienceMs }: Conversation): Promise<void> {
  let deadline: NodeJS.Timeout | undefined;
  const watch = (isOn: boolean): void => {
    clearTimeout(deadline);
    deadline = isOn ? setTimeout(() => socket.destroy(), patienceMs) : undefined;
  };
  try {
    for await (const message of messagesOf(socket, watch)) {
      onBusy(true);
      const reply = await answer(message, () => !socket.destroyed && !hasHungUp(socketFd(socket)));
      watch(true);
      await write(socket, concatBytes(sshUint32(reply.length), reply));
      watch(false);
      onBusy(false);
    }
  } catch (error) {
    // A peer that goes away, or breaks the rules of the protocol, ends its own conversation and nothing else.
    if (!(error instanceof Error)) throw error;
  } finally {
    watch(false);
    socket.destroy();
  }
}

/** Each whole message; `watch` is told whether one has begun and is not there yet. Throws where the length cannot be. */
async function* messagesOf(socket: Socket, watch: (isOn: boolean) => void): AsyncGenerator<Uint8Array> {
  const header = new Uint8Array(4);
  let message: Uint8Array | undefined;
  let filled = 0;
  // It has no encoding, so that its chunks are bytes.
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let at = 0;
    if (filled === 0 && message === undefined) watch(true);
    while (at < chunk.length) {
      const target: Uint8Array = message ?? header;
      const part = chunk.subarray(at, at + target.length - filled);
      target.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < target.length) break;
      filled = 0;
      if (message === undefined) {
        message = new Uint8Array(lengthIn(header));
        continue;
      }
      watch(false);
      yield message;
      message = undefined;
      if (at < chunk.length) watch(true);
    }
  }
}

function lengthIn(header: Uint8Array): number {
  const length = new DataView(header.buffer).getUint32(0);
  if (length > 0 && length <= mostMessageBytes) return length;
  throw new RangeError('a message of that length is none of an agent');
}

function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
