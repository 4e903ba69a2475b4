import { isVariableName } from './variable-name.ts';

/** One assignment of an env file. */
export interface EnvEntry {
  readonly name: string;
  readonly value: string;
  /** Where it begins, from 1. */
  readonly line: number;
}

/** What is wrong with a line. */
export interface EnvFault {
  readonly line: number;
  readonly message: string;
}

/** An env file that was read: what it assigns, in order, and the lines that it cannot mean. */
export interface EnvFile {
  readonly entries: readonly EnvEntry[];
  readonly faults: readonly EnvFault[];
}

/** What a backslash and this character stand for between double quotes; before any other both stay. */
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  $: '$',
  '`': '`',
};

const assignment = /^(?:export[ \t]+)?([^\s=#'"`]+)[ \t]*=[ \t]*/;

/**
 * Reads an env file: a line is blank, a comment (`#`), or `[export ]NAME=VALUE`, ended by LF or CRLF. A value is
 * - bare: up to the end of the line or a blank followed by `#`, without blanks around it, no quote at its start;
 * - in `'` or backquotes: everything up to the next one, over several lines too;
 * - in `"`: likewise, with `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and a backslash before a backquote as escapes.
 * Behind the closing quote only a comment may stand. Nothing is expanded. A name that comes again has its last value.
 */
export function parseEnvFile(source: string): EnvFile {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source;
  const entries: EnvEntry[] = [];
  const faults: EnvFault[] = [];
  let at = 0;
  let line = 1;

  /** The rest of the line, without what ends it; goes on to the next line. */
  const takeLine = (): string => {
    const feed = text.indexOf('\n', at);
    const end = feed < 0 ? text.length : feed;
    const rest = text.slice(at, end);
    at = feed < 0 ? end : feed + 1;
    line += 1;
    return rest.endsWith('\r') ? rest.slice(0, -1) : rest;
  };

  const takeQuoted = (quote: string): string | undefined => {
    const end = closingQuote(text, at + 1, quote);
    if (end === undefined) return undefined;
    const inside = text.slice(at + 1, end);
    line += inside.split('\n').length - 1;
    at = end + 1;
    return quote === '"' ? unescaped(inside) : inside;
  };

  while (at < text.length) {
    const start = line;
    const fault = (message: string): void => void faults.push({ line: start, message });
    while (text[at] === ' ' || text[at] === '\t') at += 1;
    const feed = text.indexOf('\n', at);
    const shown = text.slice(at, feed < 0 ? text.length : feed);
    if (/^\r?$/.test(shown) || shown.startsWith('#')) {
      takeLine();
      continue;
    }
    const [head = '', name = ''] = assignment.exec(shown) ?? [];
    if (!isVariableName(name)) {
      fault(head === '' ? 'it is not NAME=VALUE' : 'that is not the name of a variable');
      takeLine();
      continue;
    }
    at += head.length;
    const quote = text[at] ?? '';
    if (quote !== "'" && quote !== '"' && quote !== '`') {
      entries.push({ name, value: bareValue(takeLine()), line: start });
      continue;
    }
    const value = takeQuoted(quote);
    if (value === undefined) {
      fault(`the value of ${name} has no closing ${quote}`);
      takeLine();
      continue;
    }
    if (!/^[ \t]*(?:#.*)?$/.test(takeLine())) fault(`something follows the quoted value of ${name}`);
    else entries.push({ name, value, line: start });
  }
  return { entries, faults };
}

/** Where the quote stands that closes; behind a backslash a `"` does not. */
function closingQuote(text: string, from: number, quote: string): number | undefined {
  if (quote !== '"') {
    const end = text.indexOf(quote, from);
    return end < 0 ? undefined : end;
  }
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return undefined;
}

const unescaped = (text: string): string =>
  text.replaceAll(/\\(.)/gs, (both, character: string) => escapes[character] ?? both);

/** A bare value: a comment begins at a `#` with a blank before it. */
const bareValue = (text: string): string =>
  text.startsWith('#')
    ? ''
    : text
        .split(/[ \t]#/, 1)
        .join('')
        .trim();
