/**
 * Patterns of the access rules. `*` stands for any run of characters, none included, inside one part; it never
 * crosses a `/`. The whole pattern `*` alone stands for everything. All other characters stand for themselves.
 */

/** Compiled patterns over `<scope>/<name>`. */
export interface PathRules {
  readonly patterns: readonly string[];
  /** Whether a pattern matches a path; the path has passed `parseSecretPath`. */
  readonly matches: (path: string) => boolean;
}

/** One entry of a `crypto` list: a pattern over keyring/namespace/key, for all tenants or for those listed. */
export interface CryptoRule {
  readonly match: string;
  /** `''` is what carries no tenant. */
  readonly tenants?: readonly string[] | undefined;
}

/** Compiled patterns over keyring, namespace, key and tenant. */
export interface CryptoRules {
  readonly rules: readonly CryptoRule[];
  /**
   * Whether a rule matches, for any tenant at all where none is given; each part is matched by itself, so that a `/`
   * inside a namespace or key is no border.
   */
  readonly matches: (keyring: string, namespace: string, key: string, tenant: string | undefined) => boolean;
  /** Whether a rule reaches anything at all on the keyring, whatever the namespace, key and tenant. */
  readonly reachesKeyring: (keyring: string) => boolean;
}

const everything = '*';
const scopePattern = /^(?:\*|global|(?:ws|pr):[A-Za-z0-9*][A-Za-z0-9._*-]*)$/;
const namePattern = /^[A-Za-z0-9*][A-Za-z0-9._*-]*$/;
const keyringPattern = /^[A-Za-z0-9*][A-Za-z0-9._*-]*$/;
const controls = /\p{Cc}/u;
const maxPatternLength = 512;

/** Why a text is no pattern over `<scope>/<name>`, or undefined if it is one. */
export function pathPatternProblem(text: string): string | undefined {
  const parts = text.split('/');
  const [scope = '', name = ''] = parts;
  if (text === everything) return undefined;
  if (parts.length !== 2) return "must be <scope>/<name>, or '*' alone for everything";
  if (!scopePattern.test(scope)) return "must begin with the scope 'global', 'ws:<id>', 'pr:<id>' or '*'";
  if (!namePattern.test(name) || text.includes('..'))
    return "must end with a name: A-Z a-z 0-9 . _ - and '*'";
  return starProblem(text);
}

/** Why a text is no pattern over `<keyring>/<namespace>/<key>`, or undefined if it is one. */
export function cryptoPatternProblem(text: string): string | undefined {
  const parts = text.split('/');
  if (text === everything) return undefined;
  if (parts.length !== 3) return "must be <keyring>/<namespace>/<key>, or '*' alone for everything";
  if (!keyringPattern.test(parts[0] ?? '')) return "must begin with a keyring: A-Z a-z 0-9 . _ - and '*'";
  if (parts.includes('')) return 'must not have an empty part';
  if (controls.test(text)) return 'must not hold control characters';
  return starProblem(text);
}

/** Compiles patterns that `pathPatternProblem` has passed. */
export function compilePathRules(patterns: readonly string[]): PathRules {
  const all = patterns.includes(everything);
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern !== everything && pattern.includes('*'));
  const matchesGlob = compileGlobs(globs.map((pattern) => pattern.split('/')));
  return {
    patterns,
    matches: (path) => {
      if (all || exact.has(path)) return true;
      if (globs.length === 0) return false;
      const slash = path.indexOf('/');
      return matchesGlob([path.slice(0, slash), path.slice(slash + 1)]);
    },
  };
}

/** What either of two matches. */
export function eitherPath(first: PathRules, second: PathRules): PathRules {
  if (first.patterns.length === 0 || second.patterns.length === 0) {
    return first.patterns.length === 0 ? second : first;
  }
  return {
    patterns: [...first.patterns, ...second.patterns],
    matches: (path) => first.matches(path) || second.matches(path),
  };
}

/** What either of two matches. */
export function eitherCrypto(first: CryptoRules, second: CryptoRules): CryptoRules {
  if (first.rules.length === 0 || second.rules.length === 0) {
    return first.rules.length === 0 ? second : first;
  }
  return {
    rules: [...first.rules, ...second.rules],
    matches: (...value) => first.matches(...value) || second.matches(...value),
    reachesKeyring: (keyring) => first.reachesKeyring(keyring) || second.reachesKeyring(keyring),
  };
}

