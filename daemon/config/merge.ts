import type { KeyPath } from './lines.ts';

/** A text of TOML and the name that messages call it by. */
export interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

/** What a parser made of a source. */
export interface ParsedSource {
  readonly file: string;
  readonly tree: Readonly<Record<string, unknown>>;
}

/** A key that stands in two sources, or in one where it may not. */
export interface MergeProblem {
  readonly path: KeyPath;
  readonly file: string;
  readonly kind: 'twice' | 'misplaced';
  /** The other file that has it, where it stands twice. */
  readonly other?: string;
}

/** What an included file may hold. */
const includable: ReadonlySet<string> = new Set(['clients', 'profiles']);

/**
 * One tree of several: the config and what it includes. Tables are put together key by key, down to a client, a grant
 * of a client on a profile, and a setting of a profile; each of these may be given once.
 */
export function mergeSources([main, ...included]: readonly [ParsedSource, ...ParsedSource[]]): {
  readonly tree: Readonly<Record<string, unknown>>;
  readonly problems: readonly MergeProblem[];
} {
  const tree = newTable();
  const origins = new Map<string, string>();
  const problems: MergeProblem[] = [];

  const add = (into: Table, from: Table, file: string, above: KeyPath): void => {
    for (const [key, value] of Object.entries(from)) {
      const path = [...above, key];
      const present = into[key];
      if (isTable(value) && isShared(path) && (present === undefined || isTable(present))) {
        const table = isTable(present) ? present : newTable();
        into[key] = table;
        add(table, value, file, path);
      } else if (present === undefined) {
        into[key] = value;
      } else {
        problems.push({ path, file, kind: 'twice', other: origins.get(JSON.stringify(path)) ?? main.file });
        continue;
      }
      const id = JSON.stringify(path);
      if (!origins.has(id)) origins.set(id, file);
    }
  };

  add(tree, main.tree, main.file, []);
  for (const { file, tree: more } of included) {
    const foreign = Object.keys(more).filter((key) => !includable.has(key));
    problems.push(...foreign.map((key): MergeProblem => ({ path: [key], file, kind: 'misplaced' })));
    const allowed = Object.entries(more).filter(([key]) => includable.has(key));
    add(tree, Object.fromEntries(allowed), file, []);
  }
  return { tree, problems };
}

type Table = Record<string, unknown>;

/** Whether several sources may each give a part of the table at `path`; a client and a grant are given as a whole. */
function isShared(path: KeyPath): boolean {
  const [section] = path;
  if (section === 'clients') return path.length === 1;
  return section === 'profiles' && path.length <= 3;
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Without a prototype: no key of a config finds what every object has. */
function newTable(): Table {
  // Object.create(null) is typed any; it is an object without any property.
  return Object.create(null) as Table;
}
