import { HushError } from '../../protocol/errors.ts';
import { keyOfPath, type Leaf, type Step } from './document.ts';

const plainStep = /[^.[\]"]+/y;
const quotedStep = /"(?:[^"\\]|\\.)*"/y;
const place = /\[(\d{1,9})\]/y;

/**
 * The path that a key stands for: `db.password`, `servers[0].token`, `hosts."a.example".key`; undefined for a key that
 * is not of this form.
 */
export function pathOfKey(key: string): Step[] | undefined {
  const path: Step[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(key);
    at += found?.[0].length ?? 0;
    return found;
  };
  for (;;) {
    const quoted = match(quotedStep)?.[0];
    const plain = quoted ?? match(plainStep)?.[0];
    if (plain !== undefined) path.push(quoted === undefined ? plain : unquoted(quoted));
    else if (path.length > 0 || key[at] !== '[') return undefined;
    for (let found = match(place); found !== null; found = match(place)) path.push(Number(found[1]));
    if (at === key.length) return path;
    if (key[at] !== '.') return undefined;
    at += 1;
  }
}

function unquoted(quoted: string): string {
  try {
    // Between two quotes there is a string, or an escape that JSON does not know.
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1);
  }
}

/** A path as `pathOfKey` reads it. */
export function keyText(path: readonly Step[]): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      return (index === 0 ? '' : '.') + (/^[^.[\]"]+$/.test(step) ? step : JSON.stringify(step));
    })
    .join('');
}

/**
 * The one value that a key names; a key is also what the steps of a path make with dots between, as in
 * `[a.b]` of an INI file or in a file of properties. Throws NOT_FOUND, and CONFLICT where it names several.
 */
export function leafNamed(leaves: readonly Leaf[], key: string): Leaf {
  const path = pathOfKey(key);
  const wanted = path === undefined ? undefined : keyOfPath(path);
  const exact = leaves.filter((leaf) => keyOfPath(leaf.path) === wanted);
  const found = exact.length > 0 ? exact : leaves.filter((leaf) => leaf.path.join('.') === key);
  const [leaf] = found;
  if (leaf !== undefined && found.length === 1) return leaf;
  if (leaf !== undefined) {
    throw new HushError('CONFLICT', `${found.length} values in the file are called ${key}`, {
      hint: 'leave one of them there, then try again',
    });
  }
  throw new HushError('NOT_FOUND', `there is no value ${key} in the file`, { hint: nearest(leaves, key) });
}

/** A hint with the keys that end like the wanted one, else with some that there are. */
function nearest(leaves: readonly Leaf[], key: string): string {
  const last = (key.split('.').at(-1) ?? '').toLowerCase();
  const keys = leaves.filter(({ kind }) => kind !== 'other').map(({ path }) => keyText(path));
  const close = keys.filter((one) => one.toLowerCase().endsWith(last));
  const shown = (close.length > 0 ? close : keys).slice(0, 5);
  return shown.length === 0 ? 'it holds no values' : `it has ${shown.join(', ')}`;
}
