import { contentOf, notReadable, type Document, type Leaf } from './document.ts';

/** A line without what ends it. */
interface Line {
  readonly start: number;
  readonly end: number;
}

/**
 * The values of an INI document and their places: `[section]`, `key = value` or `key: value`, comments after `;` or `#`
 * at the start of a line. A key's path is its section, if it has one, and the key. Throws BAD_REQUEST.
 */
export function readIni(text: string): Document {
  const leaves: Leaf[] = [];
  let section: string | undefined;
  /** How far the key is indented whose value a deeper line may go on with. */
  let indent = Infinity;
  for (const { start, end } of linesOf(text)) {
    const from = past(text, start, end, ' \t\ufeff');
    const first = text[from] ?? '\n';
    if (from === end || first === ';' || first === '#') continue;
    // For some programs a deeper line is more of the value above, whatever it looks like: neither is moved.
    const goesOn = from - start > indent;
    if (goesOn) markLonger(leaves);
    if (first === '[') {
      const close = text.indexOf(']', from);
      if (close < 0 || close > end) throw notReadable('INI', text, from, 'a section has no end');
      section = text.slice(from + 1, close).trim();
      indent = Infinity;
      continue;
    }
    const mark = firstOf(text, from, end, '=:');
    const isSwitch = mark === end;
    if (!isSwitch) {
      const key = text.slice(from, mark).trim();
      leaves.push(leafOf(text, section === undefined ? [key] : [section, key], mark + 1, end));
      if (goesOn) markLonger(leaves);
    }
    if (!goesOn) indent = isSwitch ? Infinity : from - start;
  }
  return { leaves, content: contentOf(leaves) };
}

function leafOf(text: string, path: readonly string[], from: number, lineEnd: number): Leaf {
  const start = past(text, from, lineEnd, ' \t');
  let end = lineEnd;
  while (end > start && ' \t'.includes(text[end - 1] ?? '-')) end -= 1;
  const written = text.slice(start, end);
  const quote = /^["']/.exec(written)?.[0] ?? '';
  const close = quote === '' ? -1 : text.indexOf(quote, start + 1);
  if (
    close > 0 &&
    close < end &&
    /^(?:[ \t]+[;#]|$)/.test(text.slice(close + 1, end)) &&
    !written.includes('\\')
  ) {
    const inner = text.slice(start + 1, close);
    return { path, start, end: close + 1, kind: 'text', text: inner, write: (to) => `${quote}${to}${quote}` };
  }
  // Where a comment begins within a line, or what an escape means, is read differently by different programs.
  const isPlain = quote === '' && !/[ \t][;#]/.test(written) && !written.endsWith('\\');
  return { path, start, end, kind: isPlain ? 'text' : 'other', text: written, write: (to) => to };
}

function markLonger(leaves: Leaf[]): void {
  const last = leaves.pop();
  if (last !== undefined) leaves.push({ ...last, kind: 'other' });
}

/**
 * The values of a file of Java properties and their places: `key=value`, `key: value` or `key value`, with the escapes
 * of java.util.Properties, among them lines that go on after `\`. A key is one step, whatever dots it has.
 */
export function readProperties(text: string): Document {
  const leaves: Leaf[] = [];
  const lines = linesOf(text);
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined) break;
    const from = past(text, line.start, line.end, ' \t\f\ufeff');
    if (from === line.end || text[from] === '#' || text[from] === '!') continue;
    let end = line.end;
    while (isContinued(text, from, end) && index + 1 < lines.length) {
      index += 1;
      end = lines[index]?.end ?? end;
    }
    const keyEnd = firstOf(text, from, end, '=: \t\f');
    const mark = past(text, keyEnd, end, ' \t\f');
    const start = past(text, '=:'.includes(text[mark] ?? '-') ? mark + 1 : mark, end, ' \t\f');
    leaves.push({
      path: [unescaped(text.slice(from, keyEnd))],
      start,
      end,
      kind: 'text',
      text: unescaped(text.slice(start, end)),
      write: (reference) => (start === keyEnd ? `=${reference}` : reference),
    });
  }
  return { leaves, content: contentOf(leaves) };
}

/** Whether an odd number of backslashes stands at the end. */
function isContinued(text: string, from: number, end: number): boolean {
  let backslashes = 0;
  while (end - backslashes > from && text[end - backslashes - 1] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' };

function unescaped(written: string): string {
  return written.replaceAll(
    /\\(?:u([0-9a-fA-F]{4})|(\r\n|\n|\r)[ \t\f]*|([^]))|\\$/g,
    (_all, hex?: string, lineEnd?: string, other?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return lineEnd !== undefined || other === undefined ? '' : (escapes[other] ?? other);
    },
  );
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < text.length;) {
    const feed = text.indexOf('\n', start);
    const end = feed < 0 ? text.length : feed;
    lines.push({ start, end: end > start && text[end - 1] === '\r' ? end - 1 : end });
    start = end + 1;
  }
  return lines;
}

/** Where the first character is that is none of these, at most `end`. */
function past(text: string, from: number, end: number, characters: string): number {
  let at = from;
  while (at < end && characters.includes(text[at] ?? '')) at += 1;
  return at;
}

/** Where the first of these characters is that no backslash stands before, else `end`. */
function firstOf(text: string, from: number, end: number, characters: string): number {
  for (let at = from; at < end; at += text[at] === '\\' ? 2 : 1) {
    if (characters.includes(text[at] ?? '')) return at;
  }
  return end;
}
