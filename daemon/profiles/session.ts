import { HushError } from '../../protocol/errors.ts';
import type { AuditKey, SealState } from '../audit/seals.ts';
import type { Chain } from '../audit/chain.ts';
import { processPrefix } from '../audit/opening.ts';
import type { CacheConfig, RotationConfig } from '../config/config.ts';
import type { ProfilePaths } from '../home/paths.ts';
import { auditKeyId, auditSecretOf } from './audit-keys.ts';
import { createHeaderFile } from './header-in-place.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { Header, HeaderBody } from '../keys/header.ts';
import { openKeyring, type Keyring } from '../keys/keyring.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { parseFirstLine, refuseNewerKeyset } from '../keys/keyset.ts';
import { openHeader, type OpenedHeader } from '../keys/open.ts';
import type { Argon2Cost, Argon2Queue } from '../keys/passphrase.ts';
import { reconcile } from '../keys/reconcile.ts';
import type { Credential } from '../keys/slot.ts';
import { deriveSubkeys } from '../keys/subkeys.ts';
import { wipeVaultKey } from '../keys/vault-key.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import type { StoreSnapshot } from '../stores/file-snapshot.ts';
import { vaultFormat } from '../stores/schema.ts';
import { openVaultFile } from '../stores/file-check.ts';
import type { SecretsStore } from '../stores/store.ts';
import type { ResealingEvent } from '../vault/resealing.ts';
import type { Guard } from '../unlock/guard.ts';
import { checkVault, openVault, type Vault, type VaultState } from '../vault/vault.ts';
import { createKeysetFile } from './keyset-in-place.ts';
import { migrateVault, type MigrationParts } from './migrate.ts';
import { filesOf, refuseOlderHeader, removeLeftovers } from './profile-files.ts';
import { runAll } from './run-all.ts';
import { checkFreshness, type GivenUp } from './rollback.ts';
import { rotateVaultKey, type RotatedVault, type VaultRotation } from './rotate-vault.ts';
import { createUpkeep, type Upkeep, type UpkeepEvent } from './upkeep.ts';
import { createSlots, type Raised, type Slots } from './slots.ts';

/** The keys and the vault of an unlocked profile. */
export interface Session {
  readonly vault: Vault;
  readonly unlockedAt: string;
  readonly keyring: Keyring;
  /** The header as it stands; its MAC has verified. */
  header(): HeaderBody;
  /** Whether the unlock itself has put another header in place. */
  readonly headerChanged: boolean;
  /**
   * Puts the next header in place, which commits whatever it stands for. Throws CONFLICT unless its generation is a
   * later one, INTEGRITY when the file is not the one that was last read or written here, UNAVAILABLE when the disk
   * refuses, LOCKED after `close`.
   */
  putHeader(next: HeaderBody): void;
  /** When the config wants keys to be followed by new ones. */
  readonly rotationRule: () => RotationConfig;
  /** What the profile does by itself while it is unlocked. */
  readonly upkeep: Upkeep;
  /** Who can open the profile, and how that is changed. */
  readonly slots: Slots;
  /** Why nothing can be changed: the vault's file is not at its path any more. Undefined where all is well. */
  misplaced(): HushError | undefined;
  /** The vault's file after the last commit, to be copied while others follow. Throws CONFLICT, UNAVAILABLE. */
  snapshot(): StoreSnapshot;
  /** See `rotateVaultKey`; one change of keys or header at a time, see `Profiles.change`. */
  rotateVaultKey(signal: AbortSignal): Promise<RotatedVault>;
  /** How far it is; undefined while none is under way. */
  vaultRotation(): VaultRotation | undefined;
  /** What a seal of the audit vouches for now. */
  sealState(): SealState;
  auditKey(): AuditKey;
  /** Wipes the cache, closes the store, wipes the keys, in this order. A second call does nothing. */
  close(): void;
}

