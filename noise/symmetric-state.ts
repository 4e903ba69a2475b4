import { blake2s, hashBytes, hkdf } from './blake2s.ts';
import { concatBytes, copyOf, newBytes, utf8, wipe } from './bytes.ts';
import { createCipherState, tagBytes, type CipherState } from './cipher-state.ts';

/** What both ends know of a handshake so far: SymmetricState of the Noise specification, 5.2. */
export interface SymmetricState {
  mixHash(data: Uint8Array): void;
  /** Takes in the secret of one key agreement. */
  mixKey(input: Uint8Array): void;
  /** By how many bytes a message grows when it is sealed: 0 before the first key. */
  overhead(): number;
  /** Seals `plain` into `out` (a copy before the first key), and takes the result into the hash. */
  seal(plain: Uint8Array, out: Uint8Array): void;
  /** Opens `sealed` into `out` (a copy before the first key); false where it is not genuine. */
  open(sealed: Uint8Array, out: Uint8Array): boolean;
  /** The hash of everything so far, in bytes of its own. */
  hash(): Uint8Array<ArrayBuffer>;
  /** The keys that the handshake ends with. */
  split(): SplitKeys;
  wipe(): void;
}

/** What a whole handshake leaves; `fieldKey` is the caller's to wipe. */
export interface SplitKeys {
  /** Seals what the initiator sends. */
  readonly initiator: CipherState;
  /** Seals what the responder sends. */
  readonly responder: CipherState;
  /** 32 bytes for the encryption of single fields, which say nothing of the other keys, nor they of it. */
  readonly fieldKey: Uint8Array<ArrayBuffer>;
}

const nothing = newBytes(0);
const fieldLabel = utf8('hushd field encryption v1');

/**
 * The key for single fields: the first output of HKDF(chaining key, label || handshake hash). Split itself
 * takes HKDF(chaining key, nothing), so that either is a different, independent use of the chaining key.
 */
export function fieldKeyOf(chainingKey: Uint8Array, handshakeHash: Uint8Array): Uint8Array<ArrayBuffer> {
  const key = newBytes(hashBytes);
  hkdf(chainingKey, concatBytes(fieldLabel, handshakeHash), key);
  return key;
}

/** The state before the first message of the named protocol. */
export function createSymmetricState(protocolName: string, prologue: Uint8Array): SymmetricState {
  const name = utf8(protocolName);
  const hash = newBytes(hashBytes);
  if (name.byteLength <= hashBytes) hash.set(name);
  else blake2s(hash, name);
  const chainingKey = copyOf(hash);
  let cipher: CipherState | undefined;

  const mixHash = (data: Uint8Array): void => {
    blake2s(hash, hash, data);
  };
  mixHash(prologue);

  return {
    mixHash,
    mixKey(input) {
      const key = newBytes(hashBytes);
      try {
        hkdf(chainingKey, input, chainingKey, key);
        cipher?.wipe();
        cipher = createCipherState(key);
      } finally {
        wipe(key);
      }
    },
    overhead: () => (cipher === undefined ? 0 : tagBytes),
    seal(plain, out) {
      if (cipher === undefined) out.set(plain);
      else cipher.seal(hash, plain, out);
      mixHash(out);
    },
    open(sealed, out) {
      if (cipher === undefined) out.set(sealed);
      else if (!cipher.open(hash, sealed, out)) return false;
      mixHash(sealed);
      return true;
    },
    hash: () => copyOf(hash),
    split() {
      const first = newBytes(hashBytes);
      const second = newBytes(hashBytes);
      try {
        hkdf(chainingKey, nothing, first, second);
        return {
          initiator: createCipherState(first),
          responder: createCipherState(second),
          fieldKey: fieldKeyOf(chainingKey, hash),
        };
      } finally {
        wipe(first, second);
      }
    },
    wipe() {
      wipe(chainingKey);
      cipher?.wipe();
    },
  };
}
