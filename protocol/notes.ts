/** What people say of a secret beside its value, and when that ends. */

/** What a tag looks like. */
export const tagPattern = /^[A-Za-z0-9._-]{1,64}$/;

/** The most bytes of a note in UTF-8, and the most tags of one secret. */
export const mostNoteBytes = 1_024;
export const mostTags = 16;

// Newline is the only control character; what is no character at all could not come back as it was.
const notePattern = /^(?:\n|[^\p{Cc}\p{Cs}\u2028\u2029])*$/u;
const momentPattern = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

/** Whether the text can be the note of a secret. */
export function isNote(text: string): boolean {
  // No character has fewer bytes than UTF-16 units.
  return (
    text.length <= mostNoteBytes &&
    notePattern.test(text) &&
    new TextEncoder().encode(text).length <= mostNoteBytes
  );
}

/** Whether the text is a moment: ISO 8601 in UTC with seconds, and at most milliseconds, on a day that there is. */
export function isMoment(text: string): boolean {
  const day = momentPattern.exec(text)?.[1];
  const ms = Date.parse(text);
  // Of February 30th some make March 2nd.
  return day !== undefined && !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}
