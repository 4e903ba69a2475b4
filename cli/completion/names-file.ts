import { createHash } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { readSafeFile, writeFileAtomic } from '../../daemon/home/files.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import { checkDirectory } from '../../daemon/home/safety.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { HushError } from '../../protocol/errors.ts';

/** Names that were listed a while ago; there is never a value among them. */
export interface KeptNames {
  readonly names: readonly string[];
  /** Negative where the clock was set back. */
  readonly ageMs: number;
}

const mostBytes = 4 * 1024 * 1024;
const firstLine = 'hush-names 1';

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
    const [first, ...names] = Buffer.from(bytes).toString('utf8').split('\n');
    if (first !== firstLine) return undefined;
    return { names: names.filter(isName), ageMs: now - statSync(file).mtimeMs };
  } catch (error) {
    if (error instanceof HushError) return undefined;
    throw error;
  }
}

/** Keeps names in a file of mode 0600, in place of those that it has. Throws UNSAFE_MODE, UNAVAILABLE. */
export function keepNames(file: string, names: readonly string[]): void {
  checkDirectory(join(file, '..'));
  writeFileAtomic(file, Buffer.from([firstLine, ...names.filter(isName), ''].join('\n')));
}

/** Forgets the names of a profile, if any are kept. */
export function forgetNames(profile: string, env: NodeJS.ProcessEnv): void {
  rmSync(namesFileOf(profile, env), { force: true });
}

/** By their grammar names hold nothing that a shell would make anything of; what does is no name. */
export function isName(text: string): boolean {
  try {
    return parseSecretPath(text).text === text;
  } catch (error) {
    if (error instanceof HushError) return false;
    throw error;
  }
}
