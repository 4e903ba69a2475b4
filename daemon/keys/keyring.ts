import { HushError } from '../../protocol/errors.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { createAesGcm, type AesGcm } from './aes-gcm.ts';
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
import { type HeaderBody, serialiseHeader } from './header.ts';
import { backupMacOf, hkdfSha256 } from './hmac.ts';
import {
  type KeyNote,
  newKeyEntry,
  type PreparedChange,
  type StateChange,
  stateEntry,
  wrappedEntry,
} from './key-change.ts';
import {
  addEntries,
  type KeyEntry,
  type KeyRecord,
  type Keyset,
  type KeyUse,
  type NewEntry,
  withoutDestroyedBytes,
} from './keyset.ts';
import { utf8 } from './text.ts';
import { unwrapKey, wrapKey } from './wrapped-key.ts';

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
  /** What is known of one DEK; undefined where there never was one. */
  record(keyring: string, tenant: string, version: number): KeyRecord | undefined;
  /** The version of the newest DEK of a line, whatever its state; 0 where there is no such line. */
  newestVersion(keyring: string, tenant: string): number;
  /** The DEKs that were used since the profile was unlocked. */
  openDeks(): readonly Dek[];
  /**
   * A first DEK for lines that have none, and one more version for lines that do (`keys rotate`, or opening anew a line
   * whose keys were destroyed: the caller decides which of the two it meant). In the same change the keys of the ids
   * `retired` seal no more. Throws BAD_REQUEST for too long a name.
   */
  prepareDeks(lines: readonly DekLine[], note: KeyNote, retired?: readonly string[]): PreparedChange;
  /** From here on new DEKs have versions past this one, in every line. */
  goPast(version: number): void;
  /** The key (32 bytes, the caller's) that sealed values before there were data keys: from its birth here it only opens. */
  prepareLegacyKey(key: Uint8Array, note: KeyNote): PreparedChange;
  /** The version under which these 32 bytes are kept as a legacy key that can open; undefined if they are none. */
  legacyVersion(key: Uint8Array): number | undefined;
  /** The legacy key of one version. Throws KEY_DESTROYED; INTEGRITY when there never was one. */
  legacyKey(version: number): AesGcm;
  /** New states for keys. Throws INTEGRITY for a state that has no way back. */
  prepareStates(changes: readonly StateChange[], note: KeyNote): PreparedChange;
  /** All lines anew, a generation later, less the wrapped bytes of destroyed keys: they take the place of all before. */
  prepareErasure(): PreparedChange;
  /**
   * An entry of the key set with its key wrapped under another key-wrapping key; a destroyed key loses its wrapped bytes.
   * Throws INTEGRITY when it does not unwrap.
   */
  rewrapped(entry: KeyEntry, wrappingKey: Uint8Array): KeyEntry;
  /**
   * Goes on under another vault key: the same keys in a key set of the next generation, once file, vault and header hold
   * it. The keyring owns both keys from then on, and wipes those before.
   */
  moveTo(parts: Omit<KeyringParts, 'arena'>): void;
  /** Makes a change true, once file and vault hold it. Throws CONFLICT when another came between. */
  commit(change: PreparedChange): void;
  /** The bytes of the file of a header, under the MAC key of this vault key. Throws INTEGRITY for an invalid body. */
  headerBytes(body: HeaderBody): Uint8Array;
  /** HMAC-SHA-256 under the key of headers, of bytes that begin with the first line of a backup. */
  backupMac(signed: Uint8Array): Uint8Array;
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

/**
 * Opens the keys of a key set that has verified. A DEK is unwrapped when it is first used, into a cipher, and does not
 * stay in memory of ours. Throws INTEGRITY when a key that every profile has is missing or does not unwrap.
 */
