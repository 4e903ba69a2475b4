import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import type { SecretCache } from '../cache/secret-cache.ts';
import { createAesGcm, nonceLength, tagLength, type AesGcm } from '../keys/aes-gcm.ts';
import { storedLine } from '../keys/create.ts';
import { legacyForm, opensLegacy } from '../keys/legacy-value.ts';
import type { Sealer } from '../keys/sealed.ts';
import { equalBytes, newBytes, wipe } from '../memory/plain-bytes.ts';
import { rowState, type StoredRow } from '../stores/store.ts';
import { commitKeys, type KeysetPlaces } from './commit-keys.ts';
import type { IndexKeys } from './index-keys.ts';
import { movesLegacy } from './idle-keys.ts';
import type { KeyLines } from './key-lines.ts';
import { sealMeta } from './meta.ts';
import { noDek, ofItsOwn, type Rows } from './rows.ts';
import type { Versions } from './versions.ts';

/** One value from before data keys: AES-256-GCM under a master key, without AAD. */
export interface LegacyRow {
  readonly path: SecretPath;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** The ciphertext, followed by its tag of 16 bytes. */
  readonly sealed: Uint8Array;
  /** ISO 8601 in UTC with milliseconds; the time of the import if left out. */
  readonly createdAt?: string | undefined;
}

/** What is to be brought in. */
export interface LegacyImport {
  /** The master key, 32 bytes, the caller's to wipe. */
  readonly key: Uint8Array;
  readonly rows: readonly LegacyRow[];
  /** Whether a secret that is there with another value gets a new version. */
  readonly overwrite: boolean;
  /** Whether everything is looked at and nothing stored. */
  readonly checkOnly: boolean;
  /** The most bytes of a value. */
  readonly mostBytes: number;
}

/** Why one row is not brought in. */
export interface RefusedRow {
  /** Its place among the rows. */
  readonly index: number;
  readonly error: HushError;
}

/** What an import came to. Where a row is refused, none of them is stored. */
export interface LegacyOutcome {
  /** How many are new, or would be. */
  readonly stored: number;
  /** How many are there already with the very same value. */
  readonly already: number;
  readonly refused: readonly RefusedRow[];
  readonly commit: number;
}

/** Brings values in that were sealed before there were data keys, as they are: the next rotation seals them anew. */
export interface LegacyImporter {
  /**
   * Throws WRONG_KEY when the key opens none of the rows, LIMIT_EXCEEDED for too many different keys, UNAVAILABLE; then
   * nothing is stored.
   */
  take(request: LegacyImport, by: string): LegacyOutcome;
}

/** What is imported with. */
export interface LegacyParts extends Pick<KeysetPlaces, 'keyring' | 'ledger' | 'appendKeys'> {
  readonly keys: IndexKeys;
  readonly keyLines: KeyLines;
  readonly rows: Rows;
  readonly versions: Versions;
  readonly sealer: Sealer;
  readonly cache: SecretCache;
  readonly now: () => Date;
}

/** Who has more systems to leave behind takes one after the other: a rotation frees the places. */
const mostLegacyKeys = 16;

/** A row that may be stored, and the one that it takes the place of: the current one, or the one that was deleted. */
interface Accepted {
  readonly row: LegacyRow;
  readonly id: Uint8Array;
  readonly head: StoredRow | undefined;
}

