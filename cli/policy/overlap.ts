/**
 * Whether some text matches both patterns, in each of which `*` stands for any run of characters. Patterns of several
 * parts are compared part by part.
 */
export function overlaps(one: string, other: string): boolean {
  if (one === '*' || other === '*') return true;
  const [left, right] = [one.split('/'), other.split('/')];
  return left.length === right.length && left.every((part, index) => partsOverlap(part, right[index] ?? ''));
}

/** `reached[j]`: whether what was read of `one` and the first `j` characters of `other` can stand for the same text. */
function partsOverlap(one: string, other: string): boolean {
  let reached = [true];
  for (let j = 1; j <= other.length; j += 1) reached[j] = reached[j - 1] === true && other[j - 1] === '*';
  for (const char of one) {
    const next = [char === '*' && reached[0] === true];
    for (let j = 1; j <= other.length; j += 1) {
      const theirs = other[j - 1];
      const isStar = char === '*' || theirs === '*';
      // A star stands for nothing, or for one character more of the other side.
      next[j] = isStar
        ? reached[j] === true || next[j - 1] === true
        : reached[j - 1] === true && char === theirs;
    }
    reached = next;
  }
  return reached[other.length] === true;
}
