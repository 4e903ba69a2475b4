import { HushError } from '../../protocol/errors.ts';
import type { AesGcm } from './aes-gcm.ts';
import type { KeyRecord, Keyset } from './keyset.ts';

/** A data encryption key: the version that its sealed forms carry, and the cipher that holds it. */
export interface Dek {
  readonly keyring: string;
  readonly tenant: string;
  readonly version: number;
  readonly cipher: AesGcm;
  /** Whether a handle was opened under it since that was last asked: a mark, which costs the hot path nothing. */
  opened: boolean;
}

/** Which line of DEKs: a keyring's own has the empty tenant. */
export interface DekLine {
  readonly keyring: string;
  readonly tenant: string;
}

/** One line of DEKs: its records by version, and by version the DEKs that are open. */
export interface LineOfDeks {
  readonly records: (KeyRecord | undefined)[];
  readonly deks: (Dek | undefined)[];
}

/** The lines of DEKs by keyring, then tenant: two look-ups and no joined text on the hot path. */
export type DekIndex = ReadonlyMap<string, ReadonlyMap<string, LineOfDeks>>;

/** The index of a key set. DEKs that were open in the one before stay open; those destroyed since are closed. */
export function indexDeks(keyset: Keyset, before: DekIndex): DekIndex {
  const index = new Map<string, Map<string, LineOfDeks>>();
  for (const record of keyset.keys.values()) {
    const { use, keyring, tenant, version } = record.entry;
    if (use !== 'dek') continue;
    const tenants = index.get(keyring) ?? new Map<string, LineOfDeks>();
    index.set(keyring, tenants);
    const line = tenants.get(tenant) ?? { records: [], deks: [] };
    tenants.set(tenant, line);
    const open = before.get(keyring)?.get(tenant)?.deks[version];
    if (record.state === 'destroyed') open?.cipher.close();
    line.records[version] = record;
    line.deks[version] = record.state === 'destroyed' ? undefined : open;
  }
  return index;
}

/** Closes every DEK of an index. */
export function closeDeks(index: DekIndex): void {
  for (const tenants of index.values()) {
    for (const { deks } of tenants.values()) for (const dek of deks) dek?.cipher.close();
  }
}

const named = ({ keyring, tenant }: DekLine): string =>
  `of the keyring ${keyring}${tenant === '' ? '' : ' for that tenant'}`;

/** The record of one version that can open. Throws KEY_DESTROYED, or INTEGRITY when there never was one. */
export function openableRecord(line: LineOfDeks | undefined, name: DekLine, version: number): KeyRecord {
  const record = line?.records[version];
  if (record === undefined) {
    throw new HushError('INTEGRITY', `there never was a key ${version} ${named(name)}`, {
      hint: 'if an older state of the vault was accepted, the keys made after it were given up: put the newer state back',
    });
  }
  if (record.state === 'destroyed') {
    throw new HushError('KEY_DESTROYED', `key ${version} ${named(name)} was destroyed`);
  }
  return record;
}

/** KEY_DESTROYED for what was to be sealed: a new key is made on purpose only. */
export const tenantDestroyed = (): HushError =>
  new HushError('KEY_DESTROYED', 'the keys for that tenant were destroyed', {
    hint: 'hush keys reopen --tenant ID, to make a new key for it on purpose',
  });

/**
 * The newest record of a line, if it can seal. Throws INTEGRITY when there is no line, KEY_DESTROYED, UNAVAILABLE when
 * it is retired: an older key never takes its place in silence.
 */
export function sealingRecord(line: LineOfDeks | undefined, name: DekLine): KeyRecord {
  const newest = line?.records.at(-1);
  if (newest?.state === 'destroyed') throw tenantDestroyed();
  const record = openableRecord(line, name, (line?.records.length ?? 1) - 1);
  if (record.state === 'active') return record;
  throw new HushError('UNAVAILABLE', `the newest key ${named(name)} is retired and only opens`, {
    hint: 'hush keys rotate',
  });
}
