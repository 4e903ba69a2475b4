import { HushError } from '../../protocol/errors.ts';
import { storedLine } from '../keys/create.ts';
import type { DekLine } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { KeyRecord, KeyState, Keyset } from '../keys/keyset.ts';
import { backupsFact, backupsOf, backupState, type BackupFact } from './backup-facts.ts';
import type { Facts } from './facts.ts';
import { dekLines, isStoredLine } from './dek-lines.ts';
import { kmsKeyId, type KeyLines } from './key-lines.ts';
import type { KeyUse } from './key-use.ts';
import type { Ledger } from './ledger.ts';
import type { Resealing, ResealingProgress } from './resealing.ts';
import { noDek } from './rows.ts';

/** What is known of one data key. */
export interface KeyFacts {
  readonly version: number;
  readonly kmsKeyId: string;
  readonly state: KeyState;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly retiredAt?: string;
  readonly retiredBy?: string;
  readonly destroyedAt?: string;
  readonly destroyedBy?: string;
  /** How many stored values it seals. */
  readonly values: number;
  /** How many messages it has sealed at most. */
  readonly messages: number;
  /** When it last opened a handle while it was not the newest of its line. */
  readonly lastDecryptAt?: string;
  /** Whether the newest backup that was kept holds it. */
  readonly isBackedUp: boolean;
}

/** A key that sealed values before there were data keys. */
export interface LegacyKeyFacts {
  readonly version: number;
  readonly state: KeyState;
  readonly importedAt: string;
  readonly importedBy: string;
}

/** All lines of one keyring in a few numbers. */
export interface KeyringFacts {
  readonly keyring: string;
  /** How many tenants have keys of their own, and of how many the keys are destroyed. */
  readonly tenants: number;
  readonly shredded: number;
  /** How many keys are in each state. */
  readonly active: number;
  readonly retired: number;
  readonly destroyed: number;
  /** When the oldest of the keys was made that seal. */
  readonly oldestAt?: string;
  /** The most messages that one of these has sealed. */
  readonly mostMessages: number;
}

/** What an operator is told of a vault's data keys. */
export interface KeyStatus extends DekLine {
  /** The version that seals; undefined where the keys of the line are destroyed. */
  readonly active: number | undefined;
  /** The keys of the line that was asked for, the newest first. */
  readonly keys: readonly KeyFacts[];
  /** Where the next page of them goes on: the version that it begins below. */
  readonly next: number | undefined;
  /** How many values are stored, earlier versions and deleted ones among them, and how many of them under legacy keys. */
  readonly values: number;
  readonly legacyValues: number;
  readonly legacyKeys: readonly LegacyKeyFacts[];
  readonly resealing: ResealingProgress;
  readonly keyrings: readonly KeyringFacts[];
  readonly lastBackup: BackupFact | undefined;
  /** How many data keys that can open something are in no backup that was kept. */
  readonly newerThanBackup: number;
}

/** Which line, and which page of its keys. */
export interface KeyQuery extends DekLine {
  /** Only keys of versions below this one. */
  readonly before: number | undefined;
  readonly limit: number;
}

/** What the status is gathered from. */
export interface KeyStatusParts {
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  readonly keyLines: KeyLines;
  readonly keyUse: KeyUse;
  readonly resealing: Resealing;
  readonly facts: Facts;
}