export function openKeyring({ keyset: opened, arena, ...first }: KeyringParts): Keyring {
  const { vaultId } = opened;
  let { wrappingKey, macKey } = first;
  let keyset = opened;
  let index: DekIndex = indexDeks(opened, new Map());
  let others = Map.groupBy(opened.keys.values(), ({ entry }) => entry.use);
  let open = true;
  let passed = 0;
  const named = new Map<string, SecureBytes>();
  const legacyKeys = new Map<number, AesGcm>();

  function close(): void {
    if (!open) return;
    open = false;
    closeDeks(index);
    for (const cipher of legacyKeys.values()) cipher.close();
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
    const dek: Dek = { keyring, tenant, version, cipher: cipherOf(record), opened: false };
    if (line !== undefined) line.deks[version] = dek;
    return dek;
  }

  function cipherOf(record: KeyRecord): AesGcm {
    const key = unwrap(record);
    try {
      return createAesGcm(key.bytes);
    } finally {
      key.wipe();
    }
  }

  function isKey(record: KeyRecord, key: Uint8Array): boolean {
    const kept = unwrap(record);
    try {
      return equalBytes(kept.bytes, key);
    } finally {
      kept.wipe();
    }
  }

  function prepare(entries: readonly NewEntry[]): PreparedChange {
    checkOpen();
    const added = addEntries(keyset, entries, macKey.bytes);
    return { before: keyset, keyset: added.keyset, lines: added.lines };
  }

  function become(next: Keyset): void {
    keyset = next;
    index = indexDeks(keyset, index);
    for (const { entry, state } of keyset.keys.values()) {
      if (entry.use !== 'legacy' || state !== 'destroyed') continue;
      legacyKeys.get(entry.version)?.close();
      legacyKeys.delete(entry.version);
    }
    others = Map.groupBy(keyset.keys.values(), ({ entry }) => entry.use);
  }

  function newDek({ keyring, tenant }: DekLine, note: KeyNote): NewEntry {
    checkOpen();
    const version = Math.max(lineAt(keyring, tenant)?.records.length ?? 1, passed + 1);
    const place = { use: 'dek', keyring, tenant, version } as const;
    return newKeyEntry(place, note, { vaultId, wrappingKey: wrappingKey.bytes, arena });
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
    record: (keyring, tenant, version) => lineAt(keyring, tenant)?.records[version],
    newestVersion: (keyring, tenant) => (lineAt(keyring, tenant)?.records.length ?? 1) - 1,
    openDeks: () =>
      [...index.values()].flatMap((tenants) =>
        [...tenants.values()].flatMap(({ deks }) => deks.filter((dek) => dek !== undefined)),
      ),
    prepareDeks: (lines, note, retired = []) =>
      prepare([
        ...lines.map((line) => newDek(line, note)),
        ...retired.map((id) => stateEntry(id, 'retired', note)),
      ]),
    goPast(version) {
      passed = Math.max(passed, version);
    },
    prepareLegacyKey(key, note) {
      checkOpen();
      const place = {
        use: 'legacy',
        keyring: '',
        tenant: '',
        version: recordsOf('legacy').length + 1,
      } as const;
      const entry = wrappedEntry(place, key, note, { vaultId, wrappingKey: wrappingKey.bytes });
      return prepare([entry, stateEntry(entry.id, 'retired', note)]);
    },
    legacyVersion(key) {
      checkOpen();
      const found = recordsOf('legacy').find((record) => record.state !== 'destroyed' && isKey(record, key));
      return found?.entry.version;
    },
    legacyKey(version) {
      checkOpen();
      const record = recordsOf('legacy')[version - 1];
      if (record === undefined) throw new HushError('INTEGRITY', `there never was a legacy key ${version}`);
      if (record.state === 'destroyed')
        throw new HushError('KEY_DESTROYED', `legacy key ${version} was destroyed`);
      const cipher = legacyKeys.get(version) ?? cipherOf(record);
      legacyKeys.set(version, cipher);
      return cipher;
    },
    prepareStates: (changes, { by, at }) =>
      prepare(changes.map(({ id, state }) => stateEntry(id, state, { by, at }))),
    prepareErasure() {
      checkOpen();
      const next = withoutDestroyedBytes(keyset, macKey.bytes);
      return { before: keyset, keyset: next, lines: next.lines };
    },
    rewrapped(entry, under) {
      checkOpen();
      const record = keyset.keys.get(entry.id);
      if (record === undefined || record.state === 'destroyed') return { ...entry, wrapped: '' };
      const key = unwrap(record);
      try {
        return { ...entry, wrapped: wrapKey(under, vaultId, entry, key.bytes) };
      } finally {
        key.wipe();
      }
    },
    moveTo(next) {
      checkOpen();
      wrappingKey.wipe();
      macKey.wipe();
      ({ wrappingKey, macKey } = next);
      become(next.keyset);
    },
    commit(change) {
      checkOpen();
      if (change.before !== keyset)
        throw new HushError('CONFLICT', 'another change of the key set came between');
      become(change.keyset);
    },
    headerBytes(body) {
      checkOpen();
      return serialiseHeader(body, macKey.bytes);
    },
    backupMac(signed) {
      checkOpen();
      return backupMacOf(macKey.bytes, signed);
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
