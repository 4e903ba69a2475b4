import { z } from 'zod';
import { HushError } from '../../protocol/errors.ts';
import { createSecretCache, type CacheOptions, type CacheStats } from '../cache/secret-cache.ts';
import { storedLine } from '../keys/create.ts';
import { createNonceSource } from '../keys/nonce.ts';
import { createSealer } from '../keys/sealed.ts';
import type { Keyset } from '../keys/keyset.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import type { SqlcipherStore } from '../stores/sqlcipher-store.ts';
import type { SecretsStore } from '../stores/store.ts';
import type { KeysetPlaces } from './commit-keys.ts';
import { createDueKeys, type DueKeys } from './due-keys.ts';
import { createKeyDestruction } from './destroy-keys.ts';
import { createFacts, type Facts } from './facts.ts';
import { createHandles, type Handles } from './handles.ts';
import { createIndexKeys, type IndexKeys } from './index-keys.ts';
import { createKeyLines, type KeyLinesParts } from './key-lines.ts';
import { createKeyRetirement, type KeyRetirement } from './key-retirement.ts';
import { keyStatus, type KeyQuery, type KeyStatus } from './key-status.ts';
import { createKeyUse, type KeyUse } from './key-use.ts';
import { createLegacyImporter, type LegacyImporter } from './legacy-import.ts';
import { createLedger, openLedger, type Ledger } from './ledger.ts';
import { createVaultMove, type VaultMove } from './move.ts';
import { createResealing, type Resealing, type ResealingEvent } from './resealing.ts';
import { createRootCipher, type AuditHead } from './root.ts';
import { createRotations, type RotatedKeys } from './rotations.ts';
import { createRows } from './rows.ts';
import { createSecretHistory, type SecretHistory } from './secret-history.ts';
import { createSecretMoves, type SecretMoves } from './secret-moves.ts';
import { createSecrets, type Secrets } from './secrets.ts';
import { createTenants, type Tenants } from './tenants.ts';
import { createVersionMarks } from './version-marks.ts';
import { createVersions } from './versions.ts';

/** The name of the fact that holds the newest generation of the profile's header. */
const headerGenerationFact = 'header-generation';

/** The name of the fact that holds the version which new data keys go past. */
const passedVersionsFact = 'passed-key-versions';

/** So many data keys no line gets in the time between a backup and the day on which it is taken back. */
const mostAbandonedKeys = 1_000;

/** What a vault is opened with. Store and keyring belong to the same profile; the vault closes the store only. */
export interface VaultParts
  extends Pick<KeyLinesParts, 'keyring' | 'maxTenants'>, Pick<KeysetPlaces, 'appendKeys' | 'replaceKeys'> {
  readonly store: SecretsStore;
  readonly arena: SecureArena;
  readonly cache: CacheOptions;
  /** How many earlier versions of a secret stay. */
  readonly keptVersions: () => number;
  /** Gives the memory of values on their way to the caller, who wipes them; new memory each time by default. */
  readonly allocate?: (length: number) => Uint8Array;
  /** The time of day; the system's if left out. */
  readonly now?: () => Date;
  /** Told when a re-sealing of stored values has ended. */
  readonly onResealing?: (event: ResealingEvent) => void;
  /**
   * Asked, once all has proved to be of one commit and before anything is changed; what it throws ends the opening.
   * With a number as its answer the next commit is numbered past that.
   */
  readonly beforeChange?: (found: VaultState) => Promise<number | undefined>;
}

/** What the last commit of a vault says. */
export interface VaultState {
  readonly commit: number;
  /** How many secrets it holds. */
  readonly secrets: number;
  readonly auditHead: AuditHead | undefined;
  /** The newest generation of the profile's header that it remembers; 0 where it remembers none. */
  readonly headerGeneration: number;
}

/** What a vault tells of itself. */
export interface VaultStats {
  readonly secrets: number;
  /** How many rows: versions of whatever state. */
  readonly rows: number;
  readonly commit: number;
  /** The key that stored secrets are sealed under. */
  readonly activeKey: string;
  readonly cache: CacheStats & { readonly ttlSeconds: number };
}

/**
 * The secrets and keys of an unlocked profile. All of it but `rotateKeys` is synchronous; what changes something is on
 * the disk when it returns, and `commit` is the number of that change. All throw INTEGRITY when what is stored was tampered with,
 * UNAVAILABLE when the disk refuses (nothing has changed then), and LOCKED after `close`.
 */
