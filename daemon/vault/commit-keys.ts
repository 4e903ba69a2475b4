import type { PreparedChange } from '../keys/key-change.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { KeysetLines } from '../stores/store.ts';
import type { Ledger } from './ledger.ts';

/** Where the two copies of a key set are, and who uses it. */
export interface KeysetPlaces {
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  /** Puts lines at the end of the key set's file, behind those present, and on the disk. */
  readonly appendKeys: (present: readonly string[], added: readonly string[]) => void;
  /** Puts all lines in place of the key set's file, and on the disk. */
  readonly replaceKeys: (lines: readonly string[]) => void;
}

/**
 * Makes more lines of the key set true: file, vault, use, so that a key that seals something is on the disk twice by
 * then. A crash between the first two leaves the change made, and the next unlock brings the vault up to it. Throws
 * UNAVAILABLE; then nothing has changed.
 */
export function commitKeys(
  { keyring, ledger, appendKeys }: Pick<KeysetPlaces, 'keyring' | 'ledger' | 'appendKeys'>,
  change: PreparedChange,
): number {
  const present = change.before.lines;
  ledger.requireOpen();
  appendKeys(present, change.lines);
  try {
    const commit = ledger.commit({ keyset: behind(ledger, change) });
    keyring.commit(change);
    return commit;
  } catch (error) {
    takeBack(() => {
      // Where it is not known what the vault holds, the file must not be the older of the two.
      ledger.requireOpen();
      appendKeys(present, []);
    });
    throw error;
  }
}

/** The new lines; all of them where the vault was left behind by an erasure that it could not take. */
const behind = (ledger: Ledger, { before, keyset, lines }: PreparedChange): KeysetLines =>
  ledger.holdsKeyset(before.lines) ? { from: before.lines.length, lines } : { from: 0, lines: keyset.lines };

function takeBack(step: () => void): void {
  try {
    step();
  } catch {
    // The error that led here says more; the next unlock makes the two copies the same.
  }
}
