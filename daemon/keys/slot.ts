import sodium from 'sodium-native';

import { HushError } from '../../protocol/errors.ts';
import { equalBytes, newBytes } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { slotKeyInfo } from './contexts.ts';
import type { Slot, SlotKdf } from './header.ts';
import { hkdfSha256 } from './hmac.ts';
import { publicKeyOf } from './hpke.ts';
import { type Argon2Cost, type Argon2Queue, argon2SaltLength, checkPassphrase } from './passphrase.ts';
import { base64Of, checkedBase64, hexOf, utf8 } from './text.ts';

/** What a slot is opened with. */
export type CredentialKind = 'passphrase' | 'key' | 'recovery';

/** Something that may open a slot of its kind. The secret stays its giver's to wipe. */
export interface Credential {
  readonly kind: CredentialKind;
  /** A passphrase of 1 to 4096 bytes, or a key or recovery key of 32. */
  readonly secret: Uint8Array;
}

/** Throws BAD_REQUEST unless the secret has the length that its kind asks for. */
export function checkCredential({ kind, secret }: Credential): void {
  if (kind === 'passphrase') {
    checkPassphrase(secret);
  } else if (secret.length !== 32) {
    throw new HushError('BAD_REQUEST', `a ${kind === 'key' ? 'key' : 'recovery key'} is 32 bytes`, {
      hint: 'give 64 hex digits or the base64 of 32 bytes',
    });
  }
}

/**
 * The master key that a credential gives under a slot's KDF, in arena memory that the caller wipes: Argon2id of a
 * passphrase, HKDF-SHA-256 of a key. It is the X25519 private half of the slot. Throws BAD_REQUEST for a secret of
 * the wrong length, LIMIT_EXCEEDED or UNAVAILABLE as the queue does.
 */
export async function deriveSlotKey(
  credential: Credential,
  kdf: SlotKdf,
  arena: SecureArena,
  argon2Queue: Argon2Queue,
): Promise<SecureBytes> {
  checkCredential(credential);
  const salt = checkedBase64(kdf.salt);
  const privateKey = arena.allocate(32);
  try {
    if (kdf.name === 'argon2id') {
      await argon2Queue.derive(credential.secret, salt, kdf, privateKey.bytes);
    } else {
      const info = credential.kind === 'recovery' ? slotKeyInfo.recovery : slotKeyInfo.key;
      hkdfSha256(credential.secret, salt, utf8(info), privateKey.bytes);
    }
    return privateKey;
  } catch (error) {
    privateKey.wipe();
    throw error;
  }
}

/** Whether a credential is that of a slot. Throws as `deriveSlotKey` does. */
export async function fitsSlot(
  credential: Credential,
  slot: Slot,
  arena: SecureArena,
  argon2Queue: Argon2Queue,
): Promise<boolean> {
  const privateKey = await deriveSlotKey(credential, slot.kdf, arena, argon2Queue);
  try {
    return equalBytes(publicKeyOf(privateKey.bytes), checkedBase64(slot.public));
  } finally {
    privateKey.wipe();
  }
}

/** `length` random bytes that are no secret: an id or a salt. */
export function randomPublic(length: number): Uint8Array {
  const bytes = newBytes(length);
  sodium.randombytes_buf(bytes);
  return bytes;
}

function newKdf(kind: CredentialKind, cost: Argon2Cost): SlotKdf {
  return kind === 'passphrase'
    ? {
        name: 'argon2id',
        salt: base64Of(randomPublic(argon2SaltLength)),
        memoryKiB: cost.memoryKiB,
        passes: cost.passes,
        lanes: 1,
      }
    : { name: 'hkdf-sha256', salt: base64Of(randomPublic(32)) };
}

/** A new slot for a credential; `cost` matters to a passphrase only. Throws as `deriveSlotKey` does. */
export async function makeSlot(
  credential: Credential,
  { label, createdAt, cost }: { label: string; createdAt: string; cost: Argon2Cost },
  arena: SecureArena,
  argon2Queue: Argon2Queue,
): Promise<Slot> {
  const kdf = newKdf(credential.kind, cost);
  const privateKey = await deriveSlotKey(credential, kdf, arena, argon2Queue);
  try {
    return {
      id: hexOf(randomPublic(8)),
      kind: credential.kind,
      label,
      createdAt,
      public: base64Of(publicKeyOf(privateKey.bytes)),
      kdf,
    };
  } finally {
    privateKey.wipe();
  }
}

/**
 * The same slot for another credential of its kind, or at another cost: id, label and time stay, the salt is new.
 * Throws as `deriveSlotKey` does.
 */
export async function remakeSlot(
  { id, label, createdAt }: Slot,
  credential: Credential,
  cost: Argon2Cost,
  arena: SecureArena,
  argon2Queue: Argon2Queue,
): Promise<Slot> {
  return { ...(await makeSlot(credential, { label, createdAt, cost }, arena, argon2Queue)), id };
}