export interface Vault extends Secrets, SecretHistory, SecretMoves, Handles {
  readonly vaultId: string;
  /** The key of a keyring's digests, 32 bytes that the caller wipes. */
  digestKey(keyring: string): Uint8Array;
  /**
   * A new DEK for each line of a keyring; new values are sealed under it from here on, stored ones once `resealing` is
   * started. See `Rotations`; rejects with CONFLICT while re-sealing is under way for the keyring of stored secrets.
   */
  rotateKeys(keyring: string, by: string): Promise<RotatedKeys>;
  readonly resealing: Resealing;
  /** The lines whose newest key is due to be followed by another. */
  readonly dueKeys: DueKeys;
  keyStatus(query: KeyQuery): KeyStatus;
  readonly keyUse: KeyUse;
  retireKey: KeyRetirement['retire'];
  importLegacy: LegacyImporter['take'];
  readonly tenants: Tenants;
  stats(): VaultStats;
  readonly facts: Facts;
  /** Commits one fact by itself; undefined forgets it. Answers the commit's number. */
  remember(name: string, value: unknown): number;
  /** The beginning of a move into another file, one at a time; `source` is the store that the vault stands on. */
  beginMove(source: SqlcipherStore, requireGoing: () => void): VaultMove;
  /** What is on the disk is not known any more: all throw UNAVAILABLE from here on, until the vault is opened again. */
  distrust(): void;
  /** Commits the generation of the profile's header, unless the vault remembers that one or a later one. */
  rememberHeader(generation: number): void;
  /** Keeps the head of the audit chain for the next commit. */
  noteAuditHead(head: AuditHead): void;
  /** Commits the head that was noted, if the vault does not hold it yet. */
  persistAuditHead(): void;
  /** The head that the last commit holds; undefined if none was ever noted. */
  auditHead(): AuditHead | undefined;
  /** The number of the last commit. */
  commitCounter(): number;
  /** Wipes the cache, then closes the store, then wipes the vault's keys. A second call does nothing. */
  close(): void;
}

/** Makes the vault of a new profile in an empty store: the only place where one is born. Throws EXISTS. */
export function initialiseVault({
  store,
  keyring,
  arena,
}: Pick<VaultParts, 'store' | 'keyring' | 'arena'>): void {
  const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
  const cipher = createRootCipher(keys, keyring.vaultId);
  try {
    createLedger(store, keys, cipher, { keyset: { from: 0, lines: keyring.keyset().lines } });
  } finally {
    cipher.close();
    keys.close();
  }
}

/**
 * Opens a vault once all of its rows, counters and key set lines have proved to be those of its last commit. Throws
 * INTEGRITY, NEWER_FORMAT, DAMAGED or UNAVAILABLE; the store then stays the caller's to close.
 */
export async function openVault(parts: VaultParts): Promise<Vault> {
  const { store, keyring, arena } = parts;
  const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
  const cipher = createRootCipher(keys, keyring.vaultId);
  const closeKeys = (): void => {
    cipher.close();
    keys.close();
  };
  try {
    const ledger = await openLedger(store, keys, cipher);
    const facts = createFacts(ledger, keys, keyring.vaultId);
    const found = stateOf(ledger, facts);
    const past = await parts.beforeChange?.(found);
    mendKeyset(ledger, store.keysetLines(), keyring.keyset().lines);
    if (past !== undefined) {
      ledger.goPast(past);
      // Each key had a commit of its own: none that was given up has a version past this one.
      const abandoned = Math.min(Math.max(0, past - found.commit), mostAbandonedKeys);
      if (abandoned > 0) {
        const passed = newestVersion(keyring.keyset()) + abandoned;
        ledger.commit({ facts: [facts.row(passedVersionsFact, passed)] });
      }
    }
    keyring.goPast(z.int().catch(0).parse(facts.get(passedVersionsFact)));
    return vaultOf(parts, ledger, keys, closeKeys);
  } catch (error) {
    closeKeys();
    throw error;
  }
}

/**
 * What the last commit of a store says, once all that it holds has proved to be of that commit. Nothing is changed, and
 * the store stays the caller's. Throws as `openVault`.
 */
export async function checkVault({
  store,
  keyring,
  arena,
}: Pick<VaultParts, 'store' | 'keyring' | 'arena'>): Promise<VaultState> {
  const keys = createIndexKeys(keyring.nameIndexKey().bytes, arena);
  const cipher = createRootCipher(keys, keyring.vaultId);
  try {
    const ledger = await openLedger(store, keys, cipher);
    return stateOf(ledger, createFacts(ledger, keys, keyring.vaultId));
  } finally {
    cipher.close();
    keys.close();
  }
}

const stateOf = (ledger: Ledger, facts: Facts): VaultState => ({
  commit: ledger.commitCounter(),
  secrets: ledger.size(),
  auditHead: ledger.auditHead(),
  headerGeneration: z.int().catch(0).parse(facts.get(headerGenerationFact)),
});

/** The highest version that a data key of any line has. */
const newestVersion = ({ keys }: Keyset): number =>
  [...keys.values()].reduce(
    (newest, { entry }) => (entry.use === 'dek' ? Math.max(newest, entry.version) : newest),
    0,
  );

