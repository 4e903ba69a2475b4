import type { Format } from '../configure/formats.ts';

/** What is told of each value that a text assigns: its name, the value, and where that begins. */
export type Visit = (key: string, value: string, at: number) => void;

const space = 0x20;
const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const hash = 0x23;
const semicolon = 0x3b;
const slash = 0x2f;
const star = 0x2a;
const double = 0x22;
const single = 0x27;
const backquote = 0x60;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const equals = 0x3d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const hyphen = 0x2d;
const bar = 0x7c;
const greater = 0x3e;

const isBlank = (code: number): boolean => code === space || code === tab;
const isQuote = (code: number): boolean => code === double || code === single || code === backquote;

/** No name is longer, in characters. */
const mostKey = 256;

/**
 * Goes once through a text, and tells what values it assigns. It does not parse: a text that its format's parser would
 * refuse is looked through all the same, and each character is looked at a few times at most.
 */
export function visitAssignments(text: string, format: Format, visit: Visit): void {
  if (format === 'json') visitFlow(text, 0, text.length, '', visit);
  else visitLines(text, format, visit);
}

/** Values in braces and brackets, as in JSON, in the flow style of YAML and in inline tables of TOML. */
function visitFlow(text: string, from: number, end: number, given: string, visit: Visit): void {
  let key = given;
  let at = from;
  while (at < end) {
    const code = text.charCodeAt(at);
    if (isBlank(code) || code === lineFeed || code === carriageReturn || code === comma) at += 1;
    else if (code === openBrace || code === closeBrace || code === closeBracket) {
      key = '';
      at += 1;
    } else if (code === openBracket) at += 1;
    else if (code === slash && text.charCodeAt(at + 1) === slash) at = endOfLine(text, at, end);
    else if (code === hash) at = endOfLine(text, at, end);
    else if (code === slash && text.charCodeAt(at + 1) === star) {
      // Not behind `end`: in a list, which has no such comments, each line would look through all of the rest.
      const close = text.slice(at + 2, end).indexOf('*/');
      at = close < 0 ? end : at + close + 4;
    } else {
      const quoted = isQuote(code);
      const start = quoted ? at + 1 : at;
      const stop = quoted ? closingQuote(text, start, end, code) : endOfBare(text, at, end);
      let after = quoted ? Math.min(stop + 1, end) : stop;
      while (after < end && isBlank(text.charCodeAt(after))) after += 1;
      const next = text.charCodeAt(after);
      if (next === colon || next === equals) {
        key = text.slice(start, Math.min(stop, start + mostKey));
        at = after + 1;
      } else {
        if (stop > start) visit(key, text.slice(start, stop), start);
        at = Math.max(after, at + 1);
      }
    }
  }
}

/** What is open at the end of a line, whose next lines are no assignments. */
interface Open {
  /** A list or a table in brackets; a block of YAML; a text between three quotes. */
  readonly kind: 'list' | 'block' | 'text';
  readonly key: string;
  /** Of a block: how far the lines are indented at most that are no part of it. */
  readonly indent: number;
  /** Of a text: what closes it. */
  readonly close: string;
}

/** Values a line each: `key = value`, `key: value`, `- value`, and those on the lines after a name. */
function visitLines(text: string, format: Format, visit: Visit): void {
  /** The name that lines without one belong to. */
  let pending = '';
  let open: Open | undefined;
  for (let start = 0, next = 0; start < text.length; start = next) {
    const feed = text.indexOf('\n', start);
    next = feed < 0 ? text.length : feed + 1;
    const end = withoutBlanks(text, start, feed < 0 ? text.length : feed);
    const indented = pastBlanks(text, start, end);
    if (indented === end) continue;
    if (open?.kind === 'block' && indented - start <= open.indent) open = undefined;
    if (open !== undefined) {
      if (open.kind === 'list') visitFlow(text, indented, end, open.key, visit);
      else if (pending !== '') visitValue(text, indented, end, pending, visit);
      // Of a text of several lines the first one is told, and what is assigned on those that follow.
      else visitInText(text, indented, end, visit);
      pending = '';
      if (open.kind === 'list' && closesList(text, end)) open = undefined;
      else if (open.kind === 'text' && text.slice(indented, end).includes(open.close)) open = undefined;
      continue;
    }
    const from = pastMarks(text, indented, end, format);
    const first = text.charCodeAt(from);
    if (first === hash || (format === 'ini' && first === semicolon)) continue;
    if (first === openBracket && format !== 'yaml') {
      pending = '';
      continue;
    }
    const mark = first === openBracket ? -1 : markOf(text, from, end, format);
    if (mark < 0) {
      if (format === 'yaml') visitValue(text, from, end, pending, visit);
      continue;
    }
    const key = keyIn(text, from, mark);
    const valueAt = pastBlanks(text, mark + 1, end);
    const kind = opens(text, valueAt, end, format);
    pending = kind === undefined ? '' : key;
    if (kind === 'list' || kind === 'block' || kind === 'text') {
      open = { kind, key, indent: from - start, close: text.slice(valueAt, valueAt + 3) };
    }
    if (kind === undefined || kind === 'list') visitValue(text, valueAt, end, key, visit);
  }
}

