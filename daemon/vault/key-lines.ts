import { HushError } from '../../protocol/errors.ts';
import { storedLine } from '../keys/create.ts';
import type { Dek, DekLine } from '../keys/dek-index.ts';
import type { Keyring, PreparedChange } from '../keys/keyring.ts';
import type { KeyRecord, Keyset } from '../keys/keyset.ts';
import type { Ledger } from './ledger.ts';
import { createMessageBudget } from './message-budget.ts';
import type { CounterRow } from '../stores/store.ts';

/** What `rotateKeys` did: the newest key of the keyring, and how many lines got one. */
export interface RotatedKeys {
  readonly keyring: string;
  readonly kmsKeyId: string;
  readonly version: number;
  readonly lines: number;
  readonly commit: number;
}

/** How a vault's lines of data keys grow, and how many messages each key may still seal. */
export interface KeyLines {
  /** The first DEK of a line that has none. Throws LIMIT_EXCEEDED. */
  add(line: DekLine): void;
  /** One more DEK for each line of a keyring. Throws NOT_FOUND. */
  rotate(keyring: string, by: string): RotatedKeys;
  /** Counts messages that are about to be sealed, and returns the counters to commit with them. */
  spend(dek: Dek, messages: number): readonly CounterRow[];
  /** Tells that counters were committed. */
  granted(counters: readonly CounterRow[]): void;
  /** The name of the newest key that seals stored secrets. */
  activeKey(): string;
}

/** What the lines of keys are made with. */
export interface KeyLinesParts {
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  /** How many lines there may be besides the first. */
  readonly maxTenants: number;
  /** Puts lines at the end of the key set's file, behind those present, and on the disk. */
  readonly appendKeys: (present: readonly string[], added: readonly string[]) => void;
  readonly now: () => Date;
}

/** The name of a DEK as the platform keeps it. */
export const kmsKeyId = (vaultId: string, keyring: string, version: number): string =>
  `hush:${vaultId}:${keyring}:v${version}`;

/** The lines of data keys of an open vault. */
export function createKeyLines({ keyring, ledger, maxTenants, appendKeys, now }: KeyLinesParts): KeyLines {
  const budget = createMessageBudget(keyring.keyset, ledger.counter);

  /** File, vault, use: a key that seals something is on the disk twice by then. */
  function commit(change: PreparedChange): number {
    ledger.requireOpen();
    appendKeys(change.before.lines, change.lines);
    const number = ledger.commit({ keyset: { from: change.before.lines.length, lines: change.lines } });
    keyring.commit(change);
    return number;
  }

  return {
    add(line) {
      const present = keyring.lines().length - 1;
      if (present >= maxTenants) {
        throw new HushError('LIMIT_EXCEEDED', `the profile has keys for ${present} tenants already`, {
          limit: 'max_tenants',
          hint: 'raise max_tenants of the profile in config.toml',
        });
      }
      commit(keyring.prepareDeks([line], { by: 'first encrypt', at: now().toISOString() }));
    },
    rotate(name, by) {
      // A line whose newest key was destroyed is opened anew on purpose only, by name.
      const newest = newestOf(keyring.keyset(), name).filter(({ state }) => state !== 'destroyed');
      const main = newest.find(({ entry }) => entry.tenant === '') ?? newest[0];
      if (main === undefined) {
        throw new HushError('NOT_FOUND', `the keyring ${name} has no keys`, {
          hint: 'its first encrypt makes one',
        });
      }
      const lines = newest.map(({ entry }) => ({ keyring: name, tenant: entry.tenant }));
      const number = commit(keyring.prepareDeks(lines, { by, at: now().toISOString() }));
      const version = main.entry.version + 1;
      return {
        keyring: name,
        kmsKeyId: kmsKeyId(keyring.vaultId, name, version),
        version,
        lines: lines.length,
        commit: number,
      };
    },
    ...budget,
    activeKey: () => {
      const newest = newestOf(keyring.keyset(), storedLine.keyring).find(({ entry }) => entry.tenant === '');
      return kmsKeyId(keyring.vaultId, storedLine.keyring, newest?.entry.version ?? 0);
    },
  };
}

/** The newest key of each line of a keyring. */
function newestOf(keyset: Keyset, keyring: string): readonly KeyRecord[] {
  const newest = new Map<string, KeyRecord>();
  for (const record of keyset.keys.values()) {
    const { entry } = record;
    if (entry.use === 'dek' && entry.keyring === keyring) newest.set(entry.tenant, record);
  }
  return [...newest.values()];
}
