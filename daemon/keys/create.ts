import sodium from 'sodium-native';

import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { type HeaderBody, serialiseHeader } from './header.ts';
import { newKeyEntry } from './key-change.ts';
import { type Keyring, openKeyring } from './keyring.ts';
import { addEntries, emptyKeyset } from './keyset.ts';
import { makeSingleOpener } from './opener.ts';
import type { Argon2Cost, Argon2Queue } from './passphrase.ts';
import { type Credential, makeSlot, randomPublic } from './slot.ts';
import { deriveSubkeys } from './subkeys.ts';
import { hexOf } from './text.ts';

/** What the keys of a new profile are made from. */
export interface ProfileKeysOptions {
  /** One slot and one opener each: any of them alone opens the profile. */
  readonly credentials: readonly (Credential & { readonly label: string })[];
  /** The cost of the passphrase slots' Argon2id. */
  readonly argon2Cost: Argon2Cost;
  readonly argon2Queue: Argon2Queue;
  readonly arena: SecureArena;
  /** Who made the profile, as the key set tells it. */
  readonly by: string;
  /** ISO 8601 in UTC with milliseconds. */
  readonly createdAt: string;
}

/** The keys of a new profile, and what must be on disk before they are used. */
export interface ProfileKeys {
  readonly header: HeaderBody;
  /** The bytes of the header file. */
  readonly headerBytes: Uint8Array;
  /** All lines of the key set, for its file and for the vault. */
  readonly keysetLines: readonly string[];
  /** The raw key of the SQLCipher file; the caller wipes it. */
  readonly vaultFileKey: SecureBytes;
  /** The open keys; the caller closes it. */
  readonly keyring: Keyring;
}

/** The line of DEKs that seals stored secrets, and the handles of the default keyring that have no tenant. */
export const storedLine = { keyring: 'default', tenant: '' } as const;

/**
 * Makes the keys of a new profile: vault id, vault key, slots, first DEK, digest root, name-index key, audit key. The
 * only place where such keys are born without an unlock before it. Throws BAD_REQUEST for a credential of the wrong
 * length, LIMIT_EXCEEDED and UNAVAILABLE as Argon2id does.
 */
export async function createProfileKeys(options: ProfileKeysOptions): Promise<ProfileKeys> {
  const { arena, argon2Queue, argon2Cost: cost, by, createdAt } = options;
  const vaultId = hexOf(randomPublic(16));
  const vaultKey = arena.allocate(32);
  try {
    sodium.randombytes_buf(vaultKey.bytes);
    const slots: HeaderBody['slots'] = [];
    for (const credential of options.credentials) {
      const about = { label: credential.label, createdAt, cost };
      slots.push(await makeSlot(credential, about, arena, argon2Queue));
    }
    const header: HeaderBody = {
      format: 1,
      vaultId,
      generation: 1,
      createdAt,
      files: { vault: 'vault.db', keyset: 'keyset' },
      slots,
      openers: slots.map((slot) => makeSingleOpener(vaultId, slot, vaultKey.bytes)),
    };
    return { header, ...openNewKeys(header, vaultKey.bytes, { by, at: createdAt }, arena) };
  } finally {
    vaultKey.wipe();
  }
}

function openNewKeys(
  header: HeaderBody,
  vaultKey: Uint8Array,
  note: { readonly by: string; readonly at: string },
  arena: SecureArena,
): Omit<ProfileKeys, 'header'> {
  const { vaultId } = header;
  const subkeys = deriveSubkeys(vaultKey, arena);
  const { vaultFileKey, wrappingKey, macKey } = subkeys;
  try {
    const none = { keyring: '', tenant: '' };
    const entries = [
      { use: 'dek', ...storedLine },
      { use: 'digest', ...none },
      { use: 'name-index', ...none },
      { use: 'audit', ...none },
    ] as const;
    const { keyset } = addEntries(
      emptyKeyset(vaultId, 1, macKey.bytes),
      entries.map((place) =>
        newKeyEntry({ ...place, version: 1 }, note, { vaultId, wrappingKey: wrappingKey.bytes, arena }),
      ),
      macKey.bytes,
    );
    const headerBytes = serialiseHeader(header, macKey.bytes);
    const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
    return { headerBytes, keysetLines: keyset.lines, vaultFileKey, keyring };
  } catch (error) {
    subkeys.wipe();
    throw error;
  }
}
