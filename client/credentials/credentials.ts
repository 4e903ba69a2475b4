import { gcm } from '@noble/ciphers/aes.js';
import { randomBytes } from '@noble/ciphers/utils.js';
import { plaintextOf, textOf } from '../crypto-context.ts';
import type { DaemonKeyring } from './daemon-keyring.ts';
import {
  checkedEnvelope,
  credentialsOf,
  doesNotOpen,
  envelopeOf,
  isEncrypted,
  ivBytes,
  jsonOf,
  parseEnvelope,
  unknownKid,
} from './envelope.ts';
import type { CredentialEnvelope } from './envelope.ts';
import type { CredentialKeyring } from './keyring.ts';

/**
 * Seals credentials, as JSON, under the active key of a keyring: AES-256-GCM with a random nonce and no AAD. What is an
 * envelope already comes back unchanged. With a keyring of the daemon the answer is a promise. Throws BAD_REQUEST for
 * what JSON cannot hold, DAMAGED for what is marked as an envelope and is none: it would be stored in the clear.
 */
export function encryptCredentials(value: unknown, keyring: CredentialKeyring): CredentialEnvelope;
export function encryptCredentials(value: unknown, keyring: DaemonKeyring): Promise<CredentialEnvelope>;
export function encryptCredentials(
  value: unknown,
  keyring: CredentialKeyring | DaemonKeyring,
): CredentialEnvelope | Promise<CredentialEnvelope> {
  if ('encryptCredentials' in keyring) return keyring.encryptCredentials(value);
  if (isEncrypted(value)) return checkedEnvelope(value);
  const plain = plaintextOf(jsonOf(value));
  try {
    const iv = randomBytes(ivBytes);
    const ct = gcm(keyFor(keyring.activeKid, keyring), iv).encrypt(plain);
    return envelopeOf({ kid: keyring.activeKid, iv, ct });
  } finally {
    plain.fill(0);
  }
}

/**
 * Opens an envelope under the key that its kid names; anything else comes back unchanged. With a keyring of the daemon
 * the answer is a promise. Throws WRONG_KEY for an unknown kid, INTEGRITY for a wrong tag, DAMAGED for a malformed field.
 */
export function decryptCredentials(value: unknown, keyring: CredentialKeyring): unknown;
export function decryptCredentials(value: unknown, keyring: DaemonKeyring): Promise<unknown>;
export function decryptCredentials(value: unknown, keyring: CredentialKeyring | DaemonKeyring): unknown {
  if ('decryptCredentials' in keyring) return keyring.decryptCredentials(value);
  if (!isEncrypted(value)) return value;
  const { kid, iv, ct } = parseEnvelope(value);
  const plain = opened(keyFor(kid, keyring), iv, ct);
  try {
    return credentialsOf(textOf(plain));
  } finally {
    plain.fill(0);
  }
}

function keyFor(kid: string, keyring: CredentialKeyring): Uint8Array {
  const key = keyring.keyOf(kid);
  if (key === undefined) throw unknownKid(kid);
  return key;
}

function opened(key: Uint8Array, iv: Uint8Array, ct: Uint8Array): Uint8Array {
  try {
    return gcm(key, iv).decrypt(ct);
  } catch {
    throw doesNotOpen();
  }
}
