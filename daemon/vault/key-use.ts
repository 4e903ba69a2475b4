import { z } from 'zod';

import type { Keyring } from '../keys/keyring.ts';
import type { Facts } from './facts.ts';
import type { Ledger } from './ledger.ts';

/** When handles were last opened under data keys that have a newer one, as far as the vault knows. */
export interface KeyUse {
  /** Takes note of what was opened since the last time; the times that are told are no more exact than these calls. */
  look(): void;
  /** When a key last opened a handle, by its id. */
  lastDecryptAt(id: string): string | undefined;
  /** How many times are kept, and whether some of them are not on the disk. */
  kept(): { readonly times: number; readonly isChanged: boolean };
  /** Commits what is not on the disk. Throws UNAVAILABLE. */
  persist(): void;
}

/** The name of the fact that holds the times, by the ids of the keys. */
export const lastDecryptsFact = 'last-decrypts';

const times = z.record(z.string(), z.string());

/**
 * The use of an open vault's data keys. Each opening leaves a mark on its key and nothing else; `look` finds the marks.
 */
export function createKeyUse(parts: {
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  readonly facts: Facts;
  readonly now: () => Date;
}): KeyUse {
  const { keyring, ledger, facts, now } = parts;
  const known = new Map(Object.entries(times.catch({}).parse(facts.get(lastDecryptsFact) ?? {})));
  let isChanged = false;

  function look(): void {
    const at = now().toISOString();
    for (const dek of keyring.openDeks()) {
      if (!dek.opened) continue;
      dek.opened = false;
      if (dek.version === keyring.newestVersion(dek.keyring, dek.tenant)) continue;
      const id = keyring.record(dek.keyring, dek.tenant, dek.version)?.entry.id;
      if (id === undefined) continue;
      known.set(id, at);
      isChanged = true;
    }
  }

  return {
    look,
    lastDecryptAt: (id) => known.get(id),
    kept: () => ({ times: known.size, isChanged }),
    persist() {
      look();
      if (!isChanged) return;
      const { keys } = keyring.keyset();
      const lasting = [...known].filter(([id]) => (keys.get(id)?.state ?? 'destroyed') !== 'destroyed');
      ledger.commit({ facts: [facts.row(lastDecryptsFact, Object.fromEntries(lasting))] });
      isChanged = false;
    },
  };
}