/** What a session is opened with. */
export interface SessionParts {
  readonly name: string;
  readonly paths: ProfilePaths;
  /** Stands before whatever tries passphrases. */
  readonly guard: Guard;
  readonly chain: Chain;
  readonly arena: SecureArena;
  readonly argon2Queue: Argon2Queue;
  readonly scratch: Scratch;
  readonly cache: CacheConfig;
  readonly maxTenants: number;
  /** How many earlier versions of a secret stay. */
  readonly keptVersions: () => number;
  /** The id of the rollback that the operator takes on purpose. */
  readonly acceptRollback: string | undefined;
  /** When the config wants keys to be followed by new ones. */
  readonly rotationRule: () => RotationConfig;
  /** Told of what the profile did by itself, or could not do. */
  readonly onUpkeep: (event: UpkeepEvent | ResealingEvent) => void;
  /** What the config asks of Argon2id. */
  readonly wantedCost: () => Partial<Argon2Cost>;
  /** Told of each slot whose Argon2id this unlock has raised, or could not raise. */
  readonly onRaised: (outcome: Raised) => void;
}

/** Puts what happens to the profile's files at its unlock on record at once: it stays even if the unlock fails later. */
const noteTo =
  ({ name, chain }: SessionParts): MigrationParts['note'] =>
  (event, detail) => {
    chain.append({ event, who: processPrefix(), profile: name, outcome: 'ok', detail });
    chain.flush();
  };

/**
 * Opens a profile: header, keys, key set, vault, and whether all of it is the newest that the audit knows. The
 * credentials stay the caller's to wipe. `by`: the identity that gives them, whose turn the guard sees to; undefined for
 * the daemon itself at its start. Throws WRONG_PASSPHRASE, WRONG_KEY, BACKOFF, DAMAGED, INTEGRITY, ROLLBACK,
 * NEWER_FORMAT, UNSAFE_MODE, UNAVAILABLE; then nothing stays open.
 */
export async function openSession(
  parts: SessionParts,
  credentials: readonly Credential[],
  by: string | undefined,
): Promise<Session> {
  const header = readHeaderFile(parts.paths.header);
  const open = (): Promise<OpenedHeader> => openHeader(header, credentials, parts.arena, parts.argon2Queue);
  const opened = await (by === undefined ? open() : parts.guard.attempt(by, credentials, open));
  try {
    const session = await openWith(parts, header, opened.vaultKey.bytes);
    try {
      await session.slots.raise(opened, parts.onRaised);
      return { ...session, headerChanged: session.header().generation > header.body.generation };
    } catch (error) {
      throw closedAfter(error, session.close);
    }
  } finally {
    wipeVaultKey(opened.vaultKey);
  }
}

/** Closes what was open, and gives the error to throw for the one that keeps the session from opening. */
function closedAfter(error: unknown, close: () => void): HushError {
  try {
    close();
  } catch {
    // The error that led here says more.
  }
  return error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error });
}

/** The error for a vault that does not open: a header of another vault is what is wrong, where the key set says so. */
function foreignHeader(error: unknown, { vaultId }: HeaderBody, firstLine: string | undefined): unknown {
  if (!(error instanceof HushError) || error.code !== 'DAMAGED' || firstLine === undefined) return error;
  const { vaultId: beside } = parseFirstLine(firstLine);
  if (beside === vaultId) return error;
  return new HushError(
    'INTEGRITY',
    `the header is of vault ${vaultId}, and the key set beside it of ${beside}`,
    {
      hint: "put the profile's own header back; hush backup restore, if there is none",
      cause: error,
    },
  );
}

