import { contentOf, notReadable, type Document, type Leaf, type Step } from './document.ts';

/** Deeper than that nothing is looked at. */
const mostDepth = 200;

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null/y;
const blank = /[ \t\r\n\ufeff]*/y;

/**
 * The values of a JSON document and their places. Comments and commas at the end of a list are taken too, as editors'
 * own files have them. Throws BAD_REQUEST.
 */
export function readJson(text: string): Document {
  const leaves: Leaf[] = [];
  let at = 0;

  const fail = (why: string, offset = at): never => {
    throw notReadable('JSON', text, offset, why);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const skip = (): void => {
    for (;;) {
      match(blank);
      const end = text.startsWith('//', at) ? '\n' : text.startsWith('/*', at) ? '*/' : undefined;
      if (end === undefined) return;
      const found = text.indexOf(end, at + 2);
      if (found < 0 && end === '*/') fail('a comment does not end');
      at = found < 0 ? text.length : found + end.length;
    }
  };
  const string = (): string => {
    const start = at;
    at += 1;
    for (;;) {
      const character = text[at];
      if (character === undefined || character === '\n') fail('a string does not end', start);
      at += character === '\\' ? 2 : 1;
      if (character === '"') break;
    }
    try {
      // What begins and ends with quotes is a string, or nothing that JSON knows.
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('that is no string', start);
    }
  };
  const leaf = (path: readonly Step[], start: number, kind: Leaf['kind'], value: string): void => {
    leaves.push({ path, start, end: at, kind, text: value, write: (reference) => JSON.stringify(reference) });
  };
  /** The items of a list or an object up to its end. */
  const items = (
    close: string,
    path: readonly Step[],
    start: number,
    item: (index: number) => void,
  ): void => {
    if (path.length > mostDepth) fail('it is nested too deeply');
    at += 1;
    for (let index = 0; ; index += 1) {
      skip();
      if (text[at] === close) {
        at += 1;
        if (index === 0) leaf(path, start, 'other', `${text[start] ?? ''}${close}`);
        return;
      }
      item(index);
      skip();
      if (text[at] === ',') at += 1;
      else if (text[at] !== close) fail('a comma is missing');
    }
  };
  const value = (path: readonly Step[]): void => {
    const start = at;
    if (text[at] === '{') {
      items('}', path, start, () => {
        if (text[at] !== '"') fail('a name is missing');
        const name = string();
        skip();
        if (text[at] !== ':') fail('a colon is missing');
        at += 1;
        skip();
        value([...path, name]);
      });
    } else if (text[at] === '[') {
      items(']', path, start, (index) => value([...path, index]));
    } else if (text[at] === '"') {
      const content = string();
      leaf(path, start, 'text', content);
    } else {
      const other = match(word);
      if (other !== undefined) return leaf(path, start, 'other', other);
      leaf(path, start, 'number', match(number) ?? fail('a value is missing'));
    }
  };

  skip();
  value([]);
  skip();
  if (at < text.length) fail('something follows the end');
  return { leaves, content: contentOf(leaves) };
}
