import { existsSync, readdirSync } from 'node:fs';
import { connect } from '../../client/client.ts';
import { loadConfig } from '../../daemon/config/load.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';
import { defaultProfile, isProfileName } from '../../protocol/names.ts';
import { profileNamed } from '../common-options.ts';
import {
  forgetNames,
  isName,
  isStartOfName,
  keepNames,
  namesFileOf,
  readNames,
  type KeptNames,
  type Names,
} from './names-file.ts';

/** How long names are taken as they were kept, and how soon they are asked for again where none of them fits. */
const freshMs = 15_000;
const justAskedMs = 2_000;

/** Nobody waits longer for the end of a word; ten thousand names take half of it. */
const deadlineMs = 1_000;
const pageNames = 1_000;

/** How much is asked for at a time. */
export interface Bounds {
  /** The names that are kept; of a profile that has more only those are asked for that begin as was typed. */
  readonly mostNames: number;
  /** When to stop asking; the next time goes on from there. */
  readonly askingMs: number;
}

const usualBounds: Bounds = { mostNames: 10_000, askingMs: 700 };

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
  bounds = usualBounds,
): Promise<readonly string[]> {
  try {
    const found =
      kind === 'profile' ? profiles(env) : kind === 'secret' ? await secrets(word, line, env, bounds) : [];
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
  bounds: Bounds,
): Promise<readonly string[]> {
  const scheme = 'hush://';
  if (word.startsWith(scheme)) {
    const [profile = '', ...rest] = word.slice(scheme.length).split('/');
    if (rest.length === 0) return profiles(env).map((name) => `${scheme}${name}/`);
    if (!isProfileName(profile)) return [];
    const names = await namesOf(profile, rest.join('/'), env, bounds);
    return names.map((name) => `${scheme}${profile}/${name}`);
  }
  return namesOf(profileNamed(line) ?? (env['HUSH_PROFILE'] || defaultProfile), word, env, bounds);
}

async function namesOf(
  profile: string,
  start: string,
  env: NodeJS.ProcessEnv,
  bounds: Bounds,
): Promise<readonly string[]> {
  if (!isStartOfName(start)) return [];
  const file = namesFileOf(profile, env);
  const kept = readNames(file);
  const usable = kept !== undefined && isUsable(kept, start) ? kept : undefined;
  if (usable !== undefined && (usable.next === undefined || fitting(usable, start) >= bounds.mostNames))
    return usable.names;
  if (!loadConfig(pathsOf(env).config).cli.completeNames) {
    forgetNames(profile, env);
    return [];
  }
  try {
    const names = await ask(profile, start, env, bounds, usable);
    keepNames(file, names);
    return names.names;
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    if (!forgets.has(error.code)) return kept?.names ?? [];
    forgetNames(profile, env);
    return [];
  }
}

const fitting = ({ names }: Names, start: string): number =>
  names.filter((name) => name.startsWith(start)).length;

/** Whether the names that were kept can be taken for what begins so, as far as they go. */
function isUsable(kept: KeptNames, start: string): boolean {
  if (kept.ageMs < 0 || !start.startsWith(kept.prefix)) return false;
  const isLikely = kept.next !== undefined || fitting(kept, start) > 0;
  return kept.ageMs < (isLikely ? freshMs : justAskedMs);
}

/**
 * The names that the daemon lists for this identity, behind those that it has listed already. Rejects with DEADLINE when
 * it takes too long.
 */
async function ask(
  profile: string,
  start: string,
  env: NodeJS.ProcessEnv,
  { mostNames, askingMs }: Bounds,
  known?: Names,
): Promise<Names> {
  const began = performance.now();
  const client = await connect({ deadlineMs, profile, env });
  let { prefix, next }: Omit<Names, 'names'> = known ?? { prefix: '', next: undefined };
  let names = [...(known?.names ?? [])];
  try {
    do {
      if (names.length >= mostNames) {
        names = names.filter((name) => name.startsWith(start));
        prefix = start;
      }
      const page = await client.call(
        'secret.paths',
        { limit: pageNames, prefix, ...(next === undefined ? {} : { after: next }) },
        { deadlineMs: Math.max(1, began + deadlineMs - performance.now()) },
      );
      names.push(...page.paths.filter(isName));
      next = page.next;
    } while (
      next !== undefined &&
      fitting({ names, prefix, next }, start) < mostNames &&
      performance.now() < began + askingMs
    );
  } finally {
    client.close();
  }
  return { names: names.sort(), prefix, next };
}
