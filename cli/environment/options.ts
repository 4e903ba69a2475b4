import type { Command } from 'commander';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';
import { checkSelection, parseScope, type Selection } from './selection.ts';
import { parseMapping, parsePrefix } from './variable-name.ts';

/** The options that say which variables there are. */
export interface VariableOptions extends ProfileOption {
  readonly envFile?: readonly string[];
  readonly only?: readonly string[];
  readonly map?: readonly string[];
  readonly prefix?: string;
  readonly scope?: string;
  readonly referencesOnly?: true;
}

/** Puts them onto a command. */
export function addVariableOptions(command: Command): Command {
  return command
    .option('--only <name...>', 'only these secrets: names, or patterns with * and ?')
    .option('--map <NAME=ENV...>', 'let the secret NAME become the variable ENV')
    .option('--prefix <text>', 'put this before the names of variables that are not mapped')
    .option('--scope <scope>', 'the scope of the secrets: global, ws:ID or pr:ID', 'global')
    .option('--env-file <file...>', 'variables from a file, with references hush://… replaced')
    .option('--references-only', 'no secret by its name: only what references name');
}

/** The selection that the options mean; undefined with `--references-only`. Throws BAD_REQUEST, INVALID_NAME. */
export function selectionOf(
  options: VariableOptions,
  env: NodeJS.ProcessEnv,
  command: string,
): Selection | undefined {
  const { only = [], map = [], prefix = '', scope = 'global', referencesOnly } = options;
  if (referencesOnly) {
    if (only.length + map.length > 0 || prefix !== '')
      throw badUsage('--references-only goes without --only, --map and --prefix', command);
    return undefined;
  }
  const selection: Selection = {
    profile: profileOf(options, env),
    scope: parseScope(scope),
    only,
    prefix: parsePrefix(prefix),
    mappings: map.map(parseMapping),
  };
  checkSelection(selection);
  return selection;
}
