/**
 * Patterns of files to include: a path below the config's folder, in whose last part `*` stands for any run of
 * characters.
 */

const maxLength = 1_024;

/** Why a text is no such pattern, or undefined if it is one. */
export function includeProblem(text: string): string | undefined {
  const parts = text.split('/');
  if (text === '' || text.length > maxLength) return `must have 1 to ${maxLength} characters`;
  if (parts.some((part) => part === '' || part === '.' || part === '..') || text.includes('\0')) {
    return "must be a path below the config's folder, without '.', '..' and empty parts";
  }
  if (parts.slice(0, -1).some((part) => part.includes('*'))) return "must have '*' in its last part only";
  return undefined;
}

/**
 * Whether the last part of a pattern stands for the name of a file. What begins with a dot is meant only by a pattern
 * that begins with one.
 */
export function matchesFileName(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const [head = '', ...others] = pattern.split('*');
  const tail = others.pop();
  if (tail === undefined) return name === pattern;
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  let from = head.length;
  for (const middle of others) {
    const at = name.indexOf(middle, from);
    if (at === -1) return false;
    from = at + middle.length;
  }
  return from <= name.length - tail.length;
}
