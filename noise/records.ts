import { HushError } from '../protocol/errors.ts';
import { createFrameReader, prefixBytes } from '../protocol/frames.ts';
import { concatBytes, newBytes } from './bytes.ts';
import { tagBytes } from './cipher-state.ts';
import { longestMessage, longestPlaintext, notFromPeer, type Transport } from './transport.ts';

/** The longest hello, either way, that a handshake may follow, in bytes and without its prefix. */
export const longestHello = 4096;

/**
 * The prologue of a handshake: the exact bytes of the client's hello and of the daemon's reply to it, as they
 * went over the socket, each with its length prefix. Both are kept until the handshake. Throws BAD_REQUEST
 * for a hello of more than 4,096 bytes.
 */
export function prologueOf(clientHello: Uint8Array, daemonHello: Uint8Array): Uint8Array<ArrayBuffer> {
  if (Math.max(clientHello.byteLength, daemonHello.byteLength) > prefixBytes + longestHello) {
    throw new HushError('BAD_REQUEST', `a hello before a handshake has at most ${longestHello} bytes`);
  }
  return concatBytes(clientHello, daemonHello);
}

/** What a record has besides its plaintext, in bytes. */
const recordOverhead = prefixBytes + tagBytes;

/** How many bytes `sealRecords` writes for so many bytes of plaintext. */
export function sealedLength(plainBytes: number): number {
  return plainBytes + Math.ceil(plainBytes / longestPlaintext) * recordOverhead;
}

/**
 * Seals bytes of the stream of frames as records into the start of `out`, and answers how many bytes they
 * take. A record is a frame whose body is one Noise message of at most 65,535 bytes; where frames begin and
 * end in it does not matter. Throws RangeError where `out` is too short, UNAVAILABLE where the transport is
 * over.
 */
export function sealRecords(transport: Transport, plain: Uint8Array, out: Uint8Array): number {
  if (out.byteLength < sealedLength(plain.byteLength))
    throw new RangeError('there is no room for the records');
  let written = 0;
  for (let at = 0; at < plain.byteLength; at += longestPlaintext) {
    const piece = plain.subarray(at, at + longestPlaintext);
    const length = piece.byteLength + tagBytes;
    for (let i = 0; i < prefixBytes; i++) out[written++] = (length >>> (24 - 8 * i)) & 0xff;
    transport.seal(piece, out.subarray(written, written + length));
    written += length;
  }
  return written;
}

/** Opens a stream of records into the stream of frames that is sealed in it. */
export interface RecordReader {
  /**
   * Takes bytes from the socket and calls `onPlain` with the plaintext of each whole record, in order, until
   * it answers false; what is left over is kept for the next call. The plaintext is wiped when `onPlain`
   * returns. Throws TOO_LARGE for a record that claims more than 65,535 bytes, UNIDENTIFIED for one that is
   * not the peer's next one; the connection must then close.
   */
  push(chunk: Uint8Array, onPlain: (plain: Uint8Array) => boolean): void;
  /** Whether bytes are kept: a begun record, or records put off by `onPlain`. */
  pending(): boolean;
  /**
   * Wipes what is kept, and takes nothing any more; `onPlain` may call it too. The transport stays as it is.
   */
  wipe(): void;
}

/** A reader of records. It keeps at most one record that is not whole, and one buffer for plaintext. */
export function createRecordReader(transport: Transport): RecordReader {
  const frames = createFrameReader(longestMessage);
  let opened = newBytes(1024);
  return {
    push(chunk, onPlain) {
      frames.push(chunk, (bytes, start, end) => {
        const length = end - start - tagBytes;
        // No one sends an empty record: refusing it spares a bound on how many may come.
        if (length <= 0) {
          transport.wipe();
          throw notFromPeer();
        }
        if (length > opened.byteLength)
          opened = newBytes(Math.min(longestPlaintext, Math.max(length, 2 * opened.byteLength)));
        const plain = opened.subarray(0, length);
        try {
          transport.open(bytes.subarray(start, end), plain);
          return onPlain(plain);
        } finally {
          plain.fill(0);
        }
      });
    },
    pending: () => frames.pending(),
    wipe() {
      frames.wipe();
    },
  };
}
