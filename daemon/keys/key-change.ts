import sodium from 'sodium-native';

import type { SecureArena } from '../memory/secure-bytes.ts';
import type { DekLine } from './dek-index.ts';
import type { Keyset, KeyState, KeyUse, NewEntry } from './keyset.ts';
import { randomPublic } from './slot.ts';
import { hexOf } from './text.ts';
import { wrapKey } from './wrapped-key.ts';

/** Who asked for a change of the key set, and when (ISO 8601 in UTC with milliseconds). */
export interface KeyNote {
  readonly by: string;
  readonly at: string;
}

/**
 * A change of the key set that nobody may use yet: its `lines` go to the file (after `before.lines`), then to the
 * vault, and then `commit` makes it true. Dropping it instead leaves nothing behind.
 */
export interface PreparedChange {
  readonly before: Keyset;
  readonly keyset: Keyset;
  readonly lines: readonly string[];
}

/** A change of one key's state, by the key's id. */
export interface StateChange {
  readonly id: string;
  readonly state: KeyState;
}

/** The entry of a new random key: it is born in the arena, wrapped, and wiped. */
export function newKeyEntry(
  { use, keyring, tenant, version }: { readonly use: KeyUse; readonly version: number } & DekLine,
  { by, at }: KeyNote,
  { vaultId, wrappingKey, arena }: { vaultId: string; wrappingKey: Uint8Array; arena: SecureArena },
): NewEntry {
  const key = arena.allocate(32);
  try {
    sodium.randombytes_buf(key.bytes);
    return wrappedEntry({ use, keyring, tenant, version }, key.bytes, { by, at }, { vaultId, wrappingKey });
  } finally {
    key.wipe();
  }
}

/** The entry of a key that there is already, under a random id; the key stays the caller's to wipe. */
export function wrappedEntry(
  place: { readonly use: KeyUse; readonly version: number } & DekLine,
  key: Uint8Array,
  { by, at }: KeyNote,
  { vaultId, wrappingKey }: { readonly vaultId: string; readonly wrappingKey: Uint8Array },
): Extract<NewEntry, { type: 'key' }> {
  const { use, keyring, tenant, version } = place;
  const id = hexOf(randomPublic(8));
  const wrapped = wrapKey(wrappingKey, vaultId, { id, ...place }, key);
  return { type: 'key', id, use, keyring, tenant, version, wrapped, createdAt: at, by };
}

/** The entry of a key's new state. */
export const stateEntry = (id: string, state: KeyState, { by, at }: KeyNote): NewEntry => ({
  type: 'state',
  key: id,
  state,
  at,
  by,
});
