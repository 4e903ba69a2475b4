import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath, type ProfileName } from '../../protocol/names.ts';
import type { Daemon } from '../daemon.ts';
import type { Mapping } from './variable-name.ts';
import { variableOf } from './variable-name.ts';

/** Which secrets of one scope become variables, and of what name. */
export interface Selection {
  readonly profile: ProfileName;
  readonly scope: string;
  /** Names, and patterns with `*` and `?`; none of them stands for all that the caller may list. */
  readonly only: readonly string[];
  readonly prefix: string;
  readonly mappings: readonly Mapping[];
}

/** One secret and the variable that it becomes. */
export interface Selected {
  readonly name: string;
  readonly variable: string;
}

/** What was selected, and the patterns that nothing matches. */
export interface SelectedSecrets {
  readonly secrets: readonly Selected[];
  readonly unmatched: readonly string[];
}

const isPattern = (text: string): boolean => /[*?]/.test(text);

/** The scope that the text is. Throws INVALID_NAME. */
export function parseScope(text: string): string {
  try {
    return parseSecretPath(`${text}/x`).scope;
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    throw new HushError('INVALID_NAME', 'that is not a scope', {
      hint: 'a scope is global, ws:ID or pr:ID',
      cause: error,
    });
  }
}

/** Checks names and patterns of `--only` and names of `--map`. Throws INVALID_NAME. */
export function checkSelection({ scope, only, mappings }: Selection): void {
  for (const text of only) {
    if (/[\s,]/.test(text))
      throw new HushError('INVALID_NAME', `no name has a blank or a comma: ${text.slice(0, 80)}`, {
        hint: 'write them one by one: --only db --only api-key',
      });
    if (!isPattern(text)) parseSecretPath(`${scope}/${text}`);
    else if (!/^[A-Za-z0-9._*?-]{1,128}$/.test(text))
      throw new HushError('INVALID_NAME', `${text.slice(0, 80)} matches no name`);
  }
  for (const { name } of mappings) parseSecretPath(`${scope}/${name}`);
}

/** Whether the selection has to be looked up in the list of secrets. */
export const needsList = ({ only }: Selection): boolean => only.length === 0 || only.some(isPattern);

/** The names of a scope that the caller may list, in their order. Throws what `secret.paths` throws. */
export async function listNames(daemon: Daemon, profile: ProfileName, scope: string): Promise<string[]> {
  const prefix = `${scope}/`;
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = await daemon.call('secret.paths', { profile, prefix, limit: 1000, ...(after && { after }) });
    for (const path of page.paths) found.push(path.slice(prefix.length));
    after = page.next;
  } while (after !== undefined);
  return found.sort();
}

/** The names of a scope that the caller may list with the version of each, in their order. Reads no value. */
export async function listVersions(
  daemon: Daemon,
  profile: ProfileName,
  scope: string,
): Promise<[name: string, version: number][]> {
  const prefix = `${scope}/`;
  const found: [string, number][] = [];
  let after: string | undefined;
  do {
    const page = await daemon.call('secret.list', { profile, prefix, limit: 1000, ...(after && { after }) });
    for (const { path, version } of page.entries) found.push([path.slice(prefix.length), version]);
    after = page.next;
  } while (after !== undefined);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * The secrets of a selection, `listed` being the names of its scope. What is named exactly is selected whether it is
 * listed or not. A secret that is mapped becomes the variables that it is mapped to, and no other.
 */
export function selectSecrets(selection: Selection, listed: readonly string[]): SelectedSecrets {
  const { only, prefix, mappings } = selection;
  const patterns = only.filter(isPattern).map((text) => ({ text, matches: matcherOf(text) }));
  const exact = only.filter((text) => !isPattern(text));
  const chosen = new Set([
    ...(only.length === 0 ? listed : listed.filter((name) => patterns.some(({ matches }) => matches(name)))),
    ...exact,
    ...mappings.map(({ name }) => name),
  ]);
  const variablesOf = (name: string): readonly string[] => {
    const mapped = mappings.filter((mapping) => mapping.name === name);
    return mapped.length === 0 ? [variableOf(name, prefix)] : mapped.map(({ variable }) => variable);
  };
  return {
    secrets: [...chosen].flatMap((name) => variablesOf(name).map((variable) => ({ name, variable }))),
    unmatched: patterns.filter(({ matches }) => !listed.some(matches)).map(({ text }) => text),
  };
}

/** Whether a name is what a pattern says: `*` is any run of characters, `?` is one. */
export function matcherOf(pattern: string): (name: string) => boolean {
  return (name) => {
    let at = 0;
    let next = 0;
    /** Where the last `*` stands, and how far it reaches by now: the only place to go back to. */
    let star = -1;
    let reached = 0;
    while (next < name.length) {
      if (pattern[at] === '*') {
        star = at++;
        reached = next;
      } else if (pattern[at] === '?' || pattern[at] === name[next]) {
        at++;
        next++;
      } else if (star >= 0) {
        at = star + 1;
        next = ++reached;
      } else return false;
    }
    while (pattern[at] === '*') at++;
    return at === pattern.length;
  };
}
