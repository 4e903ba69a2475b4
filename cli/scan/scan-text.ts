import type { Format } from '../configure/formats.ts';
import { isReference } from '../configure/reference.ts';
import { visitAssignments } from './assignments.ts';
import type { Hit, Rule } from './finding.ts';
import { isPlaceholder } from './placeholders.ts';
import { tokenRules, urlPassword, type TokenRule } from './token-rules.ts';
import { isSecretName, ruleOfValue } from './value-rules.ts';

/** A reference to a secret, as it stands in a text. */
export interface FoundReference {
  /** From `hush://` to the first character that no reference holds. */
  readonly text: string;
  readonly at: number;
}

/** What is in a chunk of text. */
export interface Scanned {
  /** In the order of their places; of several rules that speak of one place, the first alone. */
  readonly hits: readonly Hit[];
  readonly references: readonly FoundReference[];
}

/** So many rules are looked for at once: V8 takes several times as long with more choices in one expression. */
const rulesAtOnce = 11;

const soughtTogether = tokenRules.filter((rule) => rule !== urlPassword);

/** One group a rule, so that the search tells whose start it has found. */
const searches = Array.from({ length: Math.ceil(soughtTogether.length / rulesAtOnce) }, (_, index) => {
  const rules = soughtTogether.slice(index * rulesAtOnce, (index + 1) * rulesAtOnce);
  return { rules, starts: new RegExp(rules.map(({ start }) => `(${start})`).join('|'), 'g') };
});
const scheme = 'hush://';
const reference = /^[^\s"'`<>(){}[\],;|\\]*/;
/** A longer one is malformed in any case. */
const mostReference = 400;
/** What ends a line within a string: its letter is no part of the word behind it. */
const escape = /^\\[nrt]$/;

/**
 * Looks for secrets and references in a chunk of text, which is one character a byte (latin1) so that its size in
 * memory is the file's and every place is a byte's.
 */
export function scanText(text: string, format: Format | undefined): Scanned {
  const tokens = tokensIn(text);
  const hits: Hit[] = [...tokens];
  if (format !== undefined) {
    const namesSecret = remembering(isSecretName);
    const look = (key: string, value: string, at: number): boolean => {
      const rule = ruleOfValue({ key, value }, namesSecret);
      if (rule !== undefined) hits.push({ rule, at });
      return rule !== undefined;
    };
    let next = 0;
    let named = '';
    visitAssignments(text, format, (given, value, at) => {
      // As orchestrators have it: `name: DB_PASSWORD`, and then `value: …`.
      const key = named !== '' && /^value$/i.test(given) ? named : given;
      named = given.length <= 4 && /^(?:name|key)$/i.test(given) ? value.slice(0, 128) : '';
      while ((tokens[next]?.end ?? Infinity) <= at) next += 1;
      // What was found by its shape is not told a second time by its name.
      if ((tokens[next]?.at ?? Infinity) < at + value.length) return;
      if (look(key, value, at) || !value.includes('=')) return;
      const [, head = '', variable = '', text = ''] = assignment.exec(value) ?? [];
      look(variable, text, at + head.length);
    });
  }
  return { hits: hits.sort((one, other) => one.at - other.at), references: referencesIn(text) };
}

/** What a value assigns itself, as in `- NAME=value` of a list of variables. */
const assignment = /^((?:export )?(-{0,2}[A-Za-z_][\w.-]{0,127})=["']?)([^\s"'\\]{3,1024})/;

interface Token extends Hit {
  readonly end: number;
}

/** What shows by its shape, in the order of places; of what lies one over the other the first alone. */
function tokensIn(text: string): Token[] {
  const found: Token[] = [];
  for (const { rules, starts } of searches) {
    starts.lastIndex = 0;
    for (let match = starts.exec(text); match !== null; match = starts.exec(text)) {
      const rule = rules.find((_, index) => match[index + 1] !== undefined);
      const token = rule && tokenAt(text, match.index, rule);
      // The start of one rule may be that of another too, which stands later in the table.
      starts.lastIndex = token?.end ?? match.index + 1;
      if (token !== undefined) found.push(token);
    }
  }
  // Configs are full of addresses: that is a search of its own, which costs less for each.
  const { start } = urlPassword;
  for (let at = text.indexOf(start); at >= 0; at = text.indexOf(start, at + 1)) {
    const token = tokenAt(text, at, urlPassword);
    if (token !== undefined) found.push(token);
  }
  let end = 0;
  return found
    .sort((one, other) => one.at - other.at)
    .filter((one) => {
      const isFirst = one.at >= end;
      if (isFirst) ({ end } = one);
      return isFirst;
    });
}

/** So many names are remembered: those of a config repeat. */
const mostNames = 10_000;

function remembering(ask: (name: string) => boolean): (name: string) => boolean {
  const answers = new Map<string, boolean>();
  return (name) => {
    const known = answers.get(name);
    if (known !== undefined) return known;
    const answer = ask(name);
    if (answers.size < mostNames) answers.set(name, answer);
    return answer;
  };
}

/** The secret of some rule whose start stands there; undefined where it is none. */
function tokenAt(text: string, at: number, rule: TokenRule): Token | undefined {
  const { start, shape, group = 0 } = rule;
  if (/^\w/.test(start) && isWithinWord(text, at)) return undefined;
  shape.lastIndex = at;
  const match = shape.exec(text);
  if (match === null || isPlaceholder(match[group] ?? '')) return undefined;
  return { rule, at, end: at + match[0].length };
}

function isWithinWord(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 2), at);
  return /[\w-]$/.test(before) && !escape.test(before);
}

function referencesIn(text: string): FoundReference[] {
  const found: FoundReference[] = [];
  for (let at = text.indexOf(scheme); at >= 0; at = text.indexOf(scheme, at + 1)) {
    const [named = ''] = reference.exec(text.slice(at, at + mostReference)) ?? [];
    if (!isTemplate(text, at, named)) found.push({ text: named, at });
  }
  return found;
}

/** Whether a part of the reference is to be filled in: `hush://${PROFILE}/…`, `hush://<profile>/…`. */
const isTemplate = (text: string, at: number, named: string): boolean =>
  (named.includes('$') || '{<'.includes(text[at + named.length] ?? '-')) && !isReference(named);

/** Every rule there is, for those who list them. */
export function allRules(others: readonly Rule[]): Rule[] {
  const byId = new Map<string, Rule>();
  for (const { id, severity, message } of [...tokenRules, ...others]) byId.set(id, { id, severity, message });
  return [...byId.values()];
}