/** What is open behind a name; `below` for a value that is on the next lines, undefined for one that is here. */
function opens(text: string, at: number, end: number, format: Format): Open['kind'] | 'below' | undefined {
  if (at >= end) return format === 'yaml' ? 'below' : undefined;
  const code = text.charCodeAt(at);
  if (format === 'yaml' && (code === bar || code === greater)) return 'block';
  if (format === 'toml' && end - at === 3 && isQuote(code) && text.charCodeAt(at + 2) === code) return 'text';
  if ((format === 'toml' || format === 'yaml') && (code === openBracket || code === openBrace)) {
    return closesList(text, end) ? undefined : 'list';
  }
  return undefined;
}

const closesList = (text: string, end: number): boolean => {
  const last = text.charCodeAt(end - 1);
  return last === closeBracket || last === closeBrace;
};

const inText = /(?:export[ \t]+)?(["']?)(-{0,2}\w[\w.-]{0,127})\1[ \t]*(?:=[ \t]*|:[ \t]+)/y;

/** A line of a text, which may be a config file of its own, or prose: there a name is followed by words. */
function visitInText(text: string, from: number, end: number, visit: Visit): void {
  inText.lastIndex = from;
  const key = inText.exec(text)?.[2];
  const at = inText.lastIndex;
  if (key === undefined || at >= end) return;
  const isProse = !isQuote(text.charCodeAt(at)) && /[ \t]/.test(text.slice(at, beforeComment(text, at, end)));
  if (!isProse) visitValue(text, at, end, key, visit);
}

function visitValue(text: string, from: number, end: number, key: string, visit: Visit): void {
  let at = from;
  let code = text.charCodeAt(at);
  // An anchor or a tag of YAML stands before the value.
  while ((code === 0x26 || code === 0x21) && at < end) {
    while (at < end && !isBlank(text.charCodeAt(at))) at += 1;
    at = pastBlanks(text, at, end);
    code = text.charCodeAt(at);
  }
  if (code === openBrace || code === openBracket) {
    visitFlow(text, at, end, key, visit);
  } else if (isQuote(code)) {
    let start = at + 1;
    while (start < at + 3 && text.charCodeAt(start) === code && start + 1 < end) start += 1;
    const stop = closingQuote(text, start, end, code);
    if (stop > start) visit(key, text.slice(start, stop), start);
  } else {
    const stop = beforeComment(text, at, end);
    if (stop > at) visit(key, text.slice(at, stop), at);
  }
}

/** Past blanks, `- ` of a list and `export `. */
function pastMarks(text: string, from: number, end: number, format: Format): number {
  let at = pastBlanks(text, from, end);
  if (format === 'yaml') {
    while (text.charCodeAt(at) === hyphen && isBlank(text.charCodeAt(at + 1)))
      at = pastBlanks(text, at + 1, end);
  } else if (format === 'env' && text.startsWith('export ', at)) at = pastBlanks(text, at + 7, end);
  return at;
}

function withoutBlanks(text: string, from: number, to: number): number {
  let end = to;
  while (end > from && (isBlank(text.charCodeAt(end - 1)) || text.charCodeAt(end - 1) === carriageReturn))
    end -= 1;
  return end;
}

function pastBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

/** Where the `=` or `:` between name and value is; -1 where there is none. */
function markOf(text: string, from: number, end: number, format: Format): number {
  let at = from;
  const first = text.charCodeAt(at);
  if (first === double || first === single) at = closingQuote(text, at + 1, end, first) + 1;
  // The names of npm hold addresses: `//registry.example:8443/:_authToken=…`.
  const isAddress = first === slash && text.charCodeAt(at + 1) === slash;
  for (const last = Math.min(end, at + mostKey); at < last; at += 1) {
    const code = text.charCodeAt(at);
    if (code === equals && format !== 'yaml') return at;
    if (code !== colon || isAddress || format === 'env' || format === 'toml') continue;
    if (format !== 'yaml' || at + 1 === end || isBlank(text.charCodeAt(at + 1))) return at;
  }
  return -1;
}

function keyIn(text: string, from: number, mark: number): string {
  const key = text.slice(from, mark).trimEnd();
  return isQuote(key.charCodeAt(0)) ? key.slice(1, -1) : key;
}

/** Where the quote stands that closes, else the end; behind a backslash a `"` does not. */
function closingQuote(text: string, from: number, end: number, quote: number): number {
  for (let at = from; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash && quote === double) at += 1;
    else if (code === lineFeed) return at;
  }
  return end;
}

function endOfBare(text: string, from: number, end: number): number {
  for (let at = from; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === comma || code === openBrace || code === closeBrace || code === openBracket) return at;
    if (code === closeBracket || code === equals || code === lineFeed || code === carriageReturn) return at;
    if (code === colon && !isWord(text.charCodeAt(at + 1))) return at;
  }
  return end;
}

/** What may follow the colon of `http://…` or `a:b`, which is none between name and value. */
const isWord = (code: number): boolean =>
  code > space && code !== double && code !== single && code !== openBrace && code !== openBracket;

function endOfLine(text: string, from: number, end: number): number {
  const feed = text.indexOf('\n', from);
  return feed < 0 || feed > end ? end : feed;
}

/** Where a bare value ends before a comment, without the blanks there. */
function beforeComment(text: string, from: number, end: number): number {
  for (let at = from + 1; at < end; at += 1) {
    if (text.charCodeAt(at) !== hash || !isBlank(text.charCodeAt(at - 1))) continue;
    let stop = at - 1;
    while (stop > from && isBlank(text.charCodeAt(stop - 1))) stop -= 1;
    return stop;
  }
  return end;
}
