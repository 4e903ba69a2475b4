import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import type { ProfilePaths } from '../home/paths.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { Header } from '../keys/header.ts';
import { openKeyring } from '../keys/keyring.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { parseFirstLine, readKeyset, type Keyset } from '../keys/keyset.ts';
import { deriveSubkeys } from '../keys/subkeys.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { filesOf } from '../profiles/profile-files.ts';
import { openSqlcipherStore } from '../stores/sqlcipher.ts';
import type { Remembered } from '../vault/carry-over.ts';
import { checkVault } from '../vault/vault.ts';

/*
 * A profile that a restore takes the place of may be damaged: that may be why it is restored. Each part of it is read
 * as far as that goes, and what cannot be read counts as not there.
 */

const keysetName = /^keyset(?:-([1-9][0-9]{0,15}))?$/;

/** The header of a profile; undefined where it is missing, damaged or was changed. Throws UNSAFE_MODE, NEWER_FORMAT. */
export function presentHeader({ header }: ProfilePaths): Header | undefined {
  return readable(() => readHeaderFile(header));
}

/** The id of the vault that a profile is, by its header, else by its key set; undefined where neither can be read. */
export function presentVaultId(place: ProfilePaths, header: Header | undefined): string | undefined {
  return (
    header?.body.vaultId ?? readable(() => parseFirstLine(keysetLinesOf(place, header)[0] ?? '').vaultId)
  );
}

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
      readable(() => readKeyset(lines, vaultId, subkeys.macKey.bytes));
    const ofFile = verified(readable(() => keysetLinesOf(place, header)) ?? []);
    const store = readable(() =>
      openSqlcipherStore({
        path: header === undefined ? place.vault : filesOf(place.folder, header.body.files).vault,
        label: 'the vault of the profile',
        key: subkeys.vaultFileKey.bytes,
      }),
    );
    if (store === undefined) return { keyset: ofFile, vault: undefined };
    try {
      const keyset = newest(ofFile, verified(readable(() => store.keysetLines()) ?? []));
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

/** The lines of the key set that the header names; without a header, of the one with the highest number. */
function keysetLinesOf(place: ProfilePaths, header: Header | undefined): readonly string[] {
  const path = keysetPathOf(place, header);
  return path === undefined ? [] : readKeysetFile(path).lines;
}

/** The path of that key set; undefined where there is none. */
export function keysetPathOf({ folder }: ProfilePaths, header: Header | undefined): string | undefined {
  const numberOf = (name: string): number => Number(keysetName.exec(name)?.[1] ?? 1);
  const [newestName] = readdirSync(folder)
    .filter((name) => keysetName.test(name))
    .sort((a, b) => numberOf(b) - numberOf(a));
  const name = header?.body.files.keyset ?? newestName;
  return name === undefined || !existsSync(join(folder, name)) ? undefined : join(folder, name);
}

function newest(one: Keyset | undefined, other: Keyset | undefined): Keyset | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.generation !== other.generation) return one.generation > other.generation ? one : other;
  return one.lines.length >= other.lines.length ? one : other;
}

const isUnreadable = (error: unknown): boolean =>
  error instanceof HushError && (error.code === 'DAMAGED' || error.code === 'INTEGRITY');

function readable<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}
