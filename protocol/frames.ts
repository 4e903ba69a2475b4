// Not from 'msgpackr': its native part makes texts of short messages slower, and is one more addon in the process.
import { Packr } from 'msgpackr/pack';
import { Unpackr } from 'msgpackr/unpack';
import { HushError } from './errors.ts';
import { structuralFault } from './structure.ts';

/** The version of the wire that this release speaks, and all that it understands, newest first. */
export const protocolVersion = 1;
export const protocolVersions: readonly number[] = [1];

/** The bytes of a frame's length prefix: an unsigned 32-bit big-endian count of the bytes that follow. */
export const prefixBytes = 4;

/** The bytes that most messages fit in, values of the usual limit included. */
const usualBytes = 128 * 1024;

/** msgpackr starts a message only where this many bytes are free, and grows the buffer otherwise. */
const packerSlack = 4096;

/** Whole numbers in 64 bits come as numbers too: beyond 2^53 they are no safe integers, and every schema refuses those. */
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** An upper bound, in bytes, of what a message takes in MessagePack. */
function sizeBound(value: unknown): number {
  if (typeof value === 'string') return 5 + value.length * 3;
  if (value instanceof Uint8Array) return 5 + value.byteLength;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + sizeBound(item), 5);
  if (typeof value === 'object' && value !== null) {
    let sum = 5;
    // Messages are plain objects; `for in` makes no array of their entries.
    for (const key in value) sum += 5 + key.length * 3 + sizeBound(value[key as keyof typeof value]);
    return sum;
  }
  return 9;
}

/** Makes frames of messages. */
export interface FrameEncoder {
  /**
   * Encodes a message and hands its frame, prefix included, to `take`; the bytes are wiped when `take`
   * returns, so it copies what it keeps. Throws TOO_LARGE for a message over `maxBytes`.
   */
  encode<T>(message: object, maxBytes: number, take: (frame: Uint8Array) => T): T;
}

/**
 * An encoder with a buffer of its own, off V8's heap and outside Buffer's pool: values pass through it, and
 * it is wiped after each message.
 */
export function createFrameEncoder(): FrameEncoder {
  const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
  const newBuffer = (bytes: number): Buffer => Buffer.from(new ArrayBuffer(bytes));
  const slotOf = (buffer: Buffer) => ({ buffer, body: buffer.subarray(prefixBytes) });
  const usual = slotOf(newBuffer(usualBytes));
  return {
    encode(message, maxBytes, take) {
      const bound = sizeBound(message) + prefixBytes + packerSlack;
      const { buffer, body } = bound <= usualBytes ? usual : slotOf(newBuffer(bound));
      packr.useBuffer(body);
      const length = packr.encode(message).byteLength;
      try {
        if (length > maxBytes) {
          throw new HushError('TOO_LARGE', `the message has ${length} bytes, the limit is ${maxBytes}`, {
            limit: 'frameBytes',
          });
        }
        for (let i = 0; i < prefixBytes; i++) buffer[i] = (length >>> (24 - 8 * i)) & 0xff;
        return take(buffer.subarray(0, prefixBytes + length));
      } finally {
        // Buffer's own `fill` looks at its arguments for longer than this takes.
        Uint8Array.prototype.fill.call(buffer, 0, 0, prefixBytes + length);
      }
    },
  };
}

/**
 * Decodes the one message in `bytes[start, end)`. Binary values are views into `bytes`, not copies.
 * Throws BAD_REQUEST for anything that is not one well-formed map.
 */
export function decodeMessage(bytes: Uint8Array, start: number, end: number): Record<string, unknown> {
  const fault = structuralFault(bytes, start, end);
  if (fault !== undefined) throw new HushError('BAD_REQUEST', `the message is not well formed: ${fault}`);
  // The structural check has seen a map with unique string keys, which msgpackr gives as a plain object.
  return unpackr.unpack(bytes, { start, end }) as Record<string, unknown>;
}

/** Cuts a stream of bytes into frames. */
export interface FrameReader {
  /**
   * Takes bytes of the stream and calls `onFrame` with each whole message, in order, until it answers false;
   * what is left over is kept (copied) for the next call. Throws TOO_LARGE for a length prefix over the limit.
   */
  push(chunk: Uint8Array, onFrame: OnFrame): void;
  /** Whether bytes are kept: a begun frame, or frames put off by `onFrame`. */
  pending(): boolean;
  /** Wipes what is kept, and takes nothing any more; `onFrame` may call it too. */
  wipe(): void;
}

/** Receives the bounds of one message, without its prefix; answers whether the next one may follow at once. */
export type OnFrame = (bytes: Uint8Array, start: number, end: number) => boolean;

/** A reader of frames of at most `maxBytes` each; memory is claimed as bytes arrive, not as prefixes claim. */
export function createFrameReader(maxBytes: number): FrameReader {
  let kept = new Uint8Array(new ArrayBuffer(0));
  let keptLength = 0;
  let isOver = false;

  const drop = (): void => {
    kept.fill(0);
    kept = new Uint8Array(new ArrayBuffer(0));
    keptLength = 0;
  };

  const keep = (rest: Uint8Array): void => {
    const needed = keptLength + rest.byteLength;
    if (needed > kept.byteLength) {
      const larger = new Uint8Array(new ArrayBuffer(Math.max(1024, needed, kept.byteLength * 2)));
      larger.set(kept.subarray(0, keptLength));
      kept.fill(0);
      kept = larger;
    }
    kept.set(rest, keptLength);
    keptLength = needed;
  };

  /** Whether `onFrame` has just called `wipe`; a function, since the compiler does not see that it can. */
  const hasEnded = (): boolean => isOver;

  /** Hands over the whole frames of `bytes[0, length)`; answers how many bytes they took. */
  const cut = (bytes: Uint8Array, length: number, onFrame: OnFrame): number => {
    let at = 0;
    while (length - at >= prefixBytes) {
      const size =
        (bytes[at] ?? 0) * 0x100_0000 +
        (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
      if (size > maxBytes) {
        throw new HushError('TOO_LARGE', `the frame claims ${size} bytes, the limit is ${maxBytes}`, {
          limit: 'frameBytes',
        });
      }
      const end = at + prefixBytes + size;
      if (end > length) break;
      const goOn = onFrame(bytes, at + prefixBytes, end);
      at = end;
      if (!goOn) break;
    }
    return at;
  };

  return {
    push(chunk, onFrame) {
      if (isOver) return;
      if (keptLength === 0) {
        const taken = cut(chunk, chunk.byteLength, onFrame);
        if (taken < chunk.byteLength && !hasEnded()) keep(chunk.subarray(taken));
        return;
      }
      keep(chunk);
      const taken = cut(kept, keptLength, onFrame);
      if (hasEnded()) return;
      if (taken === keptLength) {
        drop();
      } else if (taken > 0) {
        kept.copyWithin(0, taken, keptLength);
        kept.fill(0, keptLength - taken, keptLength);
        keptLength -= taken;
      }
    },
    pending: () => keptLength > 0,
    wipe() {
      isOver = true;
      drop();
    },
  };
}
