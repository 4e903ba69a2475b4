import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type CST,
  type Document as YamlDocument,
  type Scalar,
} from 'yaml';
import { contentOfTree, notReadable, type Document, type Leaf, type Step } from './document.ts';

/** The values of a YAML stream and their places, those of all its documents. Throws BAD_REQUEST. */
export function readYaml(text: string): Document {
  const found = parseAllDocuments(text, {
    keepSourceTokens: true,
    logLevel: 'silent',
    prettyErrors: false,
    // The library compares each key with all before it: a minute for a megabyte. `collect` has a set of them.
    uniqueKeys: false,
  });
  const documents = Array.isArray(found) ? found : [];
  const leaves: Leaf[] = [];
  const content: [string, string][] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined)
      throw notReadable('YAML', text, error.pos[0], error.code.toLowerCase().replaceAll('_', ' '));
    collect(document.contents, [], text, leaves);
    for (const one of contentOfTree(treeOf(document, text))) content.push(one);
  }
  return { leaves, content };
}

function treeOf(document: YamlDocument, text: string): unknown {
  try {
    return document.toJS();
  } catch {
    throw notReadable('YAML', text, document.range?.[0] ?? 0, 'an alias in it cannot be followed');
  }
}

function collect(node: unknown, path: readonly Step[], text: string, leaves: Leaf[]): void {
  if (isMap(node)) {
    const keys = new Set<unknown>();
    for (const { key, value } of node.items) {
      // A key that is no scalar cannot be named on a command line.
      if (!isScalar(key)) continue;
      if (keys.has(key.value)) throw notReadable('YAML', text, key.range?.[0] ?? 0, 'duplicate key');
      keys.add(key.value);
      collect(value, [...path, String(key.value)], text, leaves);
    }
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) collect(item, [...path, index], text, leaves);
  } else if (isScalar(node) && node.range) {
    leaves.push(leafOf(node, node.range, path, text));
  } else if (isAlias(node) && node.range) {
    const [start, end] = node.range;
    leaves.push({ path, start, end, kind: 'other', text: 'an alias', write: (reference) => reference });
  }
}

function leafOf(
  node: Scalar,
  [start, end]: readonly [number, number, number],
  path: readonly Step[],
  text: string,
): Leaf {
  const token = node.srcToken;
  const written = text.slice(start, end);
  const isText =
    typeof node.value === 'string' && (node.tag === undefined || node.tag === 'tag:yaml.org,2002:str');
  const isNumber =
    (typeof node.value === 'number' || typeof node.value === 'bigint') && node.tag === undefined;
  const kind = isText ? 'text' : isNumber ? 'number' : 'other';
  const value = isText ? String(node.value) : written;
  if (token?.type === 'block-scalar') {
    return {
      path,
      start,
      end,
      kind,
      text: value,
      write: (reference) => reference + afterBlock(token, text, end),
    };
  }
  const quote =
    token?.type === 'double-quoted-scalar' ? '"' : token?.type === 'single-quoted-scalar' ? "'" : '';
  return { path, start, end, kind, text: value, write: (reference) => quote + reference + quote };
}

/** What follows a value that takes the place of a block: the comment behind the block's `|`, and its line ends. */
function afterBlock(token: CST.BlockScalar, text: string, end: number): string {
  const comment = token.props.flatMap((one) => (one.type === 'comment' ? [` ${one.source}`] : [])).join('');
  let last = end;
  while (last > token.offset && ' \t\r\n'.includes(text[last - 1] ?? '-')) last -= 1;
  const rest = text.slice(last, end);
  const lineEnd = rest.search(/\r?\n/);
  return comment + (lineEnd < 0 ? '' : rest.slice(lineEnd));
}
