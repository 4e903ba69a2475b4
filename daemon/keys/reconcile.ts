import { HushError } from '../../protocol/errors.ts';
import { parseFirstLine, readKeyset, type Keyset } from './keyset.ts';

/** Which of the two copies of a key set must be brought up to the other, once the whole has verified. */
export interface Reconciled {
  readonly keyset: Keyset;
  /** The file lacks lines, ends in a torn one, or is of an older generation: write it anew from `keyset.lines`. */
  readonly fileNeedsRepair: boolean;
  /**
   * The file is whole and yet older than the vault. No crash leaves it so, since it is written before the vault:
   * someone has put an older one in its place.
   */
  readonly fileIsOlder: boolean;
  /** The vault lacks lines or is of an older generation: put `keyset.lines` in place of its own. */
  readonly vaultNeedsRepair: boolean;
}

/** The lines of a key set file, and whether it ends as one must. */
export interface KeysetLines {
  /** All whole lines, without their LF. */
  readonly lines: readonly string[];
  /** The file does not end in LF: the last append was cut off. */
  readonly torn: boolean;
}

const isPrefix = (short: readonly string[], long: readonly string[]): boolean =>
  short.every((line, index) => line === long[index]);

/**
 * One key set out of its two copies. Either rebuilds the other where one goes on where the other ends; after that
 * either may be used. Throws INTEGRITY when both are empty, when they contradict each other, or as `readKeyset` does;
 * then nothing is repaired, and if the vault's copy is whole, the hint says how that becomes the one that counts.
 */
export function reconcile(
  file: KeysetLines,
  vaultLines: readonly string[],
  vaultId: string,
  macKey: Uint8Array,
): Reconciled {
  try {
    return reconciled(file, vaultLines, vaultId, macKey);
  } catch (error) {
    if (!isTampering(error) || !isWhole(vaultLines, vaultId, macKey)) throw error;
    const hint =
      "move the profile's file keyset away, then hush unlock: the vault's copy is whole, and rebuilds it";
    throw new HushError('INTEGRITY', error.message, { hint, cause: error });
  }
}

const isTampering = (error: unknown): error is HushError =>
  error instanceof HushError && error.code === 'INTEGRITY';

function isWhole(lines: readonly string[], vaultId: string, macKey: Uint8Array): boolean {
  try {
    readKeyset(lines, vaultId, macKey);
    return true;
  } catch (error) {
    if (error instanceof HushError) return false;
    throw error;
  }
}

function reconciled(
  file: KeysetLines,
  vaultLines: readonly string[],
  vaultId: string,
  macKey: Uint8Array,
): Reconciled {
  const [ofFile, ofVault] = [file.lines, vaultLines].map(generationOf);
  const winner = pickLines(file.lines, vaultLines, ofFile ?? 0, ofVault ?? 0);
  const keyset = readKeyset(winner, vaultId, macKey);
  const fileLacksLines = !isSame(file.lines, winner);
  return {
    keyset,
    fileNeedsRepair: file.torn || fileLacksLines,
    fileIsOlder: fileLacksLines && !file.torn && file.lines.length > 0,
    vaultNeedsRepair: !isSame(vaultLines, winner),
  };
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && isPrefix(a, b);

const generationOf = ([first]: readonly string[]): number =>
  first === undefined ? 0 : parseFirstLine(first).generation;

function pickLines(
  file: readonly string[],
  vault: readonly string[],
  ofFile: number,
  ofVault: number,
): readonly string[] {
  if (ofFile !== ofVault) return ofFile > ofVault ? file : vault;
  const [short, long] = file.length < vault.length ? [file, vault] : [vault, file];
  if (isPrefix(short, long)) return long;
  throw new HushError('INTEGRITY', 'the key set was tampered with: file and vault contradict each other');
}
