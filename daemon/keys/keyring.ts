import sodium from 'sodium-native';

import { HushError } from '../../protocol/errors.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { createAesGcm } from './aes-gcm.ts';
import { digestKeyInfo } from './contexts.ts';
import {
  closeDeks,
  type Dek,
  type DekLine,
  type DekIndex,
  indexDeks,
  type LineOfDeks,
  openableRecord,
  sealingRecord,
} from './dek-index.ts';
import { hkdfSha256 } from './hmac.ts';
import {
  addEntries,
  type KeyRecord,
  type Keyset,
  type KeyState,
  type KeyUse,
  type NewEntry,
} from './keyset.ts';
import { randomPublic } from './slot.ts';
import { hexOf, utf8 } from './text.ts';
import { unwrapKey, wrapKey } from './wrapped-key.ts';

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

/** The open keys of an unlocked profile. All throw LOCKED after `close`. */
export interface Keyring {
  readonly vaultId: string;
  /** The key set as it stands. */
  keyset(): Keyset;
  /**
   * The DEK that new values of a line are sealed under. Throws KEY_DESTROYED, UNAVAILABLE when the newest is retired,
   * INTEGRITY when there is no such line (see `hasLine`).
   */
  activeDek(keyring: string, tenant: string): Dek;
  /** The DEK of one version. Throws KEY_DESTROYED; INTEGRITY when there never was one. */
  dek(keyring: string, tenant: string, version: number): Dek;
  hasLine(keyring: string, tenant: string): boolean;
  /** All lines of DEKs, those of one keyring together. */
  lines(): readonly DekLine[];
  /**
   * A first DEK for lines that have none, and one more version for lines that do (`keys rotate`, or opening anew a line
   * whose keys were destroyed: the caller decides which of the two it meant). Throws BAD_REQUEST for too long a name.
   */
  prepareDeks(lines: readonly DekLine[], note: KeyNote): PreparedChange;
  /** One more version of the audit key. */
  prepareAuditKey(note: KeyNote): PreparedChange;
  /** New states for keys. Throws INTEGRITY for a state that has no way back. */
  prepareStates(changes: readonly StateChange[], note: KeyNote): PreparedChange;
  /** Makes a change true, once file and vault hold it. Throws CONFLICT when another came between. */
  commit(change: PreparedChange): void;
  /** Fills the 32 bytes of `out` with the digest key of a keyring (HKDF-SHA-256 of the digest root); the caller wipes. */
  digestKey(keyring: string, out: Uint8Array): void;
  /** The key of the names' hashes and of what freshness derives. Stays the keyring's to wipe. */
  nameIndexKey(): SecureBytes;
  /** The newest key of the audit's seals. Stays the keyring's to wipe. */
  auditKey(): { readonly version: number; readonly key: SecureBytes };
  /** The audit key of one version. Throws KEY_DESTROYED; INTEGRITY when there never was one. */
  auditKeyOf(version: number): SecureBytes;
  /** Wipes every key. Further calls do nothing. */
  close(): void;
}

/** What a keyring is opened with; it owns both keys from then on, and wipes them even when it does not open. */
export interface KeyringParts {
  readonly keyset: Keyset;
  readonly wrappingKey: SecureBytes;
  readonly macKey: SecureBytes;
  readonly arena: SecureArena;
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
    const id = hexOf(randomPublic(8));
    const wrapped = wrapKey(wrappingKey, vaultId, { id, use, keyring, tenant, version }, key.bytes);
    return { type: 'key', id, use, keyring, tenant, version, wrapped, createdAt: at, by };
  } finally {
    key.wipe();
  }
}

/**
 * Opens the keys of a key set that has verified. A DEK is unwrapped when it is first used, into a cipher, and does not
 * stay in memory of ours. Throws INTEGRITY when a key that every profile has is missing or does not unwrap.
 */
