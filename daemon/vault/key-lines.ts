import { storedLine } from '../keys/create.ts';
import { type Dek, type DekLine, tenantDestroyed } from '../keys/dek-index.ts';
import type { KeyNote, PreparedChange } from '../keys/key-change.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { Keyset } from '../keys/keyset.ts';
import { commitKeys } from './commit-keys.ts';
import { isStoredLine } from './dek-lines.ts';
import { idleKeys, movesLegacy } from './idle-keys.ts';
import type { Ledger } from './ledger.ts';
import { createMessageBudget } from './message-budget.ts';
import type { CounterRow } from '../stores/store.ts';
import { createLineFacts, requireRoom } from './tenant-lines.ts';

/** How a vault's lines of data keys grow, and how many messages each key may still seal. */
export interface KeyLines {
  /** The first DEK of a line that has none. Throws LIMIT_EXCEEDED; KEY_DESTROYED where the tenant's others all were. */
  add(line: DekLine): void;
  /**
   * One more DEK for each of these lines, which have one that is not destroyed. The one before seals no more; that of
   * stored secrets stays active until no row needs it (see `retireIdle`). Answers the commit's number.
   */
  renew(lines: readonly DekLine[], by: string): number;
  /** Retires the keys that nothing needs active any more; answers how many those were. */
  retireIdle(): number;
  /** How many messages a key has sealed at most, by its id. */
  spent(key: string): number;
  /** The version of the newest key that seals stored secrets. */
  storedVersion(): number;
  /** Whether rows under legacy keys are to be sealed anew (see `movesLegacy`). */
  movesLegacy(): boolean;
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
  /** Asked for each chunk of a re-sealing, and the same until the key set changes. */
  let legacy: { readonly keyset: Keyset; readonly isMoved: boolean } | undefined;

  const notedNow = (by: string): KeyNote => ({ by, at: now().toISOString() });

  const facts = createLineFacts(keyring.keyset);

  const commit = (change: PreparedChange): number => commitKeys({ keyring, ledger, appendKeys }, change);

  /** With the new keys those that they take the place of are retired, in one change. */
  function renew(lines: readonly DekLine[], by: string): number {
    const asked = new Set(lines.map(lineText));
    const replaced = [...keyring.keyset().keys.values()].filter(
      ({ entry, state }) =>
        entry.use === 'dek' &&
        state === 'active' &&
        asked.has(lineText(entry)) &&
        !(isStoredLine(entry) && ledger.counts().size > 0),
    );
    const retired = replaced.map(({ entry }) => entry.id);
    return commit(keyring.prepareDeks(lines, notedNow(by), retired));
  }

  return {
    add(line) {
      if (facts().shut.has(line.tenant)) throw tenantDestroyed();
      requireRoom(facts(), 1, maxTenants);
      commit(keyring.prepareDeks([line], notedNow('first encrypt')));
    },
    renew,
    retireIdle() {
      const idle = idleKeys(keyring.keyset(), ledger.counts());
      if (idle.length === 0) return 0;
      const changes = idle.map(({ entry }) => ({ id: entry.id, state: 'retired' as const }));
      commit(keyring.prepareStates(changes, notedNow('daemon')));
      return idle.length;
    },
    ...budget,
    movesLegacy: () => {
      const keyset = keyring.keyset();
      if (legacy?.keyset !== keyset) legacy = { keyset, isMoved: movesLegacy(keyset) };
      return legacy.isMoved;
    },
    storedVersion: () => keyring.newestVersion(storedLine.keyring, storedLine.tenant),
    activeKey: () =>
      kmsKeyId(
        keyring.vaultId,
        storedLine.keyring,
        keyring.newestVersion(storedLine.keyring, storedLine.tenant),
      ),
  };
}

const lineText = ({ keyring, tenant }: DekLine): string => JSON.stringify([keyring, tenant]);
