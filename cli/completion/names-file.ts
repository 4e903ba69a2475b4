import { createHash } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { readSafeFile, writeFileAtomic } from '../../daemon/home/files.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import { checkDirectory } from '../../daemon/home/safety.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { HushError } from '../../protocol/errors.ts';

/** Names that a profile has; there is never a value among them. */
export interface Names {
  readonly names: readonly string[];
  /** What they were asked by: all of them start so, and others that do not are not among them. */
  readonly prefix: string;
  /** Where to go on listing; undefined where these are all that start so. */
  readonly next: string | undefined;
}

/** Names that were listed a while ago. */
export interface KeptNames extends Names {
  /** Negative where the clock was set back. */
  readonly ageMs: number;
}

const mostBytes = 4 * 1024 * 1024;
/** `hush-names 1`, the prefix, and where to go on; what is empty at its end is left out. */
const firstLine = /^hush-names 1(?: ([\w.:/-]*)(?: ([0-9a-f]+))?)?$/;

/**
 * The file that keeps the names of one profile, as one identity may list them: below HUSH_HOME, else in the user's cache
 * folder. Another socket or client key has another file.
 */
export function namesFileOf(profile: string, env: NodeJS.ProcessEnv): string {
  const { socket, home } = pathsOf(env);
  const who = JSON.stringify([socket, profile, env['HUSH_CLIENT_KEY_FILE'] ?? '']);
  const id = createHash('sha256').update(who).digest('hex').slice(0, 16);
  return join(env['HUSH_HOME'] ? join(home, 'cache') : cacheFolder(env, home), `names-${id}`);
}

function cacheFolder(env: NodeJS.ProcessEnv, home: string): string {
  const given = env['XDG_CACHE_HOME'];
  if (given && isAbsolute(given)) return join(given, 'hushd');
  const user = env['HOME'];
  return user && isAbsolute(user) ? join(user, '.cache', 'hushd') : join(home, 'cache');
}

/** The names in a file; undefined where there is none, or none that could be trusted. */
export function readNames(file: string, now: number = Date.now()): KeptNames | undefined {
  try {
    const bytes = readSafeFile(file, mostBytes);
    if (bytes === undefined) return undefined;
    const [first = '', ...names] = Buffer.from(bytes).toString('utf8').split('\n');
    const told = firstLine.exec(first);
    if (told === null) return undefined;
    const [, prefix = '', next] = told;
    return { names: names.filter(isName), prefix, next, ageMs: now - statSync(file).mtimeMs };
  } catch (error) {
    if (error instanceof HushError) return undefined;
    throw error;
  }
}

/** Keeps names in a file of mode 0600, in place of those that it has. Throws UNSAFE_MODE, UNAVAILABLE. */
export function keepNames(file: string, { names, prefix, next = '' }: Names): void {
  checkDirectory(join(file, '..'));
  const first = `hush-names 1 ${prefix} ${next}`.trimEnd();
  writeFileAtomic(file, Buffer.from([first, ...names.filter(isName), ''].join('\n')));
}

/** Forgets the names of a profile, if any are kept. */
export function forgetNames(profile: string, env: NodeJS.ProcessEnv): void {
  rmSync(namesFileOf(profile, env), { force: true });
}

/** Whether a name could start so. */
export const isStartOfName = (text: string): boolean => /^[\w.:/-]*$/.test(text);

/** By their grammar names hold nothing that a shell would make anything of; what does is no name. */
export function isName(text: string): boolean {
  try {
    return parseSecretPath(text).text === text;
  } catch (error) {
    if (error instanceof HushError) return false;
    throw error;
  }
}
