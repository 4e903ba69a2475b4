import type { Kind } from './tree.ts';

/** A text as one word of a POSIX shell; fish reads it the same way but for the backslash, which none of ours has. */
export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '').replaceAll("'", `'\\''`)}'`;
}

/** How the scripts call a kind: fixed words stand behind a colon. */
export function kindWord(kind: Kind): string {
  return typeof kind === 'string' ? kind : `:${kind.words.join(' ')}`;
}
