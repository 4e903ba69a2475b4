import { HushError } from '../../protocol/errors.ts';
import type { KeyNote } from '../keys/key-change.ts';
import { hasDestroyedBytes } from '../keys/keyset.ts';
import { commitKeys, type KeysetPlaces } from './commit-keys.ts';

/** What became of keys that were to be destroyed. */
export interface DestroyedKeys {
  /** The number of the last commit. */
  readonly commit: number;
  /** The generation of the key set. */
  readonly generation: number;
  /** Why wrapped bytes of destroyed keys may still be on the disk; the next unlock or destruction tries again. */
  readonly notErased: HushError | undefined;
}

/** Destroys keys of an open vault for good. */
export interface KeyDestruction {
  /**
   * Destroys keys, by their ids. When it returns they open nothing any more, now or after any crash, and their wrapped
   * bytes are gone from the key set's file, from the vault and from its log, unless `notErased` says otherwise.
   * Without ids it only erases what an earlier attempt left. Throws INTEGRITY for a key that is not there or destroyed
   * already, UNAVAILABLE when the disk refuses; then nothing is destroyed.
   */
  destroy(ids: readonly string[], note: KeyNote): DestroyedKeys;
  /** Erases what a crash left of destroyed keys (unlock); where the disk refuses, that is left to the next time. */
  finish(): void;
}

/** The destruction of keys over both copies of the key set. */
export function createKeyDestruction(places: KeysetPlaces): KeyDestruction {
  const { keyring, ledger, replaceKeys } = places;

  /** The key set anew without their wrapped bytes, in the file, in the vault, and the vault's log emptied. */
  function erase(): void {
    if (hasDestroyedBytes(keyring.keyset())) {
      const change = keyring.prepareErasure();
      replaceKeys(change.lines);
      // The file now rules, as it does at the next unlock, even if the vault does not follow.
      keyring.commit(change);
    }
    const { lines } = keyring.keyset();
    // A crash before this leaves the vault a generation behind, and the next unlock brings it up to the file.
    if (!ledger.holdsKeyset(lines)) ledger.commit({ keyset: { from: 0, lines } });
    // A crash before this leaves old pages in the log, and `finish` empties it.
    ledger.forget('keys');
  }

  /** Keys are destroyed by their marks: a disk that refuses now must not make that look undone. */
  function reasonNotErased(): HushError | undefined {
    try {
      erase();
      return undefined;
    } catch (error) {
      if (error instanceof HushError) return error;
      throw error;
    }
  }

  return {
    destroy(ids, note) {
      if (ids.length > 0) {
        // The mark comes first: after a crash from here on the keys are destroyed, and `finish` erases their bytes.
        const marks = ids.map((id) => ({ id, state: 'destroyed' as const }));
        commitKeys(places, keyring.prepareStates(marks, note));
      }
      const notErased = reasonNotErased();
      return { commit: ledger.commitCounter(), generation: keyring.keyset().generation, notErased };
    },
    finish() {
      const records = [...keyring.keyset().keys.values()];
      if (!records.some(({ state }) => state === 'destroyed')) return;
      const notErased = reasonNotErased();
      // The keys open nothing: a full disk is no reason to keep the profile shut, and anything else is.
      if (notErased !== undefined && notErased.code !== 'UNAVAILABLE') throw notErased;
    },
  };
}
