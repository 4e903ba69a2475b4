import { parseSecretPath } from '../../protocol/names.ts';
import { reportError } from '../output.ts';
import { profileOf, targetOf, type Target } from '../target.ts';
import { badUsage } from '../usage.ts';

/** Not `global`: whatever is there becomes a variable of what `hush run` starts, and a login is nobody else's. */
const usualScope = 'pr:logins';

/** What the words after a helper's name say. */
export interface HelperLine {
  /** What the other program asks for. */
  readonly action: string;
  /** The value of an option, undefined where it is not given. */
  option(name: string): string | undefined;
  /** The secret of that name, in the scope and the profile that the options name. Throws INVALID_NAME. */
  target(name: string): Target;
  /** The secret that a whole path or a reference names. Throws INVALID_NAME. */
  targetAt(path: string): Target;
}

/** Cuts a helper's command line: options that each have a value, then one word. Throws BAD_REQUEST. */
export function helperLine(words: readonly string[], names: readonly string[]): HelperLine {
  const options = new Map<string, string>();
  let at = 0;
  for (; at < words.length - 1; at += 2) {
    const name = words[at] === '-p' ? '--profile' : (words[at] ?? '');
    if (!names.includes(name)) break;
    options.set(name, words[at + 1] ?? '');
  }
  const [action, ...rest] = words.slice(at);
  if (action === undefined || rest.length > 0 || action.startsWith('-')) {
    const usage = names.map((name) => `[${name} VALUE]`).join(' ');
    throw badUsage(`what may stand here is ${usage}, and then one word, which git or docker says`, 'door');
  }
  const profile = options.get('--profile');
  const given = profile === undefined ? {} : { profile };
  return {
    action,
    option: (name) => options.get(name),
    target: (name) => ({
      profile: profileOf(given, process.env),
      path: parseSecretPath(`${options.get('--scope') ?? usualScope}/${name}`).text,
    }),
    targetAt: (path) => targetOf(path, given, process.env),
  };
}

/** Runs a helper to its end, and ends the process with its exit code; `tell` tells of an error and gives the code. */
export function runHelper(
  act: () => Promise<void>,
  tell: (error: unknown) => Promise<number> = (error) => reportError(error, false),
): void {
  process.exitCode = 1;
  void act()
    .then(() => 0, tell)
    .then((code) => process.exit(code));
}
