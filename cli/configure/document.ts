import { HushError } from '../../protocol/errors.ts';

/** One step into a document: the name of a member, or the place in a list, from 0. */
export type Step = string | number;

/** One value of a document that holds no others, and where it stands. */
export interface Leaf {
  readonly path: readonly Step[];
  /** Where its text begins and ends, quotes and all, in UTF-16 units of the document's text. */
  readonly start: number;
  readonly end: number;
  /** `other` is what is neither text nor number, and cannot be moved: null, true, a date, an alias, an empty list. */
  readonly kind: 'text' | 'number' | 'other';
  /** The value itself; of a number as it is written. */
  readonly text: string;
  /** What is to stand from `start` to `end` so that the value is this text, which is a reference. */
  write(reference: string): string;
}

/** A document with the places of its values. */
export interface Document {
  readonly leaves: readonly Leaf[];
  /** What it says, as its format's own parser reads it: the key of each path, and the key of the value there. */
  readonly content: readonly (readonly [path: string, value: string])[];
}

/** The error for a document that its format's parser refuses. It tells the place, and nothing of what stands there. */
export function notReadable(format: string, text: string, offset: number, why = ''): HushError {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  const column = offset - before.lastIndexOf('\n');
  const reason = why === '' ? '' : `: ${why}`;
  return new HushError('BAD_REQUEST', `it is no ${format} at line ${line}, column ${column}${reason}`, {
    hint: 'mend the file, then try again',
  });
}

/** One text that stands for a path, the same for equal paths only. */
export function keyOfPath(path: readonly Step[]): string {
  return JSON.stringify(path);
}

/** The content that leaves say themselves, for formats whose only parser is ours. */
export function contentOf(leaves: readonly Leaf[]): Document['content'] {
  return leaves.map(({ path, kind, text }) => [
    keyOfPath(path),
    keyOfValue(kind === 'text' ? text : { text }),
  ]);
}

/** The content of a tree of objects and arrays. */
export function contentOfTree(tree: unknown, path: readonly Step[] = []): [string, string][] {
  if (Array.isArray(tree) && tree.length > 0) {
    return tree.flatMap((item: unknown, index) => contentOfTree(item, [...path, index]));
  }
  if (isBranch(tree)) {
    const members = Object.entries(tree);
    if (members.length > 0) return members.flatMap(([name, item]) => contentOfTree(item, [...path, name]));
  }
  return [[keyOfPath(path), keyOfValue(tree)]];
}

const isBranch = (tree: unknown): tree is object =>
  typeof tree === 'object' && tree !== null && !Array.isArray(tree) && !(tree instanceof Date);

function keyOfValue(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  return value === undefined ? 'undefined' : JSON.stringify(value);
}

/** Whether a document says the same as before, but for the one value, which is the reference now. */
export function isSameBut(
  before: Document,
  after: Document,
  path: readonly Step[],
  reference: string,
): boolean {
  const changed = keyOfPath(path);
  if (before.content.length !== after.content.length) return false;
  let seen = 0;
  const same = after.content.every(([key, value], index) => {
    const [keyBefore, valueBefore] = before.content[index] ?? [];
    if (key !== keyBefore) return false;
    if (key !== changed) return value === valueBefore;
    seen += 1;
    return value === keyOfValue(reference);
  });
  return same && seen === 1;
}
