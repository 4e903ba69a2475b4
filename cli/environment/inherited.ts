import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What opens a profile or makes a client of somebody; a child gets values, and not what opens more of them. */
const keyVariables: readonly string[] = ['HUSH_MASTER_KEY', 'HUSH_LEGACY_KEY', 'HUSH_CLIENT_KEY_FILE'];

/** What a child of `--pristine` still has. */
const plainVariables: ReadonlySet<string> = new Set(
  'PATH HOME TERM LANG TZ USER SHELL LOGNAME TMPDIR'.split(' '),
);

/** The environment that a child inherits, and the names of variables that could not be passed on as they are. */
export interface Inherited {
  readonly variables: ReadonlyMap<string, string>;
  readonly damaged: readonly string[];
}

/**
 * What of our environment a child may inherit: all but the variables that hold keys, or lead to the master key; with
 * `pristine` a few plain ones. What is not UTF-8 has reached us damaged, and is left out.
 */
export function inheritedFrom(env: NodeJS.ProcessEnv, pristine: boolean): Inherited {
  const variables = new Map<string, string>();
  const damaged: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || keyVariables.includes(name)) continue;
    if (pristine && !plainVariables.has(name)) continue;
    if (name === 'CREDENTIALS_DIRECTORY' && existsSync(join(value, 'hushd-master-key'))) continue;
    if (`${name}${value}`.includes('\ufffd')) damaged.push(name);
    else variables.set(name, value);
  }
  return { variables, damaged };
}
