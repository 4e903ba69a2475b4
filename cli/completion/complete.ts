import { existsSync, readdirSync } from 'node:fs';
import { connect, type HushClient } from '../../client/client.ts';
import { loadConfig } from '../../daemon/config/load.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';
import { defaultProfile, isProfileName } from '../../protocol/names.ts';
import { profileNamed } from '../common-options.ts';
import { forgetNames, isName, keepNames, namesFileOf, readNames } from './names-file.ts';

/** How long names are taken as they were kept, and how soon they are asked for again where none of them fits. */
const freshMs = 15_000;
const justAskedMs = 2_000;

/** Nobody waits longer for the end of a word; ten thousand names take half of it. */
const deadlineMs = 1_000;

/** The names that are kept; of a profile that has more only those are asked for that begin as was typed. */
const mostNames = 10_000;
const pageNames = 1_000;

/** These say that the names are none of the caller's business now. */
const forgets: ReadonlySet<string> = new Set([
  'LOCKED',
  'ACCESS_DENIED',
  'NO_SUCH_PROFILE',
  'PROFILE_INACTIVE',
  'UNIDENTIFIED',
]);

/**
 * What a word may be completed to, one a line: `hush __complete KIND WORD LINE…`, where KIND is `secret` or `profile`, and
 * LINE are all words of the command line. Whatever goes wrong, there is nothing to complete and nothing to say.
 */
export async function complete(
  [kind, word = '', ...line]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  try {
    const found =
      kind === 'profile' ? profiles(env) : kind === 'secret' ? await secrets(word, line, env) : [];
    return found.filter((name) => name.startsWith(word));
  } catch (error) {
    if (error instanceof HushError) return [];
    throw error;
  }
}

function profiles(env: NodeJS.ProcessEnv): readonly string[] {
  const { profiles: folder } = pathsOf(env);
  return existsSync(folder) ? readdirSync(folder).filter(isProfileName) : [];
}

/** The paths of a profile's secrets; behind `hush://` whole references. */
async function secrets(
  word: string,
  line: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const scheme = 'hush://';
  if (word.startsWith(scheme)) {
    const [profile = '', ...rest] = word.slice(scheme.length).split('/');
    if (rest.length === 0) return profiles(env).map((name) => `${scheme}${name}/`);
    if (!isProfileName(profile)) return [];
    const names = await namesOf(profile, rest.join('/'), env);
    return names.map((name) => `${scheme}${profile}/${name}`);
  }
  return namesOf(profileNamed(line) ?? (env['HUSH_PROFILE'] || defaultProfile), word, env);
}

async function namesOf(profile: string, start: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const file = namesFileOf(profile, env);
  const kept = readNames(file);
  const age = kept === undefined || kept.ageMs < 0 ? Infinity : kept.ageMs;
  const fits = kept?.names.some((name) => name.startsWith(start)) === true;
  if (kept !== undefined && age < (fits ? freshMs : justAskedMs)) return kept.names;
  if (!loadConfig(pathsOf(env).config).cli.completeNames) {
    forgetNames(profile, env);
    return [];
  }
  try {
    const { names, isWhole } = await ask(profile, start, env);
    if (isWhole) keepNames(file, names);
    return names;
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    if (!forgets.has(error.code)) return kept?.names ?? [];
    forgetNames(profile, env);
    return [];
  }
}

interface Asked {
  readonly names: readonly string[];
  /** Whether that is all that there are. */
  readonly isWhole: boolean;
}

/** The names that the daemon lists for this identity. Rejects with DEADLINE when it takes too long. */
async function ask(profile: string, start: string, env: NodeJS.ProcessEnv): Promise<Asked> {
  const until = performance.now() + deadlineMs;
  const client = await connect({ deadlineMs, profile, env });
  try {
    const all = await pages(client, {}, until);
    if (all.isWhole) return all;
    return { ...(await pages(client, { prefix: start }, until)), isWhole: false };
  } finally {
    client.close();
  }
}

async function pages(
  client: HushClient,
  params: { readonly prefix?: string },
  until: number,
): Promise<Asked> {
  const names: string[] = [];
  let after: string | undefined;
  do {
    const left = until - performance.now();
    if (left <= 0) throw new HushError('DEADLINE');
    const page = await client.call(
      'secret.paths',
      { ...params, limit: pageNames, ...(after === undefined ? {} : { after }) },
      { deadlineMs: left },
    );
    names.push(...page.paths.filter(isName));
    after = page.next;
  } while (after !== undefined && names.length < mostNames);
  return { names: names.sort(), isWhole: after === undefined };
}
