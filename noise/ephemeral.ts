import { HushError } from '../protocol/errors.ts';
import { newBytes } from './bytes.ts';
import { tagBytes } from './cipher-state.ts';
import { createHandshakeState, patternNN, type HandshakeState } from './handshake-state.ts';
import { keyBytes } from './x25519.ts';

/** The lengths of the two messages in bytes. */
export const ephemeralMessage1Bytes = keyBytes;
export const ephemeralMessage2Bytes = keyBytes + tagBytes;

/** The name of the protocol, as the Noise specification writes it. */
export const ephemeralProtocol = patternNN.protocolName;

const nothing = newBytes(0);

/** What every handshake between ephemeral keys fails with. */
function handshakeFailed(): HushError {
  return new HushError('UNIDENTIFIED', 'the handshake for field encryption failed', {
    hint: 'something between client and daemon changes the messages; connect again without it',
  });
}

/** The key of single fields, of a finished handshake; everything else of it is wiped. */
function fieldKeyOnly(state: HandshakeState): Uint8Array<ArrayBuffer> {
  const { initiator, responder, fieldKey } = state.split();
  initiator.wipe();
  responder.wipe();
  return fieldKey;
}

/** A client that waits for the daemon's ephemeral key. */
export interface EphemeralInitiator {
  /** What goes to the daemon: 32 bytes. */
  readonly message1: Uint8Array;
  /**
   * Takes the daemon's 48 bytes; the field key of 32 bytes is the caller's to wipe. Throws UNIDENTIFIED;
   * taken once.
   */
  receive(message2: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Forgets the key of a handshake that is not finished. */
  wipe(): void;
}

/**
 * Begins `Noise_NN_25519_ChaChaPoly_BLAKE2s`: two ephemeral keys, for field encryption on a connection
 * without enrolled client. It proves nothing of who is at the other end; the kernel says that.
 */
export function beginEphemeral(prologue: Uint8Array): EphemeralInitiator {
  const state = createHandshakeState({ pattern: patternNN, isInitiator: true, prologue });
  const message1 = state.write(nothing);
  if (message1 === undefined) throw handshakeFailed();
  let isOver = false;
  const end = (): void => {
    isOver = true;
    state.wipe();
  };
  return {
    message1,
    receive(message2) {
      if (isOver) throw handshakeFailed();
      try {
        if (message2.byteLength !== ephemeralMessage2Bytes || state.read(message2) === undefined) {
          throw handshakeFailed();
        }
        return fieldKeyOnly(state);
      } finally {
        end();
      }
    },
    wipe: end,
  };
}

/** Answers a client's ephemeral key; `fieldKey` is the caller's to wipe. Throws UNIDENTIFIED. */
export function acceptEphemeral(
  prologue: Uint8Array,
  message1: Uint8Array,
): { readonly message2: Uint8Array; readonly fieldKey: Uint8Array<ArrayBuffer> } {
  if (message1.byteLength !== ephemeralMessage1Bytes) throw handshakeFailed();
  const state = createHandshakeState({ pattern: patternNN, isInitiator: false, prologue });
  try {
    const payload = state.read(message1);
    const message2 = state.write(nothing);
    if (payload === undefined || message2 === undefined) throw handshakeFailed();
    return { message2, fieldKey: fieldKeyOnly(state) };
  } finally {
    state.wipe();
  }
}
