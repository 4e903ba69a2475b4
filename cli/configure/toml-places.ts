import { keyOfPath, notReadable, type Step } from './document.ts';

/** Where a value of a TOML document stands. */
export interface TomlPlace {
  readonly path: readonly Step[];
  readonly start: number;
  readonly end: number;
}

const blanks = /[ \t]+/y;
const blankLines = /[ \t\r\n\ufeff]+/y;
const comment = /#[^\n]*/y;
const bareKey = /[A-Za-z0-9_-]+/y;
/** A number, a word, a date: in a date a blank may stand before the time. */
const bareValue = /[^\s,\]}#]+(?: \d[^\s,\]}#]*)?/y;

/** The places of all values of a document that is TOML. Throws BAD_REQUEST where it meets what it does not know. */
export function tomlPlaces(text: string): TomlPlace[] {
  const places: TomlPlace[] = [];
  /** How many tables each list of tables has so far. */
  const lists = new Map<string, number>();
  let at = 0;

  const fail = (): never => {
    throw notReadable('TOML that can be edited', text, at);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const expect = (token: string): void => {
    if (!text.startsWith(token, at)) fail();
    at += token.length;
  };
  const skip = (): void => {
    while (match(blankLines) !== undefined || match(comment) !== undefined);
  };
  /** Goes past a string, of one line or of more. */
  const string = (quote: string): void => {
    const long = quote.repeat(3);
    const close = text.startsWith(long, at) ? long : quote;
    at += close.length;
    while (!text.startsWith(close, at)) {
      if (at >= text.length) fail();
      at += quote === '"' && text[at] === '\\' ? 2 : 1;
    }
    at += close.length;
    // Up to two quotes right before the three that close it are its own.
    for (let own = 0; close === long && own < 2 && text[at] === quote; own += 1) at += 1;
  };
  const key = (): string[] => {
    const steps: string[] = [];
    for (;;) {
      match(blanks);
      const start = at;
      const bare = match(bareKey);
      const quote = text[at] ?? '';
      if (bare !== undefined) steps.push(bare);
      else if (quote === '"' || quote === "'") {
        string(quote);
        steps.push(unquoted(text.slice(start, at)) ?? fail());
      } else fail();
      match(blanks);
      if (text[at] !== '.') return steps;
      at += 1;
    }
  };
  /** Goes through a list or a table up to its end, and tells how many items it has. */
  const items = (close: string, item: (index: number) => void): number => {
    at += 1;
    for (let index = 0; ; index += 1) {
      skip();
      if (text[at] === close) {
        at += 1;
        return index;
      }
      item(index);
      skip();
      if (text[at] === ',') at += 1;
      else if (text[at] !== close) fail();
    }
  };
  const value = (path: readonly Step[]): void => {
    const start = at;
    const first = text[at] ?? '';
    if (first === '{') {
      items('}', () => pair(path));
      return;
    }
    if (first === '[') {
      if (items(']', (index) => value([...path, index])) > 0) return;
    } else if (first === '"' || first === "'") string(first);
    else if (match(bareValue) === undefined) fail();
    places.push({ path, start, end: at });
  };
  const pair = (table: readonly Step[]): void => {
    const steps = key();
    expect('=');
    match(blanks);
    value([...table, ...steps]);
  };
  /** The path of a table's header: a list of tables on the way means its last one. */
  const tableOf = (steps: readonly string[], isItem: boolean): Step[] => {
    const path: Step[] = [];
    for (const [index, step] of steps.entries()) {
      path.push(step);
      const name = keyOfPath(path);
      if (isItem && index === steps.length - 1) lists.set(name, (lists.get(name) ?? 0) + 1);
      const count = lists.get(name);
      if (count !== undefined) path.push(count - 1);
    }
    return path;
  };

  let table: Step[] = [];
  for (;;) {
    skip();
    if (at >= text.length) return places;
    if (text[at] !== '[') {
      pair(table);
      continue;
    }
    const isItem = text.startsWith('[[', at);
    at += isItem ? 2 : 1;
    table = tableOf(key(), isItem);
    expect(isItem ? ']]' : ']');
  }
}

/** The name that a quoted key stands for; undefined for escapes that JSON does not know. */
function unquoted(key: string): string | undefined {
  if (key.startsWith("'")) return key.slice(1, -1);
  try {
    // What is between two quotes is a string where it parses.
    return JSON.parse(key) as string;
  } catch {
    return undefined;
  }
}
