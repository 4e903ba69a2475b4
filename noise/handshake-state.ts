import { copyOf, newBytes, wipe } from './bytes.ts';
import { createSymmetricState, type SplitKeys } from './symmetric-state.ts';
import { agree, keyBytes, newPrivateKey, publicKeyOf } from './x25519.ts';

type Agreement = 'ee' | 'es' | 'se' | 'ss';
type Token = 'e' | 's' | Agreement;

/** A handshake pattern of two messages, the initiator's first (Noise specification, 7). */
interface Pattern {
  readonly protocolName: string;
  /** Whether the initiator knows the responder's static key beforehand. */
  readonly knowsResponder: boolean;
  readonly messages: readonly [readonly Token[], readonly Token[]];
}

/** Both ends prove a static key; the initiator's travels sealed. */
export const patternIK: Pattern = {
  protocolName: 'Noise_IK_25519_ChaChaPoly_BLAKE2s',
  knowsResponder: true,
  messages: [
    ['e', 'es', 's', 'ss'],
    ['e', 'ee', 'se'],
  ],
};

/** Neither end proves anything. */
export const patternNN: Pattern = {
  protocolName: 'Noise_NN_25519_ChaChaPoly_BLAKE2s',
  knowsResponder: false,
  messages: [['e'], ['e', 'ee']],
};

/** What one end brings to a handshake. */
interface HandshakeParts {
  readonly pattern: Pattern;
  readonly isInitiator: boolean;
  readonly prologue: Uint8Array;
  /** This end's static private key, which stays the caller's to wipe. */
  readonly staticKey?: Uint8Array;
  /** The responder's static public key, where the initiator knows it. */
  readonly remoteStatic?: Uint8Array;
  /**
   * This end's ephemeral private key instead of a random one. Only for known answers: never the same one
   * twice.
   */
  readonly ephemeralKey?: Uint8Array;
}

/** One end of a handshake of two messages: HandshakeState of the Noise specification, 5.3. */
export interface HandshakeState {
  /** The next message, which is this end's. Undefined where no key can be agreed on with the other end's. */
  write(payload: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
  /**
   * The payload of the next message, which is the other end's. Undefined where anything at all is wrong with
   * it.
   */
  read(message: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
  /** The other end's static public key, once known. */
  remoteStatic(): Uint8Array<ArrayBuffer> | undefined;
  /** The hash of the whole handshake. */
  hash(): Uint8Array<ArrayBuffer>;
  /** The keys, after both messages. */
  split(): SplitKeys;
  /** Forgets all keys. */
  wipe(): void;
}

const lacksKey = (): RangeError => new RangeError('the handshake lacks a key of 32 bytes');

/** One end before the first message. Throws RangeError where a key that the pattern needs is not there. */
export function createHandshakeState(parts: HandshakeParts): HandshakeState {
  const { pattern, isInitiator } = parts;
  const needed = isInitiator ? parts.remoteStatic : parts.staticKey;
  if (pattern.knowsResponder && needed === undefined) throw lacksKey();
  for (const key of [parts.staticKey, parts.remoteStatic, parts.ephemeralKey]) {
    if (key !== undefined && key.byteLength !== keyBytes) throw lacksKey();
  }
  const state = createSymmetricState(pattern.protocolName, parts.prologue);
  const own: { s: Uint8Array | undefined; e: Uint8Array | undefined } = {
    s: parts.staticKey === undefined ? undefined : copyOf(parts.staticKey),
    e: undefined,
  };
  const remote: { s: Uint8Array<ArrayBuffer> | undefined; e: Uint8Array | undefined } = {
    s: parts.remoteStatic === undefined ? undefined : copyOf(parts.remoteStatic),
    e: undefined,
  };
  let messagesDone = 0;

  const known = <Key extends Uint8Array>(key: Key | undefined): Key => {
    if (key === undefined) throw lacksKey();
    return key;
  };

  if (pattern.knowsResponder) state.mixHash(isInitiator ? known(remote.s) : publicKeyOf(known(own.s)));

  /** The tokens name the initiator's key first. */
  const mixAgreement = (token: Agreement): boolean => {
    const [first, second] = token;
    const ours = isInitiator ? first : second;
    const theirs = isInitiator ? second : first;
    const secret = newBytes(keyBytes);
    try {
      const isAgreed = agree(
        known(ours === 'e' ? own.e : own.s),
        known(theirs === 'e' ? remote.e : remote.s),
        secret,
      );
      if (isAgreed) state.mixKey(secret);
      return isAgreed;
    } finally {
      wipe(secret);
    }
  };

  /** The tokens of the next message, which must be that of the initiator or that of the responder. */
  const nextTokens = (byInitiator: boolean): readonly Token[] => {
    const tokens = pattern.messages[messagesDone];
    if (tokens === undefined || byInitiator !== (messagesDone === 0)) {
      throw new RangeError('that message is not due in the handshake');
    }
    messagesDone += 1;
    return tokens;
  };

  return {
    write(payload) {
      // Two keys and two tags are the most that a message holds besides its payload.
      const message = newBytes(2 * keyBytes + 2 * 16 + payload.byteLength);
      let length = 0;
      const room = (bytes: number): Uint8Array => {
        length += bytes;
        return message.subarray(length - bytes, length);
      };
      for (const token of nextTokens(isInitiator)) {
        if (token === 'e') {
          own.e = parts.ephemeralKey === undefined ? newPrivateKey() : copyOf(parts.ephemeralKey);
          const publicKey = publicKeyOf(own.e);
          room(keyBytes).set(publicKey);
          state.mixHash(publicKey);
        } else if (token === 's') {
          state.seal(publicKeyOf(known(own.s)), room(keyBytes + state.overhead()));
        } else if (!mixAgreement(token)) {
          return undefined;
        }
      }
      state.seal(payload, room(payload.byteLength + state.overhead()));
      return copyOf(message.subarray(0, length));
    },
    read(message) {
      let at = 0;
      const take = (bytes: number): Uint8Array | undefined => {
        at += bytes;
        return at <= message.byteLength ? message.subarray(at - bytes, at) : undefined;
      };
      for (const token of nextTokens(!isInitiator)) {
        if (token === 'e') {
          const publicKey = take(keyBytes);
          if (publicKey === undefined) return undefined;
          remote.e = copyOf(publicKey);
          state.mixHash(publicKey);
        } else if (token === 's') {
          const sealed = take(keyBytes + state.overhead());
          const publicKey = newBytes(keyBytes);
          if (sealed === undefined || !state.open(sealed, publicKey)) return undefined;
          remote.s = publicKey;
        } else if (!mixAgreement(token)) {
          return undefined;
        }
      }
      const sealed = message.subarray(at);
      if (at > message.byteLength || sealed.byteLength < state.overhead()) return undefined;
      const payload = newBytes(sealed.byteLength - state.overhead());
      return state.open(sealed, payload) ? payload : undefined;
    },
    remoteStatic: () => remote.s,
    hash: () => state.hash(),
    split() {
      if (messagesDone !== pattern.messages.length) throw new RangeError('the handshake is not over');
      return state.split();
    },
    wipe() {
      if (own.s !== undefined) wipe(own.s);
      if (own.e !== undefined) wipe(own.e);
      state.wipe();
    },
  };
}
