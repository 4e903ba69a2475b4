import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { inspectConfig, type InspectedConfig } from '../../daemon/config/load.ts';
import { problemText, type ReadConfig } from '../../daemon/config/parse.ts';
import { readSafeFile } from '../../daemon/home/files.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import { longestClientsFile, parseClients } from '../../noise/enrolled.ts';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName } from '../../protocol/names.ts';

/** The config that a command is about. */
export interface PolicySource {
  readonly file: string;
  readonly inspected: InspectedConfig;
  /** Whether it is the one that the daemon of this home reads. */
  readonly isOwn: boolean;
}

/** The config in `given`, else that of the home. Throws BAD_REQUEST if there is none. */
export function openPolicy(given: string | undefined, env: NodeJS.ProcessEnv): PolicySource {
  const own = given === undefined ? pathsOf(env).config : undefined;
  const file = resolve(own ?? given ?? '');
  return { file, inspected: inspectConfig(file), isOwn: own !== undefined };
}

/** The config of a source that is in order. Throws BAD_REQUEST with all that is wrong with it. */
export function orderly({ inspected: { reading } }: PolicySource): ReadConfig {
  if ('config' in reading) return reading;
  const lines = reading.problems.map((problem) => `${problem.file}: ${problemText(problem)}`);
  throw new HushError('BAD_REQUEST', lines.join('; '), { hint: 'hush policy check' });
}

/** The names of the clients that are enrolled in the home; undefined where there is no home, or they cannot be read. */
export function enrolledIn(env: NodeJS.ProcessEnv): ReadonlySet<string> | undefined {
  try {
    const { home, clients } = pathsOf(env);
    if (!existsSync(home)) return undefined;
    const file = readSafeFile(clients, longestClientsFile);
    return new Set(file === undefined ? [] : parseClients(file).map(({ name }) => name));
  } catch (error) {
    if (error instanceof HushError) return undefined;
    throw error;
  }
}

/** The names of the profiles in the home; undefined where there is none yet. */
export function profilesIn(env: NodeJS.ProcessEnv): ReadonlySet<string> | undefined {
  const { profiles } = pathsOf(env);
  const names = existsSync(profiles) ? readdirSync(profiles).filter((name) => isProfileName(name)) : [];
  return names.length === 0 ? undefined : new Set<string>(names);
}
