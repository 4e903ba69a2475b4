import { newBytes } from './bytes.ts';
import { type KeyTextKind, readKeyText, writeKeyText } from './key-text.ts';
import { keyBytes, publicKeyOf } from './x25519.ts';

/** The key pair by which enrolled clients know the daemon. */
export interface DaemonKey {
  /** 32 bytes; the owner of the object wipes them. */
  readonly privateKey: Uint8Array<ArrayBuffer>;
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

const kind: KeyTextKind = {
  magic: 'hushd-daemon',
  noun: 'daemon key',
  hint: 'put it back from a backup: every enrolled client knows the daemon by this key',
};

/** The bytes of the daemon's key file, which the caller wipes. It belongs in a file of mode 0600. */
export function writeDaemonKey({ privateKey }: DaemonKey): Uint8Array<ArrayBuffer> {
  return writeKeyText(kind, [
    ['private', privateKey],
    ['public', publicKeyOf(privateKey)],
  ]);
}

/**
 * Reads the daemon's key file; the caller wipes `file`. Throws DAMAGED, naming what is mistyped, and
 * NEWER_FORMAT.
 */
export function parseDaemonKey(file: Uint8Array): DaemonKey {
  const text = readKeyText(kind, ['private', 'public'], file);
  const key = { privateKey: newBytes(keyBytes), publicKey: newBytes(keyBytes) };
  try {
    text.key('private', key.privateKey);
    text.key('public', key.publicKey);
    text.check(key.privateKey, key.publicKey);
    return key;
  } catch (error) {
    key.privateKey.fill(0);
    throw error;
  }
}
