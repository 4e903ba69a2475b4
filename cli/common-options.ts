import { isProfileName } from '../protocol/names.ts';

const flags: ReadonlySet<string> = new Set(['--json', '--quiet', '--no-input']);

/** Whether a word is one of the options that every command takes. */
const isCommonOption = (word = ''): boolean =>
  flags.has(word) || takesNext(word) || /^(-p.|--profile=|--client-key=)/.test(word);

/** Whether the word after it is the value of a common option. */
const takesNext = (word = ''): boolean => namesProfile(word) || word === '--client-key';

const namesProfile = (word: string): boolean => word === '-p' || word === '--profile';

/** Where the first word is that is neither a common option nor its value. */
export function afterCommonOptions(words: readonly string[]): number {
  let at = 0;
  while (at < words.length && isCommonOption(words[at])) at += takesNext(words[at]) ? 2 : 1;
  return at;
}

/** The profile that a command line names with `-p` or in a reference; undefined where it names none. */
export function profileNamed(words: readonly string[]): string | undefined {
  const end = words.indexOf('--');
  for (const [index, word] of words.slice(0, end < 0 ? words.length : end).entries()) {
    const [, joined] = /^(?:--profile=|-p(?=[^-])|hush:\/\/)([^/]+)/.exec(word) ?? [];
    const named = namesProfile(word) ? words[index + 1] : joined;
    if (named !== undefined) return isProfileName(named) ? named : undefined;
  }
  return undefined;
}
