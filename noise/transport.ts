import { HushError } from '../protocol/errors.ts';
import { newBytes, wipe } from './bytes.ts';
import { tagBytes, type CipherState } from './cipher-state.ts';

/**
 * The longest Noise message, and the longest plaintext that one carries, in bytes (Noise specification, 3).
 */
export const longestMessage = 65_535;
export const longestPlaintext = longestMessage - tagBytes;

/**
 * After this many messages a direction goes on under the next key (REKEY; Noise specification, 11.3), so that
 * the key of the moment opens no more than 4 GiB of what went before.
 */
export const messagesPerKey = 2 ** 16;

/**
 * The sealed stream of messages that a handshake ends with, at one end. Each direction is in order and
 * without gaps.
 */
export interface Transport {
  /**
   * The hash of the handshake: the same 32 bytes at both ends of this connection and nowhere else. No secret.
   */
  readonly handshakeHash: Uint8Array;
  /** 32 bytes for the encryption of single fields (fields.ts); wiped by `wipe`. */
  readonly fieldKey: Uint8Array;
  /**
   * Seals the next message, of 0 to 65,519 bytes, into `out`, which is 16 bytes longer. Throws RangeError for
   * other lengths, UNAVAILABLE after `wipe`, and once a direction has carried 2^48 messages.
   */
  seal(plain: Uint8Array, out: Uint8Array): void;
  /**
   * Opens the other end's next message into `out`, which is 16 bytes shorter. Throws UNIDENTIFIED, with
   * everything wiped, for whatever is not that message: changed, cut, repeated, left out, out of order.
   * Throws UNAVAILABLE as `seal` does.
   */
  open(sealed: Uint8Array, out: Uint8Array): void;
  /** Forgets the keys of both directions. */
  wipe(): void;
}

/** What a transport is made of; it owns all of it from then on. */
interface TransportParts {
  readonly handshakeHash: Uint8Array;
  readonly fieldKey: Uint8Array;
  readonly sending: CipherState;
  readonly receiving: CipherState;
}

const noAd = newBytes(0);

/** What a message is refused with that is not the next one of the peer that did the handshake. */
export function notFromPeer(): HushError {
  return new HushError('UNIDENTIFIED', 'what arrived is not what the other end of the handshake sealed', {
    hint: 'something between client and daemon changes the messages; connect again without it',
  });
}

/** The transport over the keys of a handshake. */
export function createTransport({ handshakeHash, fieldKey, sending, receiving }: TransportParts): Transport {
  const wipeAll = (): void => {
    sending.wipe();
    receiving.wipe();
    wipe(fieldKey);
  };

  const rekeyWhereDue = (cipher: CipherState): void => {
    if (cipher.count() % messagesPerKey === 0) cipher.rekey();
  };

  return {
    handshakeHash,
    fieldKey,
    seal(plain, out) {
      if (plain.byteLength > longestPlaintext || out.byteLength !== plain.byteLength + tagBytes) {
        throw new RangeError('a message has at most 65,519 bytes, and 16 more when it is sealed');
      }
      sending.seal(noAd, plain, out);
      rekeyWhereDue(sending);
    },
    open(sealed, out) {
      if (
        sealed.byteLength > longestMessage ||
        sealed.byteLength < tagBytes ||
        !receiving.open(noAd, sealed, out)
      ) {
        wipeAll();
        throw notFromPeer();
      }
      rekeyWhereDue(receiving);
    },
    wipe: wipeAll,
  };
}
