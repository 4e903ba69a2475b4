import { HushError } from '../protocol/errors.ts';
import { isClientName, parseClientName } from '../protocol/names.ts';
import { newBytes } from './bytes.ts';
import { type KeyTextKind, readKeyText, writeKeyText } from './key-text.ts';
import { isUsablePublicKey, keyBytes, publicKeyOf } from './x25519.ts';

/** What an enrolled client holds: its own key pair, and whom it talks to. */
export interface ClientKey {
  /** The name under which the daemon knows the client: 1-64 of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** 32 bytes; the owner of the object wipes them. */
  readonly privateKey: Uint8Array<ArrayBuffer>;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** The public key of the daemon, which the client accepts no other instead of. */
  readonly daemonKey: Uint8Array<ArrayBuffer>;
}

const kind: KeyTextKind = {
  magic: 'hushd-client',
  noun: 'client key',
  hint: 'hush client add, on the host of the daemon, writes a new one',
};

/**
 * The bytes of a client's key file, which the caller wipes. It belongs in a file of mode 0600. Throws
 * INVALID_NAME.
 */
export function writeClientKey({ name, privateKey, daemonKey }: ClientKey): Uint8Array<ArrayBuffer> {
  return writeKeyText(kind, [
    ['name', parseClientName(name)],
    ['private', privateKey],
    ['public', publicKeyOf(privateKey)],
    ['daemon', daemonKey],
  ]);
}

/**
 * Reads a client's key file; the caller wipes `file`. Throws DAMAGED, naming what is mistyped, and
 * NEWER_FORMAT. No error holds any part of a key.
 */
export function parseClientKey(file: Uint8Array): ClientKey {
  const text = readKeyText(kind, ['name', 'private', 'public', 'daemon'], file);
  const key = {
    name: text.text('name'),
    privateKey: newBytes(keyBytes),
    publicKey: newBytes(keyBytes),
    daemonKey: newBytes(keyBytes),
  };
  try {
    text.key('private', key.privateKey);
    text.key('public', key.publicKey);
    text.key('daemon', key.daemonKey);
    text.check(key.privateKey, key.publicKey);
    if (!isClientName(key.name)) {
      throw new HushError('DAMAGED', 'the name in the client key is none', { hint: kind.hint });
    }
    if (!isUsablePublicKey(key.daemonKey)) {
      throw new HushError('DAMAGED', 'the daemon in the client key is no public key', { hint: kind.hint });
    }
    return key;
  } catch (error) {
    key.privateKey.fill(0);
    throw error;
  }
}