/** Brings the vault's copy of the key set up to the one that both copies gave together. */
function mendKeyset(ledger: Ledger, kept: readonly string[], lines: readonly string[]): void {
  const from = lines.findIndex((line, at) => line !== kept[at]);
  if (from >= 0) ledger.commit({ keyset: { from, lines: lines.slice(from) } });
  else if (lines.length < kept.length) {
    throw new HushError('INTEGRITY', 'the key set was tampered with: it lacks keys that the vault knows');
  }
}

function vaultOf(parts: VaultParts, ledger: Ledger, keys: IndexKeys, closeKeys: () => void): Vault {
  const { keyring } = parts;
  const { vaultId } = keyring;
  const now = parts.now ?? (() => new Date());
  const { allocate = newBytes } = parts;
  const sealer = createSealer(vaultId, createNonceSource(), allocate);
  const rows = createRows(keyring, sealer, allocate);
  const cache = createSecretCache({
    ...parts.cache,
    ...(parts.allocate === undefined ? {} : { allocate: parts.allocate }),
  });
  const keyLines = createKeyLines({ ...parts, ledger, now });
  const facts = createFacts(ledger, keys, vaultId);
  const places = { keyring, ledger, appendKeys: parts.appendKeys, replaceKeys: parts.replaceKeys };
  const destruction = createKeyDestruction(places);
  const resealing = createResealing({
    ledger,
    keyring,
    keyLines,
    rows,
    onEvent: parts.onResealing ?? (() => undefined),
  });
  const rotations = createRotations({ keyring, ledger, facts, keyLines });
  const keyUse = createKeyUse({ keyring, ledger, facts, now });
  const marks = createVersionMarks(facts);
  const versions = createVersions({ ledger, rows, marks, keptVersions: parts.keptVersions });
  const secretsParts = { ledger, keys, keyring, keyLines, rows, versions, marks, cache };
  const secrets = createSecrets({ ...secretsParts, allocate, now });
  const legacy = createLegacyImporter({ ...places, keys, keyLines, rows, versions, sealer, cache, now });

  const requireSettled = (what: string): void => {
    const { state, left } = resealing.progress();
    if (state !== 'running') return;
    throw new HushError('CONFLICT', `${what}: ${left} stored values are still being sealed anew`, {
      hint: 'hush keys status tells how far it is; then try again',
    });
  };

  // A header that was never replaced is of generation 1, and there is none before it.
  let knownGeneration = Math.max(1, stateOf(ledger, facts).headerGeneration);

  // What a crash left of destroyed keys goes before anything else is done.
  destruction.finish();

  return {
    vaultId,
    ...secrets,
    ...createSecretHistory({ ...secretsParts, setAll: secrets.setAll }),
    ...createSecretMoves({ ...secretsParts, secrets }),
    ...createHandles({ ledger, keyring, keyLines, sealer }),
    digestKey(name) {
      ledger.requireOpen();
      const key = newBytes(32);
      keyring.digestKey(name, key);
      return key;
    },
    async rotateKeys(name, by) {
      ledger.requireOpen();
      if (name === storedLine.keyring) requireSettled('the keys cannot be rotated yet');
      return rotations.rotate(name, by);
    },
    resealing,
    dueKeys: createDueKeys({ keyring, keyLines, resealing, rotations, now }),
    keyStatus: (query) => keyStatus({ keyring, ledger, keyLines, keyUse, resealing, facts }, query),
    keyUse,
    retireKey: createKeyRetirement({ keyring, ledger, destruction, now }).retire,
    importLegacy(request, by) {
      requireSettled('nothing can be imported yet');
      return legacy.take(request, by);
    },
    tenants: createTenants({ ...places, destruction, maxTenants: parts.maxTenants, now }),
    stats: () => ({
      secrets: ledger.size(),
      rows: ledger.rowCount(),
      commit: ledger.commitCounter(),
      activeKey: keyLines.activeKey(),
      cache: { ...cache.stats(), ttlSeconds: parts.cache.ttlSeconds },
    }),
    facts,
    remember: (name, value) => ledger.commit({ facts: [facts.row(name, value)] }),
    rememberHeader: (generation) => {
      if (generation <= knownGeneration) return;
      ledger.commit({ facts: [facts.row(headerGenerationFact, generation)] });
      knownGeneration = generation;
    },
    beginMove: (source, requireGoing) => createVaultMove({ ledger, keys, source, requireGoing }),
    distrust: ledger.distrust,
    noteAuditHead: ledger.noteAuditHead,
    persistAuditHead: () => {
      if (ledger.hasNewAuditHead()) ledger.commit({});
    },
    auditHead: ledger.auditHead,
    commitCounter: ledger.commitCounter,
    close: () => {
      cache.flush();
      try {
        ledger.close();
      } finally {
        closeKeys();
      }
    },
  };
}
