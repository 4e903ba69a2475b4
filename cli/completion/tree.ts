import type { Argument, Command, Option } from 'commander';
import { commands } from '../commands.ts';
import { createOutput } from '../output.ts';
import { commandOf } from '../parse.ts';

/** What the shell may complete a word by: names of secrets or profiles, files, programs, fixed words, or nothing. */
export type Kind = 'secret' | 'profile' | 'file' | 'program' | 'none' | { readonly words: readonly string[] };

/** An option as a shell needs it. */
export interface OptionSpec {
  /** As typed, with its dashes; the short one first where there is one. */
  readonly names: readonly string[];
  readonly summary: string;
  /** Undefined for an option that takes no value; one whose value may be left out counts as such. */
  readonly takes: Kind | undefined;
}

/** An argument as a shell needs it. */
export interface ArgumentSpec {
  readonly name: string;
  readonly kind: Kind;
  /** Whether it may be given many times; it is then the last. */
  readonly variadic: boolean;
}

/** A command or subcommand; one with subcommands has no options and arguments of its own. */
export interface CommandSpec {
  /** What is typed behind `hush`: `keys rotate`. */
  readonly words: string;
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly arguments: readonly ArgumentSpec[];
  readonly subcommands: readonly CommandSpec[];
}

/** Every command of `hush` as commander has it, in the order of the help. */
export async function commandTree(): Promise<readonly CommandSpec[]> {
  const session = { output: createOutput(false), finish: () => undefined };
  const tree = await Promise.all(
    Object.entries(commands).map(async ([name, { summary, load }]) => {
      const { define } = await load();
      const command = commandOf({ name, summary, define: (bare) => define(bare, session) });
      return specOf(command, name, summary);
    }),
  );
  const names = tree.map(({ name }) => name);
  return [...tree, helpSpec(names)];
}

/** The options of every command, which may stand before it too. */
export function commonOptions(tree: readonly CommandSpec[]): readonly OptionSpec[] {
  const [first, ...others] = leavesOf(tree).filter(({ name }) => name !== 'help');
  return (first?.options ?? []).filter(({ names }) =>
    others.every(({ options }) => options.some((option) => option.names.join() === names.join())),
  );
}

/** The options of a command that not all commands have. */
export function ownOptions({ options }: CommandSpec, common: readonly OptionSpec[]): readonly OptionSpec[] {
  return options.filter(({ names }) => !common.some((one) => one.names.join() === names.join()));
}

/** The commands that do something, however deep they stand. */
export function leavesOf(tree: readonly CommandSpec[]): readonly CommandSpec[] {
  return tree.flatMap((spec) => (spec.subcommands.length === 0 ? [spec] : leavesOf(spec.subcommands)));
}

/** All commands, the ones that have subcommands too. */
export function allOf(tree: readonly CommandSpec[]): readonly CommandSpec[] {
  return tree.flatMap((spec) => [spec, ...allOf(spec.subcommands)]);
}

function helpSpec(names: readonly string[]): CommandSpec {
  return {
    words: 'help',
    name: 'help',
    summary: 'show the help of all or of one command',
    options: [],
    arguments: [{ name: 'command', kind: { words: names }, variadic: false }],
    subcommands: [],
  };
}

function specOf(command: Command, words: string, summary: string): CommandSpec {
  const help = command.createHelp();
  const subcommands = help
    .visibleCommands(command)
    .filter((sub) => sub.name() !== 'help')
    .map((sub) => specOf(sub, `${words} ${sub.name()}`, sub.description()));
  const isLeaf = subcommands.length === 0;
  return {
    words,
    name: words.slice(words.lastIndexOf(' ') + 1),
    summary,
    options: help.visibleOptions(command).map((option) => optionSpec(option, words)),
    arguments: isLeaf ? command.registeredArguments.map((argument) => argumentSpec(argument, words)) : [],
    subcommands,
  };
}

function optionSpec(option: Option, words: string): OptionSpec {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const [, placeholder] = /<([^>]+)>/.exec(option.flags) ?? [];
  const takes =
    option.argChoices !== undefined
      ? { words: option.argChoices }
      : option.long === '--profile'
        ? 'profile'
        : kindOf(option.long ?? words, placeholder);
  return { names, summary: option.description, takes: option.required ? takes : undefined };
}

function argumentSpec(argument: Argument, words: string): ArgumentSpec {
  const name = argument.name();
  const kind = argument.argChoices === undefined ? kindOf(words, name) : { words: argument.argChoices };
  return { name, kind, variadic: argument.variadic };
}

/** Arguments that are not what their name says elsewhere. */
const exceptions: Readonly<Record<string, Kind>> = {
  '--socket path': 'file',
  'scan path': 'file',
  'scan paths': 'file',
  'run command': 'program',
  'run cmd': 'program',
  'profile activate name': 'profile',
  'profile deactivate name': 'profile',
  'profile delete name': 'profile',
};

/** What is meant by the name that the help gives to a value. */
const kinds: Readonly<Record<string, Kind>> = {
  path: 'secret',
  paths: 'secret',
  from: 'secret',
  to: 'secret',
  file: 'file',
  files: 'file',
  folder: 'file',
  template: 'file',
  profile: 'profile',
};

/** The kind of what the help calls by that name; `words` are the command, or the option that it is the value of. */
function kindOf(words: string, placeholder = ''): Kind {
  const name = placeholder.replace(/\.{3}$/, '').toLowerCase();
  return exceptions[`${words} ${name}`] ?? kinds[name] ?? 'none';
}
