import { parse } from 'smol-toml';

/** Where keys stand in a TOML text that a TOML parser has accepted. */

/** The way to a value: keys of tables, and indexes of array items as decimal text. */
export type KeyPath = readonly string[];

interface Place {
  readonly path: KeyPath;
  readonly line: number;
}

/** A position in the text; `places` is filled on the way. */
interface Cursor {
  readonly text: string;
  at: number;
  line: number;
  readonly places: Place[];
}

/** Where a value stands, or the nearest that is written of it. */
export interface FoundLine {
  /** From 1. */
  readonly line: number;
  /** How many keys of the path are written there; the rest of it is not in the text. */
  readonly depth: number;
}

/** No key of a config lies deeper; what does is found by the table around it. */
const deepest = 12;

/**
 * The line where the value at `path` stands: its own, else the first one below it, else that of the nearest table
 * around it; undefined if not even that is written. The text is valid TOML.
 */
export function lineFinder(text: string): (path: KeyPath) => FoundLine | undefined {
  const lines = new Map<string, number>();
  for (const { path, line } of placesIn(text)) {
    for (let depth = Math.min(path.length, deepest); depth > 0; depth -= 1) {
      const key = keyOf(path, depth);
      if (lines.has(key)) break;
      lines.set(key, line);
    }
  }
  return (path) => {
    for (let depth = Math.min(path.length, deepest); depth > 0; depth -= 1) {
      const line = lines.get(keyOf(path, depth));
      if (line !== undefined) return { line, depth };
    }
    return undefined;
  };
}

function keyOf(path: KeyPath, depth: number): string {
  return JSON.stringify(path.slice(0, depth));
}

function placesIn(text: string): readonly Place[] {
  const cursor: Cursor = { text, at: 0, line: 1, places: [] };
  let table: KeyPath = [];
  skipBlank(cursor);
  while (cursor.at < text.length) {
    if (peek(cursor) === '[') {
      while (peek(cursor) === '[') advance(cursor);
      table = readKeys(cursor);
      cursor.places.push({ path: table, line: cursor.line });
      while (peek(cursor) === ']') advance(cursor);
    } else {
      readPair(cursor, table);
    }
    skipBlank(cursor);
  }
  return cursor.places;
}

function readPair(cursor: Cursor, table: KeyPath): void {
  const { line } = cursor;
  const path = [...table, ...readKeys(cursor)];
  cursor.places.push({ path, line });
  advance(cursor);
  readValue(cursor, path);
}

/** Reads a dotted key up to the `=` or `]` behind it. */
function readKeys(cursor: Cursor): KeyPath {
  const keys: string[] = [];
  let bare = '';
  for (let next = peek(cursor); next !== '=' && next !== ']' && next !== ''; next = peek(cursor)) {
    if (next === '"' || next === "'") {
      keys.push(readQuotedKey(cursor));
    } else {
      if (/[A-Za-z0-9_-]/.test(next)) bare += next;
      else if (bare !== '') keys.push(bare);
      if (!/[A-Za-z0-9_-]/.test(next)) bare = '';
      advance(cursor);
    }
  }
  return bare === '' ? keys : [...keys, bare];
}

function readValue(cursor: Cursor, path: KeyPath): void {
  skipBlank(cursor);
  const first = peek(cursor);
  if (first === '[') return readItems(cursor, ']', (index) => readItem(cursor, [...path, String(index)]));
  if (first === '{') return readItems(cursor, '}', () => readPair(cursor, path));
  if (first === '"' || first === "'") {
    skipString(cursor);
    return;
  }
  while (!/^(?:[,\]}\n#]|)$/.test(peek(cursor))) advance(cursor);
}

function readItem(cursor: Cursor, path: KeyPath): void {
  cursor.places.push({ path, line: cursor.line });
  readValue(cursor, path);
}

function readItems(cursor: Cursor, close: ']' | '}', read: (index: number) => void): void {
  advance(cursor);
  skipBlank(cursor);
  for (let index = 0; peek(cursor) !== close && peek(cursor) !== ''; index += 1) {
    read(index);
    skipBlank(cursor);
    if (peek(cursor) === ',') advance(cursor);
    skipBlank(cursor);
  }
  advance(cursor);
}

function readQuotedKey(cursor: Cursor): string {
  const start = cursor.at;
  skipString(cursor);
  const { key } = parse(`key = ${cursor.text.slice(start, cursor.at)}`);
  return typeof key === 'string' ? key : '';
}

/** Skips a string of any of the four kinds; of its escapes only `\"` and `\\` matter to where it ends. */
function skipString(cursor: Cursor): void {
  const quote = peek(cursor);
  const long = cursor.text.startsWith(quote.repeat(3), cursor.at);
  const close = long ? quote.repeat(3) : quote;
  advance(cursor, close.length);
  while (cursor.at < cursor.text.length && !cursor.text.startsWith(close, cursor.at)) {
    advance(cursor, quote === '"' && peek(cursor) === '\\' ? 2 : 1);
  }
  advance(cursor, close.length);
  while (long && peek(cursor) === quote) advance(cursor);
}

/** Skips white space, line ends and comments. */
function skipBlank(cursor: Cursor): void {
  for (;;) {
    const next = peek(cursor);
    if (next === '#') while (peek(cursor) !== '\n' && peek(cursor) !== '') advance(cursor);
    else if (/^\s$/.test(next) || next === '\uFEFF') advance(cursor);
    else return;
  }
}

function peek({ text, at }: Cursor): string {
  return text.charAt(at);
}

function advance(cursor: Cursor, count = 1): void {
  for (let left = count; left > 0; left -= 1) {
    if (peek(cursor) === '\n') cursor.line += 1;
    cursor.at += 1;
  }
}
