import { HushError } from '../../protocol/errors.ts';
import { parseDaemonKey, writeDaemonKey } from '../../noise/daemon-key.ts';
import { longestKeyText } from '../../noise/key-text.ts';
import { keyBytes, newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { readSafeFile, writeFileAtomic } from '../home/files.ts';
import { copyBytes, wipe } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';

/** The key pair by which enrolled clients know the daemon, the private half in the arena. */
export interface StaticKey {
  readonly private: SecureBytes;
  readonly public: Uint8Array<ArrayBuffer>;
}

/**
 * The key pair in the file at `path`; undefined if there is none. Throws DAMAGED, NEWER_FORMAT, UNSAFE_MODE if others
 * can reach the file, UNAVAILABLE.
 */
export function readStaticKey(path: string, arena: SecureArena): StaticKey | undefined {
  const file = readSafeFile(path, longestKeyText);
  if (file === undefined) return undefined;
  try {
    const { privateKey, publicKey } = parseDaemonKey(file);
    try {
      return heldIn(arena, privateKey, publicKey);
    } finally {
      wipe(privateKey);
    }
  } finally {
    wipe(file);
  }
}

/** Makes a key pair, and puts it into the file at `path`, which must not be there. Throws EXISTS, UNAVAILABLE. */
export function makeStaticKey(path: string, arena: SecureArena): StaticKey {
  const privateKey = newPrivateKey();
  const publicKey = publicKeyOf(privateKey);
  const file = writeDaemonKey({ privateKey, publicKey });
  try {
    if (readSafeFile(path, longestKeyText) !== undefined) {
      throw new HushError('EXISTS', `${path} exists already`, { hint: 'hush stop, then hush start' });
    }
    writeFileAtomic(path, file);
    return heldIn(arena, privateKey, publicKey);
  } finally {
    wipe(privateKey, file);
  }
}

function heldIn(arena: SecureArena, privateKey: Uint8Array, publicKey: Uint8Array): StaticKey {
  const held = arena.allocate(keyBytes);
  held.bytes.set(privateKey);
  return { private: held, public: copyBytes(publicKey) };
}
