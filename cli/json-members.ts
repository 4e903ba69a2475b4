/** One member of a JSON object, as it stands in the object's text. */
export interface Member {
  readonly name: string;
  /** Name, colon and value, byte for byte. */
  readonly text: string;
}

/**
 * The members of the JSON object that `text` is, in their order. Passing these on changes nothing, where parsing and
 * writing again would: numbers beyond 2^53 lose digits. `text` must have parsed as a JSON object.
 */
export function membersOf(text: string): readonly Member[] {
  const members: Member[] = [];
  let at = afterBlanks(text, text.indexOf('{') + 1);
  while (text[at] === '"') {
    const start = at;
    const nameEnd = afterString(text, start);
    // A colon follows, by the grammar.
    const valueStart = afterBlanks(text, afterBlanks(text, nameEnd) + 1);
    const end = afterValue(text, valueStart);
    members.push({ name: nameOf(text.slice(start, nameEnd)), text: text.slice(start, end) });
    at = afterBlanks(text, end);
    if (text[at] === ',') at = afterBlanks(text, at + 1);
  }
  return members;
}

/** A name without its quotes; any of its characters may be written as an escape. */
function nameOf(quoted: string): string {
  // The grammar makes it a string.
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

function afterBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

function afterString(text: string, from: number): number {
  let at = from;
  for (;;) {
    at = text.indexOf('"', at + 1);
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return at + 1;
  }
}

function afterValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const character = text[at];
    if (character === '"') {
      at = afterString(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      // The end of the object that the value stands in, or its own.
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (character === ',' || text.charCodeAt(at) <= 0x20)) return at;
    at++;
  }
  return at;
}
