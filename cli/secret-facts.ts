import { HushError } from '../protocol/errors.ts';
import { isNote, mostTags, tagPattern } from '../protocol/notes.ts';

/** What the options say of a secret besides its value. */
export interface Describing {
  /** ISO time. */
  readonly expires?: string;
  readonly note?: string;
  readonly tag?: readonly string[];
  readonly ifVersion?: number;
}

/** These as the parameters of a request, those alone that were given. */
export function describingOf({ expires, note, tag, ifVersion }: Describing): {
  expiresAt?: string;
  note?: string;
  tags?: string[];
  ifVersion?: number;
} {
  return {
    ...(expires === undefined ? {} : { expiresAt: expires }),
    ...(note === undefined ? {} : { note }),
    ...(tag === undefined ? {} : { tags: [...tag] }),
    ...(ifVersion === undefined ? {} : { ifVersion }),
  };
}

/** The value of `--note`. Throws BAD_REQUEST. */
export function noteOption(text: string): string {
  if (isNote(text)) return text;
  throw new HushError('BAD_REQUEST', 'that is not a note', {
    hint: 'a note has at most 1,024 bytes, and no control characters but line feeds',
  });
}

/** A tag. Throws BAD_REQUEST. */
export function tagOption(text: string): string {
  if (tagPattern.test(text)) return text;
  throw new HushError('BAD_REQUEST', 'that is not a tag', { hint: 'a tag is 1-64 of A-Z a-z 0-9 . _ -' });
}

/** The value of `--tag` with those before it; an empty text is no tag. Throws BAD_REQUEST. */
export function tagsOption(text: string, before: readonly string[] = []): readonly string[] {
  if (text === '') return before;
  const tags = before.includes(text) ? before : [...before, tagOption(text)];
  if (tags.length <= mostTags) return tags;
  throw new HushError('BAD_REQUEST', `a secret has at most ${mostTags} tags`, { hint: 'hush help set' });
}
