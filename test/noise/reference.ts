import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';

const { concat } = Buffer;

/** HKDF of the Noise specification, with as many outputs as asked for. */
export function referenceHkdf(chainingKey: Uint8Array, input: Uint8Array, outputs: number): Uint8Array[] {
  const temporary = hmac(blake2s, chainingKey, input);
  const all: Uint8Array[] = [];
  for (let number = 1; number <= outputs; number++) {
    all.push(hmac(blake2s, temporary, concat([all.at(-1) ?? new Uint8Array(0), Uint8Array.of(number)])));
  }
  return all;
}

export function referenceNonce(count: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(count), 4);
  return nonce;
}

interface Keys {
  readonly s: Uint8Array;
  readonly e: Uint8Array;
}

/** What both ends of a whole handshake know afterwards, and what went between them. */
export interface ReferenceHandshake {
  readonly message1: Uint8Array;
  readonly message2: Uint8Array;
  readonly hash: Uint8Array;
  readonly chainingKey: Uint8Array;
  readonly initiatorKey: Uint8Array;
  readonly responderKey: Uint8Array;
}

/**
 * A whole `Noise_IK_25519_ChaChaPoly_BLAKE2s` handshake from the keys of both ends, line by line as the
 * specification prints it, on other primitives than hushd's.
 */
export function referenceIK(
  prologue: Uint8Array,
  initiator: Keys,
  responder: Keys,
  payload1: Uint8Array = new Uint8Array(0),
  payload2: Uint8Array = new Uint8Array(0),
): ReferenceHandshake {
  const publicOf = (key: Uint8Array): Uint8Array => x25519.getPublicKey(key);
  const agreed = (key: Uint8Array, other: Uint8Array): Uint8Array =>
    x25519.getSharedSecret(key, publicOf(other));
  let h = blake2s(new TextEncoder().encode('Noise_IK_25519_ChaChaPoly_BLAKE2s'));
  let ck = h;
  let k = new Uint8Array(0);
  let n = 0;
  const mixHash = (data: Uint8Array): void => {
    h = blake2s(concat([h, data]));
  };
  const mixKey = (input: Uint8Array): void => {
    const [first, second] = referenceHkdf(ck, input, 2);
    ck = Uint8Array.from(first ?? []);
    k = Uint8Array.from(second ?? []);
    n = 0;
  };
  const encryptAndHash = (plain: Uint8Array): Uint8Array => {
    const sealed = chacha20poly1305(k, referenceNonce(n), h).encrypt(plain);
    n += 1;
    mixHash(sealed);
    return sealed;
  };

  mixHash(prologue);
  mixHash(publicOf(responder.s));

  mixHash(publicOf(initiator.e));
  mixKey(agreed(initiator.e, responder.s));
  const sealedStatic = encryptAndHash(publicOf(initiator.s));
  mixKey(agreed(initiator.s, responder.s));
  const message1 = concat([publicOf(initiator.e), sealedStatic, encryptAndHash(payload1)]);

  mixHash(publicOf(responder.e));
  mixKey(agreed(responder.e, initiator.e));
  mixKey(agreed(responder.e, initiator.s));
  const message2 = concat([publicOf(responder.e), encryptAndHash(payload2)]);

  const [initiatorKey, responderKey] = referenceHkdf(ck, new Uint8Array(0), 2);
  return {
    message1,
    message2,
    hash: h,
    chainingKey: ck,
    initiatorKey: Uint8Array.from(initiatorKey ?? []),
    responderKey: Uint8Array.from(responderKey ?? []),
  };
}

/** The same for `Noise_NN_25519_ChaChaPoly_BLAKE2s` from both ephemeral private keys, payloads empty. */
export function referenceNN(
  prologue: Uint8Array,
  initiator: Uint8Array,
  responder: Uint8Array,
): Pick<ReferenceHandshake, 'message1' | 'message2' | 'hash' | 'chainingKey'> {
  const name = new TextEncoder().encode('Noise_NN_25519_ChaChaPoly_BLAKE2s');
  const ck = blake2s(name);
  let h = blake2s(concat([ck, prologue]));
  const message1 = x25519.getPublicKey(initiator);
  h = blake2s(concat([h, message1]));
  h = blake2s(concat([h, new Uint8Array(0)]));
  const e = x25519.getPublicKey(responder);
  h = blake2s(concat([h, e]));
  const [chainingKey, k] = referenceHkdf(ck, x25519.getSharedSecret(responder, message1), 2);
  const sealed = chacha20poly1305(Uint8Array.from(k ?? []), referenceNonce(0), h).encrypt(new Uint8Array(0));
  h = blake2s(concat([h, sealed]));
  return {
    message1,
    message2: concat([e, sealed]),
    hash: h,
    chainingKey: Uint8Array.from(chainingKey ?? []),
  };
}
