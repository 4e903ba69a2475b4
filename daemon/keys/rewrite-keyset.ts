import { HushError } from '../../protocol/errors.ts';
import type { Keyring } from './keyring.ts';
import { emptyKeyset, entryOf, growKeyset, hasDestroyedBytes, type Keyset } from './keyset.ts';

/** A key set that is written anew under another vault key, entry by entry, while the present one may still grow. */
export interface KeysetRewriting {
  /** Takes the next entry over; false when there is none left. Throws CONFLICT when the present one was replaced. */
  step(): boolean;
  /** The new key set, which has every entry of the present one. Throws CONFLICT as `step`. */
  finish(): Keyset;
}

/** The keys of a new vault key that a key set is written under. */
interface NewKeys {
  readonly wrappingKey: { readonly bytes: Uint8Array };
  readonly macKey: { readonly bytes: Uint8Array };
}

/** Nothing taken over yet; the new key set is of the next generation. */
export function rewriteKeyset(keyring: Keyring, { wrappingKey, macKey }: NewKeys): KeysetRewriting {
  const { vaultId, generation, lines: present } = keyring.keyset();
  const growing = growKeyset(emptyKeyset(vaultId, generation + 1, macKey.bytes), macKey.bytes);
  let taken = 1;
  let last = present[0];

  const step = (): boolean => {
    const { lines } = keyring.keyset();
    if (lines[taken - 1] !== last) throw replaced();
    const line = lines[taken];
    if (line === undefined) return false;
    taken++;
    last = line;
    const entry = entryOf(line, taken);
    growing.add(entry.type === 'key' ? keyring.rewrapped(entry, wrappingKey.bytes) : entry);
    return true;
  };

  return {
    step,
    finish() {
      while (step());
      const keyset = growing.finish();
      // A key that was destroyed after it had been taken over.
      if (hasDestroyedBytes(keyset)) throw replaced();
      return keyset;
    },
  };
}

const replaced = (): HushError =>
  new HushError(
    'CONFLICT',
    'keys were destroyed while the vault key was being rotated: nothing was rotated',
    {
      hint: 'hush keys rotate --vault once more',
    },
  );
