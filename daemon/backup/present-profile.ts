import type { ProfilePaths } from '../home/paths.ts';
import type { Header } from '../keys/header.ts';
import { openKeyring } from '../keys/keyring.ts';
import { readKeyset, type Keyset } from '../keys/keyset.ts';
import { deriveSubkeys } from '../keys/subkeys.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { filesOf } from '../profiles/profile-files.ts';
import { ifReadable, isUnreadable, presentKeysetLines } from '../profiles/unopened.ts';
import { openSqlcipherStore } from '../stores/sqlcipher.ts';
import type { Remembered } from '../vault/carry-over.ts';
import { checkVault } from '../vault/vault.ts';

/*
 * A profile that a restore takes the place of may be damaged: that may be why it is restored. Each part of it is read
 * as far as that goes, and what cannot be read counts as not there.
 */

/** What a profile's key set and vault hold under a vault key. */
export interface PresentContents {
  /** The longest key set of the newest generation that has verified. */
  readonly keyset: Keyset | undefined;
  /** Of the vault, if all of it has verified. */
  readonly vault: (Remembered & { readonly commit: number }) | undefined;
}

/**
 * The key set of a profile, out of its file and its vault, and what the vault remembers, under a vault key (32 bytes).
 * Throws NEWER_FORMAT, UNSAFE_MODE.
 */
export async function presentContents(
  place: ProfilePaths,
  header: Header | undefined,
  vaultId: string,
  vaultKey: Uint8Array,
  arena: SecureArena,
): Promise<PresentContents> {
  const subkeys = deriveSubkeys(vaultKey, arena);
  try {
    const verified = (lines: readonly string[]): Keyset | undefined =>
      ifReadable(() => readKeyset(lines, vaultId, subkeys.macKey.bytes));
    const ofFile = verified(ifReadable(() => presentKeysetLines(place, header)) ?? []);
    const store = ifReadable(() =>
      openSqlcipherStore({
        path: header === undefined ? place.vault : filesOf(place.folder, header.body.files).vault,
        label: 'the vault of the profile',
        key: subkeys.vaultFileKey.bytes,
      }),
    );
    if (store === undefined) return { keyset: ofFile, vault: undefined };
    try {
      const keyset = newest(ofFile, verified(ifReadable(() => store.keysetLines()) ?? []));
      if (keyset === undefined) return { keyset, vault: undefined };
      const { vaultFileKey, wrappingKey, macKey } = deriveSubkeys(vaultKey, arena);
      vaultFileKey.wipe();
      const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
      try {
        const { commit } = await checkVault({ store, keyring, arena });
        return { keyset, vault: { commit, counters: store.counters(), facts: store.facts() } };
      } catch (error) {
        if (isUnreadable(error)) return { keyset, vault: undefined };
        throw error;
      } finally {
        keyring.close();
      }
    } finally {
      store.close();
    }
  } finally {
    subkeys.wipe();
  }
}

function newest(one: Keyset | undefined, other: Keyset | undefined): Keyset | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.generation !== other.generation) return one.generation > other.generation ? one : other;
  return one.lines.length >= other.lines.length ? one : other;
}
