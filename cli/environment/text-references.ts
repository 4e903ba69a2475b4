import { HushError } from '../../protocol/errors.ts';
import {
  parseReference,
  parseSecretPath,
  type ProfileName,
  type SecretReference,
} from '../../protocol/names.ts';

/** A piece of a text: bytes that stay as they are, or a reference that a value takes the place of. */
export type Piece =
  { readonly text: string } | { readonly reference: string; readonly target: SecretReference };

/** A reference that names nothing: what is wrong, and in which line of the text, from 1. */
export interface ReferenceFault {
  readonly line: number;
  readonly error: HushError;
}

/** A text cut at its references. */
export interface Cut {
  readonly pieces: readonly Piece[];
  readonly faults: readonly ReferenceFault[];
}

/*
 * In this order: `\hush://`, which is meant as it stands; `{{ hush://… }}`; a bare reference, which ends with the first
 * character that its name cannot hold. What stands directly before a bare one is no part of a longer scheme.
 */
const references = new RegExp(
  [
    String.raw`\\hush:\/\/`,
    String.raw`\{\{[ \t]*hush:\/\/([^\s{}]*)[ \t]*\}\}`,
    String.raw`(?<![A-Za-z0-9+.-])hush:\/\/([\w-]*\/[\w.:-]*\/[\w.-]*(?:\/[\w./-]*)?|[\w.:/-]*)`,
  ].join('|'),
  'g',
);

/**
 * Cuts a text at its references. The text has one character a byte (latin1) where it is not known to be text. A
 * reference in braces ends at them; a bare one is as long as can be, so that `hush://p/global/a/b` is a fault and not
 * the value of `a` followed by `/b`. A backslash before `hush://` goes, and keeps it from being a reference.
 */
export function cutAtReferences(text: string): Cut {
  const pieces: Piece[] = [];
  const faults: ReferenceFault[] = [];
  let done = 0;
  let line = 1;
  /** Keeps what stands before `end`, and counts its lines. */
  const keep = (end: number): void => {
    if (end <= done) return;
    const piece = text.slice(done, end);
    pieces.push({ text: piece });
    line += feedsIn(piece);
  };
  for (const match of text.matchAll(references)) {
    const [whole, inBraces, bare] = match;
    keep(match.index);
    const rest = inBraces ?? bare;
    done = match.index + (rest === undefined ? 1 : whole.length);
    if (rest === undefined) continue;
    const reference = `hush://${rest}`;
    try {
      pieces.push({ reference, target: parseReference(reference) });
    } catch (error) {
      faults.push({ line, error: asFault(error) });
    }
  }
  keep(text.length);
  return { pieces, faults };
}

/** What a text that is one reference is cut to. Throws INVALID_NAME. */
export function wholeCut(profile: ProfileName, path: string): Cut {
  const reference = `hush://${profile}/${path}`;
  return { pieces: [{ reference, target: { profile, path: parseSecretPath(path) } }], faults: [] };
}

/** Whether a text may hold references: cheaper than to cut it. */
export const mayHoldReferences = (text: string): boolean => text.includes('hush://');

/** The reference that is all of the text, if it is one. */
export function wholeReference({ pieces, faults }: Cut): string | undefined {
  const [only] = pieces;
  return pieces.length === 1 && faults.length === 0 && only !== undefined && 'reference' in only
    ? only.reference
    : undefined;
}

function asFault(error: unknown): HushError {
  if (!(error instanceof HushError)) throw error;
  return new HushError('INVALID_NAME', `a reference is malformed: ${error.message}`, {
    hint: 'a reference is hush://PROFILE/SCOPE/NAME; write \\hush:// for text that is meant as it stands',
  });
}

function feedsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