async function openWith(
  parts: SessionParts,
  header: Header,
  vaultKey: Uint8Array,
): Promise<Omit<Session, 'headerChanged'>> {
  const { paths, arena } = parts;
  const { vaultId, generation } = header.body;
  const place = createHeaderFile(paths.header, header);
  const subkeys = deriveSubkeys(vaultKey, arena);
  const undo: (() => void)[] = [() => subkeys.wipe()];
  const close = (): void => {
    runAll(undo.splice(0).reverse());
  };
  try {
    refuseOlderHeader(paths.folder, header.body.files);
    const files = filesOf(paths.folder, header.body.files);
    const vaultFile = {
      path: files.vault,
      label: `profiles/${parts.name}/${header.body.files.vault}`,
      key: subkeys.vaultFileKey.bytes,
    };
    const keysetFile = createKeysetFile(files.keyset);
    const linesInFile = readKeysetFile(files.keyset);
    // A newer key set is refused before anything else is opened, for to open the vault may write to it.
    if (linesInFile.lines[0] !== undefined) refuseNewerKeyset(linesInFile.lines[0]);
    let store = await openVaultFile(vaultFile).catch((error: unknown) => {
      throw foreignHeader(error, header.body, linesInFile.lines[0]);
    });
    undo.push(() => store.close());
    const lines = store.keysetLines();
    const { keyset, fileNeedsRepair, fileIsOlder } = reconcile(
      linesInFile,
      lines,
      vaultId,
      subkeys.macKey.bytes,
    );
    const keyring = openKeyring({ keyset, wrappingKey: subkeys.wrappingKey, macKey: subkeys.macKey, arena });
    undo.push(() => keyring.close());
    const requireNewest = ({
      commit,
      auditHead,
      headerGeneration,
    }: VaultState): Promise<GivenUp | undefined> =>
      checkFreshness({
        chain: parts.chain,
        state: { vaultId, generation, commit },
        head: auditHead,
        knownGeneration: headerGeneration,
        olderKeyset: fileIsOlder,
        secretOf: (id) => auditSecretOf(keyring, id),
        accept: parts.acceptRollback,
      });
    if (store.format < vaultFormat) {
      const verify = (found: SecretsStore): Promise<VaultState> =>
        checkVault({ store: found, keyring, arena });
      await requireNewest(await verify(store));
      const { format } = store;
      store.close();
      const note = noteTo(parts);
      await migrateVault({ ...parts.paths, keyset: files.keyset, vault: vaultFile, format, verify, note });
      store = await openVaultFile(vaultFile);
    }
    let givenUp: GivenUp | undefined;
    const vault = await openVault({
      store,
      keyring,
      arena,
      cache: parts.cache,
      allocate: parts.scratch.take,
      maxTenants: parts.maxTenants,
      keptVersions: parts.keptVersions,
      beforeChange: async (found) => {
        givenUp = await requireNewest(found);
        if (fileNeedsRepair) keysetFile.replace(keyset.lines);
        return givenUp?.commit;
      },
      appendKeys: keysetFile.append,
      replaceKeys: keysetFile.replace,
      onResealing: parts.onUpkeep,
    });
    undo.push(() => vault.close());
    subkeys.vaultFileKey.wipe();
    // A header that was taken although it is older says nothing of the files beside it.
    if (parts.acceptRollback === undefined) removeLeftovers(paths.folder, header.body.files);
    let rotation: VaultRotation | undefined;
    const putHeader = (next: HeaderBody): void => {
      place.replace(next, keyring.headerBytes(next));
    };
    if (givenUp !== undefined) {
      putHeader({ ...place.body(), generation: Math.max(generation, givenUp.generation) + 1 });
    }
    const slots = createSlots({
      header: place.body,
      putHeader,
      open: ({ credentials, by }) =>
        parts.guard.attempt(by, credentials, () =>
          openHeader(place.header(), credentials, arena, parts.argon2Queue),
        ),
      arena,
      argon2Queue: parts.argon2Queue,
      wantedCost: parts.wantedCost,
    });
    undo.push(() => slots.close());
    return {
      vault,
      unlockedAt: new Date().toISOString(),
      keyring,
      header: place.body,
      putHeader,
      rotationRule: parts.rotationRule,
      upkeep: createUpkeep({
        vault,
        rule: parts.rotationRule,
        onEvent: parts.onUpkeep,
        clock: () => performance.now(),
      }),
      slots,
      misplaced: () => store.misplaced(),
      snapshot: () => store.snapshot(),
      vaultRotation: () => rotation,
      rotateVaultKey: async (signal) => {
        try {
          return await rotateVaultKey({
            folder: paths.folder,
            label: `profiles/${parts.name}`,
            vault,
            keyring,
            header: place,
            source: store,
            arena,
            signal,
            told: (progress) => {
              rotation = progress;
            },
            moved: (next, nextFiles) => {
              store = next;
              keysetFile.moveTo(nextFiles.keyset);
            },
          });
        } finally {
          rotation = undefined;
        }
      },
      sealState: () => ({ vaultId, generation: place.body().generation, commit: vault.commitCounter() }),
      auditKey: () => {
        const { version, key } = keyring.auditKey();
        return { id: auditKeyId(version), secret: key.bytes };
      },
      close,
    };
  } catch (error) {
    throw closedAfter(error, close);
  }
}
