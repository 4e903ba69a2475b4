/** The longest name of a secret, in bytes. */
const longestName = 128;

/** How much of a name that is too long stays readable. */
const readable = 56;

/**
 * Bytes, one a character, in the letters of a secret's name: `A-Z a-z 0-9 -` and single dots stand for themselves, any
 * other byte is `_` and two hex digits. No two texts give the same; `_` before any other letter is free to be a mark.
 * `before` is the character that the text comes after: no name has two dots in a row.
 */
export function escaped(bytes: string, before: string): string {
  let text = '';
  let last = before;
  for (const byte of bytes) {
    last = /[A-Za-z0-9-]/.test(byte) || (byte === '.' && last !== '.') ? byte : `_${hex(byte)}`;
    text += last;
  }
  return text;
}

const hex = (byte: string): string => byte.charCodeAt(0).toString(16).padStart(2, '0');

/** The name itself, or where it is too long for one, its beginning, `_h` and the SHA-256 of all of it in hex. */
export function shortened(name: string): string {
  if (name.length <= longestName) return name;
  // Most names are short enough, and to load this takes a helper longer than its work.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return `${name.slice(0, readable)}_h${createHash('sha256').update(name).digest('hex')}`;
}