/** The status of a vault's data keys, with the history of one line. Throws NOT_FOUND where there is no such line. */
export function keyStatus(parts: KeyStatusParts, query: KeyQuery): KeyStatus {
  const { keyring, ledger, keyUse, resealing, facts } = parts;
  ledger.requireOpen();
  keyUse.look();
  const keyset = keyring.keyset();
  const lines = dekLines(keyset);
  const line = lines.find(([first]) => first !== undefined && isOf(first, query));
  if (line === undefined) throw noLine(query);
  const backup = backupState(keyset, backupsOf(facts.get(backupsFact)));
  const newer = new Set(backup.newer.map(({ entry }) => entry.id));

  const newest = line.at(-1);
  const below = line.filter(({ entry }) => query.before === undefined || entry.version < query.before);
  const page = below.slice(-query.limit).reverse();
  const last = page.at(-1)?.entry.version;
  return {
    keyring: query.keyring,
    tenant: query.tenant,
    active: newest?.state === 'active' ? newest.entry.version : undefined,
    keys: page.map((record) => keyFacts(parts, record, !newer.has(record.entry.id))),
    next: below.length > page.length ? last : undefined,
    values: ledger.rowCount(),
    legacyValues: ledger.counts().get(noDek) ?? 0,
    legacyKeys: legacyKeysOf(keyset),
    resealing: resealing.progress(),
    keyrings: keyringFacts(lines, parts.keyLines),
    lastBackup: backup.last,
    newerThanBackup: newer.size,
  };
}

const isOf = ({ entry }: KeyRecord, { keyring, tenant }: DekLine): boolean =>
  entry.keyring === keyring && entry.tenant === tenant;

function noLine({ keyring, tenant }: DekLine): HushError {
  const whose = tenant === '' ? '' : ' for that tenant';
  return new HushError('NOT_FOUND', `the keyring ${keyring} has no keys${whose}`, {
    hint: 'its first encrypt makes one',
  });
}

function keyFacts(
  { keyring, ledger, keyLines, keyUse }: KeyStatusParts,
  record: KeyRecord,
  isKept: boolean,
): KeyFacts {
  const { entry, state, stateAt, stateBy, retired } = record;
  const lastDecryptAt = keyUse.lastDecryptAt(entry.id);
  return {
    version: entry.version,
    kmsKeyId: kmsKeyId(keyring.vaultId, entry.keyring, entry.version),
    state,
    createdAt: entry.createdAt,
    createdBy: entry.by,
    ...(retired === undefined ? {} : { retiredAt: retired.at, retiredBy: retired.by }),
    ...(state === 'destroyed' ? { destroyedAt: stateAt, destroyedBy: stateBy } : {}),
    values: isStoredLine(entry) ? (ledger.counts().get(entry.version) ?? 0) : 0,
    messages: keyLines.spent(entry.id),
    ...(lastDecryptAt === undefined ? {} : { lastDecryptAt }),
    isBackedUp: state !== 'destroyed' && isKept,
  };
}

function legacyKeysOf({ keys }: Keyset): readonly LegacyKeyFacts[] {
  const records = [...keys.values()].filter(({ entry }) => entry.use === 'legacy');
  return records.map(({ entry, state }) => ({
    version: entry.version,
    state,
    importedAt: entry.createdAt,
    importedBy: entry.by,
  }));
}

function keyringFacts(lines: readonly (readonly KeyRecord[])[], keyLines: KeyLines): readonly KeyringFacts[] {
  const byKeyring = Map.groupBy(lines, ([first]) => first?.entry.keyring ?? storedLine.keyring);
  return [...byKeyring].map(([keyring, own]) => {
    const records = own.flat();
    const count = (state: KeyState): number => records.filter((record) => record.state === state).length;
    const newest = own.flatMap((line) => line.slice(-1));
    const sealing = newest.filter(({ state }) => state === 'active');
    const [oldest] = sealing.map(({ entry }) => entry.createdAt).sort();
    return {
      keyring,
      tenants: newest.filter(({ entry }) => entry.tenant !== '').length,
      shredded: newest.filter(({ entry, state }) => entry.tenant !== '' && state === 'destroyed').length,
      active: count('active'),
      retired: count('retired'),
      destroyed: count('destroyed'),
      ...(oldest === undefined ? {} : { oldestAt: oldest }),
      mostMessages: sealing.reduce((most, { entry }) => Math.max(most, keyLines.spent(entry.id)), 0),
    };
  });
}
