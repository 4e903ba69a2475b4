import type { Command } from 'commander';

type Action = (...values: unknown[]) => unknown;

/** What a command has put onto its parser, as far as it is of the plain kind. */
interface Recorded {
  readonly arguments: number;
  /** Whether its one argument is all that follows a double dash. */
  readonly takesRest: boolean;
  /** Long options without a value, and what their action finds. */
  readonly flags: ReadonlyMap<string, readonly [name: string, value: boolean]>;
  /** Long options with a value, and what their action finds it as. */
  readonly valued: ReadonlyMap<string, string>;
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly action: Action;
}

/**
 * What a plain command line does: one that has all arguments, and of options only long ones without a value or with
 * one that is kept as it is, and `-p`. Undefined for every other line, right or wrong: that is for the parser, which
 * does the same with a plain one, and takes longer to load than a short command takes.
 */
export function plainAction(
  define: (command: Command) => void,
  words: readonly string[],
): (() => Promise<void>) | undefined {
  const recorded = record(define);
  if (recorded === undefined) return undefined;
  const end = recorded.takesRest ? words.indexOf('--') : words.length;
  const values: string[] = [];
  const options: Record<string, unknown> = { ...recorded.defaults };
  for (let at = 0; at < end; at++) {
    const word = words[at] ?? '';
    const flag = recorded.flags.get(word);
    const valued = word === '-p' ? 'profile' : recorded.valued.get(word);
    if (flag !== undefined) {
      options[flag[0]] = flag[1];
    } else if (valued !== undefined) {
      const value = words[++at] ?? '';
      if (at >= end || !isPlain(value)) return undefined;
      options[valued] = value;
    } else if (isPlain(word)) {
      values.push(word);
    } else {
      return undefined;
    }
  }
  const rest = words.slice(end + 1);
  if (values.length !== recorded.arguments || (recorded.takesRest && (end < 0 || rest.length === 0))) {
    return undefined;
  }
  return async () => {
    await recorded.action(...values, ...(recorded.takesRest ? [rest] : []), options);
  };
}

/** Whether nobody could take the word for an option, or for none. */
const isPlain = (word: string): boolean => word !== '' && !word.startsWith('-');

/** Has `define` tell its arguments, options and action; undefined for a command that is not plain. */
function record(define: (command: Command) => void): Recorded | undefined {
  const seen: { isPlain: boolean; arguments: number; takesRest: boolean; action?: Action } = {
    isPlain: true,
    arguments: 0,
    takesRest: false,
  };
  const flags = new Map<string, readonly [string, boolean]>([
    ['--json', ['json', true]],
    ['--quiet', ['quiet', true]],
  ]);
  const valued = new Map([['--profile', 'profile']]);
  const defaults: Record<string, unknown> = {};
  const methods: Readonly<Record<string, (...given: readonly unknown[]) => void>> = {
    description: () => undefined,
    addHelpText: () => undefined,
    // Behind a double dash nothing is an option in any case.
    passThroughOptions: () => undefined,
    argument(name, _description, parse) {
      if (/^<[a-z-]+>$/.test(String(name)) && parse === undefined) seen.arguments++;
      else if (/^<[a-z-]+\.\.\.>$/.test(String(name)) && parse === undefined) seen.takesRest = true;
      else seen.isPlain = false;
    },
    option(names, _description, third, fourth) {
      const [, no, kebab, value] = /(?:^|, )--(no-)?([a-z-]+)( .+)?$/.exec(String(names)) ?? [];
      if (kebab === undefined) {
        seen.isPlain = false;
        return;
      }
      const name = kebab.replaceAll(/-[a-z]/g, (part) => part.slice(1).toUpperCase());
      const byDefault = typeof third === 'function' ? fourth : third;
      if (no !== undefined) defaults[name] = true;
      if (byDefault !== undefined) defaults[name] = byDefault;
      if (value === undefined) flags.set(`--${no ?? ''}${kebab}`, [name, no === undefined]);
      else if (/^ <[a-z]+>$/.test(value) && typeof third !== 'function') valued.set(`--${kebab}`, name);
    },
    action(given) {
      // What `define` gives a parser as its action.
      seen.action = given as Action;
    },
  };
  const recorder: unknown = new Proxy(methods, {
    get: (_target, name) => {
      const method = methods[String(name)];
      if (method === undefined) seen.isPlain = false;
      return (...given: readonly unknown[]) => {
        method?.(...given);
        return recorder;
      };
    },
  });
  // It takes what a parser takes, and whoever asks it for more is not plain.
  define(recorder as Command);
  const { isPlain: isPlainCommand, arguments: count, takesRest, action } = seen;
  if (!isPlainCommand || action === undefined) return undefined;
  return { arguments: count, takesRest, flags, valued, defaults, action };
}