export function openKeyring({ keyset: opened, wrappingKey, macKey, arena }: KeyringParts): Keyring {
  const { vaultId } = opened;
  let keyset = opened;
  let index: DekIndex = indexDeks(opened, new Map());
  let others = Map.groupBy(opened.keys.values(), ({ entry }) => entry.use);
  let open = true;
  const named = new Map<string, SecureBytes>();

  function close(): void {
    if (!open) return;
    open = false;
    closeDeks(index);
    for (const key of named.values()) key.wipe();
    wrappingKey.wipe();
    macKey.wipe();
  }

  function checkOpen(): void {
    if (!open) throw new HushError('LOCKED');
  }

  function unwrap({ entry }: KeyRecord): SecureBytes {
    const key = arena.allocate(32);
    try {
      unwrapKey(wrappingKey.bytes, vaultId, entry, key.bytes);
      return key;
    } catch (error) {
      key.wipe();
      throw error;
    }
  }

  const recordsOf = (use: KeyUse): readonly KeyRecord[] => others.get(use) ?? [];

  function newestOf(use: KeyUse): KeyRecord {
    const newest = recordsOf(use).at(-1);
    if (newest === undefined) throw new HushError('INTEGRITY', `the key set has no ${use} key`);
    return newest;
  }

  /** A key that is no DEK, unwrapped once. */
  function namedKey(record: KeyRecord): SecureBytes {
    checkOpen();
    if (record.state === 'destroyed') throw new HushError('KEY_DESTROYED');
    const key = named.get(record.entry.id) ?? unwrap(record);
    named.set(record.entry.id, key);
    return key;
  }

  const lineAt = (keyring: string, tenant: string): LineOfDeks | undefined => index.get(keyring)?.get(tenant);

  function dekOf(record: KeyRecord, line: LineOfDeks | undefined): Dek {
    const { keyring, tenant, version } = record.entry;
    const present = line?.deks[version];
    if (present !== undefined) return present;
    const key = unwrap(record);
    try {
      const dek: Dek = { keyring, tenant, version, cipher: createAesGcm(key.bytes) };
      if (line !== undefined) line.deks[version] = dek;
      return dek;
    } finally {
      key.wipe();
    }
  }

  function prepare(entries: readonly NewEntry[]): PreparedChange {
    checkOpen();
    const added = addEntries(keyset, entries, macKey.bytes);
    return { before: keyset, keyset: added.keyset, lines: added.lines };
  }

  function newEntry(use: KeyUse, line: DekLine, version: number, note: KeyNote): NewEntry {
    checkOpen();
    return newKeyEntry({ use, ...line, version }, note, { vaultId, wrappingKey: wrappingKey.bytes, arena });
  }

  try {
    for (const use of ['digest', 'name-index', 'audit'] as const) namedKey(newestOf(use));
  } catch (error) {
    close();
    throw error;
  }

  return {
    vaultId,
    keyset: () => keyset,
    activeDek(keyring, tenant) {
      checkOpen();
      const line = lineAt(keyring, tenant);
      return dekOf(sealingRecord(line, { keyring, tenant }), line);
    },
    dek(keyring, tenant, version) {
      checkOpen();
      const line = lineAt(keyring, tenant);
      return line?.deks[version] ?? dekOf(openableRecord(line, { keyring, tenant }, version), line);
    },
    hasLine: (keyring, tenant) => lineAt(keyring, tenant) !== undefined,
    lines: () =>
      [...index].flatMap(([keyring, tenants]) => [...tenants.keys()].map((tenant) => ({ keyring, tenant }))),
    prepareDeks: (lines, note) =>
      prepare(
        lines.map((line) =>
          newEntry('dek', line, lineAt(line.keyring, line.tenant)?.records.length ?? 1, note),
        ),
      ),
    prepareAuditKey: (note) =>
      prepare([newEntry('audit', { keyring: '', tenant: '' }, newestOf('audit').entry.version + 1, note)]),
    prepareStates: (changes, { by, at }) =>
      prepare(changes.map(({ id, state }) => ({ type: 'state', key: id, state, at, by }))),
    commit(change) {
      checkOpen();
      if (change.before !== keyset)
        throw new HushError('CONFLICT', 'another change of the key set came between');
      keyset = change.keyset;
      index = indexDeks(keyset, index);
      others = Map.groupBy(keyset.keys.values(), ({ entry }) => entry.use);
    },
    digestKey(keyring, out) {
      const root = namedKey(newestOf('digest'));
      hkdfSha256(root.bytes, new Uint8Array(32), utf8(digestKeyInfo(keyring)), out);
    },
    nameIndexKey: () => namedKey(newestOf('name-index')),
    auditKey() {
      const newest = newestOf('audit');
      return { version: newest.entry.version, key: namedKey(newest) };
    },
    auditKeyOf(version) {
      const record = recordsOf('audit').find(({ entry }) => entry.version === version);
      if (record !== undefined) return namedKey(record);
      throw new HushError('INTEGRITY', `there never was an audit key ${version}`);
    },
    close,
  };
}
