import { parse, TomlError } from 'smol-toml';
import { contentOfTree, keyOfPath, notReadable, type Document } from './document.ts';
import { tomlPlaces } from './toml-places.ts';

const emptyTable = '{}';

/**
 * The values of a TOML document and their places. What they are comes from the parser, where they are from
 * `tomlPlaces`: a document on which the two do not agree is refused. Throws BAD_REQUEST.
 */
export function readToml(text: string): Document {
  const content = contentOfTree(treeOf(text));
  const values = new Map(content);
  const leaves = tomlPlaces(text).map(({ path, start, end }) => {
    const value = values.get(keyOfPath(path));
    if (value === undefined) throw notReadable('TOML that can be edited', text, start);
    const quote = quoteAt(text, start);
    const isNumber = quote === undefined && /^-?\d/.test(value);
    return {
      path,
      start,
      end,
      kind: quote !== undefined ? ('text' as const) : isNumber ? ('number' as const) : ('other' as const),
      text: quote === undefined ? text.slice(start, end) : String(JSON.parse(value)),
      write: (reference: string) => `${quote ?? '"'}${reference}${quote ?? '"'}`,
    };
  });
  const found = new Set(leaves.map(({ path }) => keyOfPath(path)));
  const missed = content.some(([path, value]) => !found.has(path) && value !== emptyTable);
  if (missed || found.size !== leaves.length) throw notReadable('TOML that can be edited', text, 0);
  return { leaves, content };
}

function quoteAt(text: string, at: number): '"' | "'" | undefined {
  const character = text[at];
  return character === '"' || character === "'" ? character : undefined;
}

function treeOf(text: string): unknown {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const linesBefore = text.split('\n').slice(0, error.line - 1);
    const lineStart = linesBefore.reduce((length, line) => length + line.length + 1, 0);
    throw notReadable('TOML', text, lineStart + error.column - 1);
  }
}