/** Compiles rules whose patterns `cryptoPatternProblem` has passed. */
export function compileCryptoRules(rules: readonly CryptoRule[]): CryptoRules {
  const forAllTenants = compileGlobs(rules.filter(({ tenants }) => tenants === undefined).map(cryptoParts));
  const forSomebody = rules.filter(({ tenants }) => tenants?.length !== 0).map(cryptoParts);
  const forAnyTenant = compileGlobs(forSomebody);
  const keyrings = compileGlobs(forSomebody.map((parts) => parts.slice(0, 1)));
  const tenants = new Set(rules.flatMap((rule) => rule.tenants ?? []));
  const forOneTenant = new Map(
    [...tenants].map((tenant) => [
      tenant,
      compileGlobs(rules.filter((rule) => rule.tenants?.includes(tenant)).map(cryptoParts)),
    ]),
  );
  return {
    rules,
    matches: (keyring, namespace, key, tenant) => {
      const parts = [keyring, namespace, key];
      if (tenant === undefined) return forAnyTenant(parts);
      return forAllTenants(parts) || (forOneTenant.get(tenant)?.(parts) ?? false);
    },
    reachesKeyring: (keyring) => keyrings([keyring]),
  };
}

function cryptoParts({ match }: CryptoRule): readonly string[] {
  return match === everything ? ['*', '*', '*'] : match.split('/');
}

function starProblem(text: string): string | undefined {
  if (text.includes('**')) return "must not hold '**': '*' never crosses a '/'";
  return text.length > maxPatternLength
    ? `must not be longer than ${maxPatternLength} characters`
    : undefined;
}

/** All patterns that agree on the parts so far, by what they ask of the next part. */
interface PartRules {
  /** Behind a part without stars. */
  readonly exact: Map<string, PartRules>;
  readonly shapes: Shape[];
}

/** Parts with stars whose literal ends have these lengths, found by those ends: `app-*` by `app-` and nothing. */
interface Shape {
  readonly head: number;
  readonly tail: number;
  readonly byEnds: Map<string, Glob[]>;
}

interface Glob {
  /** What must stand between the ends, in this order, with any run of characters around each. */
  readonly middles: readonly string[];
  readonly next: PartRules;
}

/**
 * A matcher for lists of as many parts as each pattern has. Patterns are found by hash, and only those with several
 * stars in a part are tried one by one, without backtracking: 1,000 rules cost about what one does.
 */
function compileGlobs(patterns: readonly (readonly string[])[]): (parts: readonly string[]) => boolean {
  const root = newRules();
  for (const parts of patterns) parts.reduce(insert, root);
  const isEmpty = patterns.length === 0;
  return (parts) => !isEmpty && matchesFrom(root, parts, 0);
}

function matchesFrom(rules: PartRules, parts: readonly string[], index: number): boolean {
  const text = parts[index];
  if (text === undefined) return true;
  const exact = rules.exact.get(text);
  if (exact !== undefined && matchesFrom(exact, parts, index + 1)) return true;
  for (const { head, tail, byEnds } of rules.shapes) {
    if (text.length < head + tail) continue;
    const globs = byEnds.get(`${text.slice(0, head)}*${text.slice(text.length - tail)}`);
    if (globs === undefined) continue;
    for (const { middles, next } of globs) {
      if (middlesFit(text, head, tail, middles) && matchesFrom(next, parts, index + 1)) return true;
    }
  }
  return false;
}

/** The earliest place for each middle leaves the most room for the next: nothing else need be tried. */
function middlesFit(text: string, head: number, tail: number, middles: readonly string[]): boolean {
  let from = head;
  for (const middle of middles) {
    const at = text.indexOf(middle, from);
    if (at === -1) return false;
    from = at + middle.length;
  }
  return from <= text.length - tail;
}

/** Adds one part of a pattern, and returns where its next part goes. */
function insert(rules: PartRules, part: string): PartRules {
  const [head = '', ...others] = part.split('*');
  const tail = others.pop();
  if (tail === undefined) return getOrAdd(rules.exact, part, newRules);
  let shape = rules.shapes.find((known) => known.head === head.length && known.tail === tail.length);
  if (shape === undefined) {
    shape = { head: head.length, tail: tail.length, byEnds: new Map() };
    rules.shapes.push(shape);
  }
  const globs = getOrAdd(shape.byEnds, `${head}*${tail}`, (): Glob[] => []);
  const known = globs.find(({ middles }) => middles.join('*') === others.join('*'));
  if (known !== undefined) return known.next;
  const next = newRules();
  globs.push({ middles: others, next });
  return next;
}

function newRules(): PartRules {
  return { exact: new Map(), shapes: [] };
}

function getOrAdd<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