/** The importer of an open vault. */
export function createLegacyImporter(parts: LegacyParts): LegacyImporter {
  const { keyring, ledger, keys, keyLines, rows, versions, sealer, cache, now } = parts;

  /** Whether the secret has this very value. Throws where it cannot be read. */
  function hasValue({ path }: LegacyRow, found: StoredRow, value: Uint8Array): boolean {
    const present = rows.valueOf(found, path, newBytes);
    try {
      return equalBytes(present, value);
    } finally {
      wipe(present);
    }
  }

  /** What becomes of one row that its key opens: accepted, there already, or the reason why not. */
  function judged(row: LegacyRow, value: Uint8Array, overwrite: boolean): Accepted | 'already' | HushError {
    const id = keys.rowId(row.path);
    return ofItsOwn(() => {
      const head = versions.head(id);
      if (head?.state !== rowState.current) return { row, id, head };
      if (hasValue(row, head, value)) return 'already';
      return overwrite ? { row, id, head } : exists();
    });
  }

  /** The version that these bytes are kept under: a new one where a rotation came after the last import with them. */
  function keyVersion(key: Uint8Array, by: string): number {
    const present = keyring.legacyVersion(key);
    const keyset = keyring.keyset();
    if (present !== undefined && !movesLegacy(keyset)) return present;
    const legacy = [...keyset.keys.values()].filter(({ entry }) => entry.use === 'legacy');
    if (legacy.filter(({ state }) => state !== 'destroyed').length >= mostLegacyKeys) throw tooManyKeys();
    commitKeys(parts, keyring.prepareLegacyKey(key, { by, at: now().toISOString() }));
    return legacy.length + 1;
  }

  function store(accepted: readonly Accepted[], version: number, by: string): number {
    const dek = keyring.activeDek(storedLine.keyring, storedLine.tenant);
    // For each its name, and perhaps the row that it takes the place of, sealed anew.
    const counters = keyLines.spend(dek, accepted.length * 3);
    const updatedAt = now().toISOString();
    const put = accepted.map(({ row: { path, nonce, sealed, createdAt = updatedAt }, id }) => {
      const place = { id, version: versions.highest(id) + 1 };
      const { scope, name } = path;
      const meta = { scope, name, createdAt, updatedAt, size: sealed.length - tagLength, by };
      return {
        ...place,
        state: rowState.current,
        dek: noDek,
        meta: sealMeta(sealer, dek, place, meta),
        value: legacyForm(version, nonce, sealed),
      };
    });
    const successions = accepted.map(({ id, head }) => versions.succession(id, head, dek));
    const drop = successions.flatMap((one) => one.drop);
    const replace = successions.flatMap((one) => one.replace);
    const commit = ledger.commit({ drop, replace, put, counters });
    keyLines.granted(counters);
    for (const { row } of accepted) cache.drop(row.path.text);
    return commit;
  }

  return {
    take({ key, rows: given, overwrite, checkOnly, mostBytes }, by) {
      ledger.requireOpen();
      const accepted: Accepted[] = [];
      const refused: RefusedRow[] = [];
      const paths = new Set<string>();
      let already = 0;
      let opened = 0;
      const cipher = createAesGcm(key);
      try {
        for (const [index, row] of given.entries()) {
          const value = opening(cipher, row);
          if (value === undefined) {
            refused.push({ index, error: unopened() });
            continue;
          }
          opened++;
          try {
            const isTwice = paths.has(row.path.text);
            paths.add(row.path.text);
            const verdict =
              value.length > mostBytes
                ? tooLarge(value.length, mostBytes)
                : isTwice
                  ? twice()
                  : judged(row, value, overwrite);
            if (verdict === 'already') already++;
            else if (verdict instanceof HushError) refused.push({ index, error: verdict });
            else accepted.push(verdict);
          } finally {
            wipe(value);
          }
        }
      } finally {
        cipher.close();
      }
      if (opened === 0 && given.length > 0) throw wrongKey(given.length);
      const isStored = refused.length === 0 && accepted.length > 0 && !checkOnly;
      const commit = isStored ? store(accepted, keyVersion(key, by), by) : ledger.commitCounter();
      return { stored: accepted.length, already, refused, commit };
    },
  };
}

/** The value that a row holds, the caller's to wipe; undefined where the key does not open it. */
function opening(cipher: AesGcm, { nonce, sealed }: LegacyRow): Uint8Array | undefined {
  if (nonce.length !== nonceLength || sealed.length < tagLength) return undefined;
  const value = newBytes(sealed.length - tagLength);
  return opensLegacy(cipher, { nonce, sealed }, value) ? value : undefined;
}

const exists = (): HushError =>
  new HushError('EXISTS', 'there is a secret of that path with another value', {
    hint: 'hush import --legacy FILE --overwrite, to give it a new version',
  });

const unopened = (): HushError =>
  new HushError('INTEGRITY', 'the value does not open under the key, which opens others', {
    hint: 'take that line from the system that wrote it once more',
  });

const twice = (): HushError =>
  new HushError('CONFLICT', 'the path comes twice', { hint: 'leave one of the two lines away' });

const tooLarge = (bytes: number, limit: number): HushError =>
  new HushError('TOO_LARGE', `the value has ${bytes} bytes, the limit is ${limit}`, { limit: 'valueBytes' });

const wrongKey = (count: number): HushError =>
  new HushError(
    'WRONG_KEY',
    count === 1 ? 'the key does not open the value' : `the key opens none of ${count} values`,
    {
      hint: 'give the master key of the system that wrote them',
    },
  );

const tooManyKeys = (): HushError =>
  new HushError('LIMIT_EXCEEDED', `values of ${mostLegacyKeys} legacy keys are here already`, {
    hint: 'hush keys rotate, then hush keys retire each legacy key',
  });
