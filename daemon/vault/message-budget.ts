import { HushError } from '../../protocol/errors.ts';
import type { Dek } from '../keys/dek-index.ts';
import type { Keyset } from '../keys/keyset.ts';
import type { CounterRow } from '../stores/store.ts';

/** Messages are reserved on the disk in blocks of so many; a crash loses the rest of one, never a count. */
export const messagesPerBlock = 65_536;

/**
 * The most messages under one AES-256-GCM key with random 96-bit nonces: 2^32, where the chance that a nonce came
 * twice reaches 2^-33 (NIST SP 800-38D, 8.3).
 */
export const mostMessages = 2 ** 32;

interface Budget {
  readonly key: string;
  reserved: number;
  used: number;
}

/** Counts what is sealed under each DEK, so that no count is lost and none goes past the limit. */
export interface MessageBudget {
  /**
   * Counts messages that are about to be sealed, and returns the counters that must be committed before any of them
   * leaves. Throws UNAVAILABLE when the key has none left.
   */
  spend(dek: Dek, messages: number): readonly CounterRow[];
  /** Tells that counters were committed. */
  granted(counters: readonly CounterRow[]): void;
  /** How many messages a key has sealed at most, by its id. */
  spent(key: string): number;
}

/** The budget over a vault's counters: `reservedOf` gives what is reserved for a key, by its id. */
export function createMessageBudget(
  keyset: () => Keyset,
  reservedOf: (key: string) => number,
): MessageBudget {
  const budgets = new Map<Dek, Budget>();
  const byKey = new Map<string, Budget>();

  function open(dek: Dek): Budget {
    const key = idOf(keyset(), dek);
    const reserved = reservedOf(key);
    // How many of the reserved ones were used is not known any more.
    const budget = byKey.get(key) ?? { key, reserved, used: reserved };
    byKey.set(key, budget);
    budgets.set(dek, budget);
    return budget;
  }

  return {
    spend(dek, messages) {
      const budget = budgets.get(dek) ?? open(dek);
      const used = budget.used + messages;
      const reserved = Math.ceil(used / messagesPerBlock) * messagesPerBlock;
      if (reserved > mostMessages) {
        throw new HushError(
          'UNAVAILABLE',
          `key ${dek.version} of ${dek.keyring} has sealed all that it safely can`,
          {
            hint:
              dek.keyring === 'default' ? 'hush keys rotate' : `hush keys rotate --keyring ${dek.keyring}`,
          },
        );
      }
      budget.used = used;
      return used > budget.reserved ? [{ key: budget.key, reserved }] : [];
    },
    spent: (key) => byKey.get(key)?.used ?? reservedOf(key),
    granted(counters) {
      for (const { key, reserved } of counters) {
        const budget = byKey.get(key);
        if (budget !== undefined) budget.reserved = reserved;
      }
    },
  };
}

function idOf(keyset: Keyset, { keyring, tenant, version }: Dek): string {
  for (const { entry } of keyset.keys.values()) {
    const isIt =
      entry.use === 'dek' &&
      entry.keyring === keyring &&
      entry.tenant === tenant &&
      entry.version === version;
    if (isIt) return entry.id;
  }
  throw new HushError('INTEGRITY', 'the key set lacks a key that is in use');
}
