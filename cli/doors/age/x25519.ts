import { hkdfSync } from 'node:crypto';
import { createCipherState, tagBytes } from '../../../noise/cipher-state.ts';
import { agree, keyBytes, newPrivateKey, publicKeyOf } from '../../../noise/x25519.ts';
import { concatBytes, newBytes, wipe } from '../../../protocol/bytes.ts';

/** The length of a file key in bytes. */
export const fileKeyBytes = 16;

/** The length of a stanza's body: the file key and a tag. */
export const wrappedBytes = fileKeyBytes + tagBytes;

const info = 'age-encryption.org/v1/X25519';
const none = newBytes(0);

/** A file key that is wrapped for somebody: the one argument and the body of an X25519 stanza. */
export interface Wrapped {
  readonly share: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * Wraps a file key for a public key, as "The X25519 recipient type" of age-encryption.org/v1 has it: ChaCha20-Poly1305
 * with a nonce of zeros under HKDF-SHA-256 of the shared secret, salted with both public keys. Throws RangeError for a
 * public key that no secret can be shared with.
 */
export function wrapFileKey(fileKey: Uint8Array, recipient: Uint8Array): Wrapped {
  const ephemeral = newPrivateKey();
  try {
    const share = publicKeyOf(ephemeral);
    const key = wrappingKey(ephemeral, recipient, share, recipient);
    if (key === undefined) throw new RangeError('that public key is of low order');
    const cipher = createCipherState(key);
    try {
      const body = newBytes(wrappedBytes);
      cipher.seal(none, fileKey, body);
      return { share, body };
    } finally {
      cipher.wipe();
      wipe(key);
    }
  } finally {
    wipe(ephemeral);
  }
}

/** The file key in a stanza, which the caller wipes; undefined where it was wrapped for somebody else. */
export function unwrapFileKey(
  { share, body }: Wrapped,
  privateKey: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const key = wrappingKey(privateKey, share, share, publicKeyOf(privateKey));
  if (key === undefined) return undefined;
  const cipher = createCipherState(key);
  const fileKey = newBytes(fileKeyBytes);
  try {
    return cipher.open(none, body, fileKey) ? fileKey : undefined;
  } finally {
    cipher.wipe();
    wipe(key);
  }
}

function wrappingKey(
  privateKey: Uint8Array,
  publicKey: Uint8Array,
  share: Uint8Array,
  recipient: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const shared = newBytes(keyBytes);
  try {
    if (!agree(privateKey, publicKey, shared)) return undefined;
    return new Uint8Array(hkdfSync('sha256', shared, concatBytes(share, recipient), info, keyBytes));
  } finally {
    wipe(shared);
  }
}
