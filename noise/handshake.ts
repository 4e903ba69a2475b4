import { HushError } from '../protocol/errors.ts';
import { newBytes } from './bytes.ts';
import { tagBytes } from './cipher-state.ts';
import { createHandshakeState, patternIK, type HandshakeState } from './handshake-state.ts';
import { createTransport, type Transport } from './transport.ts';
import { keyBytes } from './x25519.ts';

/** The lengths of the two messages of the handshake in bytes: neither carries a payload. */
export const message1Bytes = keyBytes + (keyBytes + tagBytes) + tagBytes;
export const message2Bytes = keyBytes + tagBytes;

/** The name of the protocol, as the Noise specification writes it. */
export const enrolledProtocol = patternIK.protocolName;

const nothing = newBytes(0);

/**
 * What every handshake fails with, whatever the reason: the peer must not learn which part of it was wrong.
 */
export function handshakeFailed(): HushError {
  return new HushError('UNIDENTIFIED', 'the handshake of the enrolled client failed', {
    hint: 'the client key must be of this daemon and of a client that hush client list names there',
  });
}

/** The transport of a finished handshake, whose state is wiped by the caller. */
function transportOf(state: HandshakeState, isInitiator: boolean): Transport {
  const { initiator, responder, fieldKey } = state.split();
  return createTransport({
    handshakeHash: state.hash(),
    fieldKey,
    sending: isInitiator ? initiator : responder,
    receiving: isInitiator ? responder : initiator,
  });
}

/** What an enrolled client brings: the keys are 32 bytes each, and stay the caller's to wipe. */
interface InitiatorParts {
  /** The bytes that both ends must agree on (prologue.ts). */
  readonly prologue: Uint8Array;
  /** The client's private key. */
  readonly staticKey: Uint8Array;
  /** The daemon's public key. */
  readonly remoteStatic: Uint8Array;
}

/** An enrolled client that waits for the daemon's answer. */
export interface Initiator {
  /** What goes to the daemon: 96 bytes. */
  readonly message1: Uint8Array;
  /**
   * Takes the daemon's 48 bytes. Throws UNIDENTIFIED unless they come from the holder of the daemon's key;
   * taken once.
   */
  receive(message2: Uint8Array): Transport;
  /** Forgets the keys of a handshake that is not finished. */
  wipe(): void;
}

/**
 * Begins `Noise_IK_25519_ChaChaPoly_BLAKE2s` (Noise specification, revision 34) as an enrolled client. Throws
 * UNIDENTIFIED for a daemon's key of low order.
 */
export function beginInitiator(parts: InitiatorParts): Initiator {
  const { prologue, staticKey, remoteStatic } = parts;
  const state = createHandshakeState({
    pattern: patternIK,
    isInitiator: true,
    prologue,
    staticKey,
    remoteStatic,
  });
  const message1 = state.write(nothing);
  if (message1 === undefined) {
    state.wipe();
    throw handshakeFailed();
  }
  let isOver = false;
  const wipe = (): void => {
    isOver = true;
    state.wipe();
  };
  return {
    message1,
    receive(message2) {
      if (isOver) throw handshakeFailed();
      try {
        if (message2.byteLength !== message2Bytes || state.read(message2) === undefined)
          throw handshakeFailed();
        return transportOf(state, true);
      } finally {
        wipe();
      }
    },
    wipe,
  };
}

/** What the daemon brings: its private key of 32 bytes stays the caller's to wipe. */
interface ResponderParts {
  readonly prologue: Uint8Array;
  readonly staticKey: Uint8Array;
  /** What the client sent. */
  readonly message1: Uint8Array;
  /** Whether a client with this public key is enrolled; nothing is answered to any other. */
  readonly isEnrolled: (remoteStatic: Uint8Array) => boolean;
}

/** The daemon's end of a handshake. */
export interface Accepted {
  /**
   * The client's public key. It is proved by the first message that the transport opens: message 1 alone may
   * be repeated by anybody.
   */
  readonly remoteStatic: Uint8Array;
  /** What goes to the client: 48 bytes. */
  readonly message2: Uint8Array;
  readonly transport: Transport;
}

/**
 * Answers an enrolled client's first message. Throws UNIDENTIFIED for any other, the same whatever is wrong
 * with it.
 */
export function acceptResponder(parts: ResponderParts): Accepted {
  const { prologue, staticKey, message1, isEnrolled } = parts;
  if (message1.byteLength !== message1Bytes) throw handshakeFailed();
  const state = createHandshakeState({ pattern: patternIK, isInitiator: false, prologue, staticKey });
  try {
    if (state.read(message1) === undefined) throw handshakeFailed();
    const remoteStatic = state.remoteStatic();
    if (remoteStatic === undefined || !isEnrolled(remoteStatic)) throw handshakeFailed();
    const message2 = state.write(nothing);
    if (message2 === undefined) throw handshakeFailed();
    return { remoteStatic, message2, transport: transportOf(state, false) };
  } finally {
    state.wipe();
  }
}
