import type { Format } from '../configure/formats.ts';
import { visitAssignments } from './assignments.ts';
import type { Hit, Rule } from './finding.ts';
import { isPlaceholder } from './placeholders.ts';
import { tokenRules, type TokenRule } from './token-rules.ts';
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

/** One group a rule, so that the search tells whose start it has found. */
const starts = new RegExp(`hush://|${tokenRules.map(({ start }) => `(${start})`).join('|')}`, 'g');
const reference = /^[^\s"'`<>(){}[\],;|\\]*/;
/** A longer one is malformed in any case. */
const mostReference = 400;
const tokenCharacter = /[\w-]/;

/**
 * Looks for secrets and references in a chunk of text, which is one character a byte (latin1) so that its size in
 * memory is the file's and every place is a byte's.
 */
export function scanText(text: string, format: Format | undefined): Scanned {
  const hits: Hit[] = [];
  const references: FoundReference[] = [];
  /** Where what was found by its shape begins and ends, for it is not told a second time by its name. */
  const spans: { readonly start: number; readonly end: number }[] = [];

  starts.lastIndex = 0;
  for (let found = starts.exec(text); found !== null; found = starts.exec(text)) {
    const at = found.index;
    const rule = ruleOf(found);
    if (rule === undefined) {
      references.push({ text: referenceAt(text, at), at });
      continue;
    }
    const length = lengthAt(text, at, rule);
    // The start of one rule may be that of another too, which stands later in the table.
    starts.lastIndex = at + (length || 1);
    if (length === 0) continue;
    hits.push({ rule, at });
    spans.push({ start: at, end: at + length });
  }

  if (format !== undefined) {
    let next = 0;
    const namesSecret = remembering(isSecretName);
    visitAssignments(text, format, (key, value, at) => {
      while ((spans[next]?.end ?? Infinity) <= at) next += 1;
      if ((spans[next]?.start ?? Infinity) < at + value.length) return;
      const rule = ruleOfValue({ key, value }, namesSecret);
      if (rule !== undefined) hits.push({ rule, at });
    });
  }
  return { hits: hits.sort((one, other) => one.at - other.at), references };
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

/** The rule whose start was found; undefined for a reference. */
function ruleOf(found: RegExpExecArray): TokenRule | undefined {
  for (let index = 1; index < found.length; index += 1) {
    if (found[index] !== undefined) return tokenRules[index - 1];
  }
  return undefined;
}

/** How long the secret is that stands there by some rule with this start; 0 where there is none. */
function lengthAt(text: string, at: number, { start, shape, group = 0 }: TokenRule): number {
  const isWithin = at > 0 && /^\w/.test(start) && tokenCharacter.test(text[at - 1] ?? '');
  if (isWithin) return 0;
  shape.lastIndex = at;
  const match = shape.exec(text);
  if (match === null || isPlaceholder(match[group] ?? '')) return 0;
  return match[0].length;
}

function referenceAt(text: string, at: number): string {
  const [found = ''] = reference.exec(text.slice(at, at + mostReference)) ?? [];
  return found;
}

/** Every rule there is, for those who list them. */
export function allRules(others: readonly Rule[]): Rule[] {
  const byId = new Map<string, Rule>();
  for (const { id, severity, message } of [...tokenRules, ...others]) byId.set(id, { id, severity, message });
  return [...byId.values()];
}
