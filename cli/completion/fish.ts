import {
  allOf,
  commonOptions,
  leavesOf,
  ownOptions,
  type CommandSpec,
  type Kind,
  type OptionSpec,
} from './tree.ts';
import { quoted } from './words.ts';

/** The script that completes `hush` in fish 3 or later. */
export function fishScript(tree: readonly CommandSpec[]): string {
  const common = commonOptions(tree);
  const commands = allOf(tree);
  const groups = commands.filter(({ subcommands }) => subcommands.length > 0);
  return `# Completes hush in fish. Made by: hush completion fish

# Whether an option of a command takes the next word.
function __hush_takes
    switch $argv[2]
        case ${common
          .flatMap(({ names, takes }) => (takes === undefined ? [] : names))
          .map(quoted)
          .join(' ')}
            return 0
    end
    switch "$argv[1] $argv[2]"
${commands.flatMap((spec) => takesCases(spec, common)).join('\n')}
    end
    return 1
end

# The words that may follow a command, when these are subcommands.
function __hush_subcommands
    switch "$argv[1]"
        case ''
            printf '%s\\n' ${tree.map(({ name }) => name).join(' ')}
${groups
  .map(
    ({ words, subcommands }) =>
      `        case ${quoted(words)}\n            printf '%s\\n' ${subcommands.map(({ name }) => name).join(' ')}`,
  )
  .join('\n')}
    end
end

# The command that is typed, and behind it how many arguments it has so far.
function __hush_typed
    set -l path ''
    set -l count 0
    set -l skip no
    set -l rest no
    set -l words (commandline -opc)
    for word in $words[2..]
        if test $skip = yes
            set skip no
        else if test $rest = yes
            set count (math $count + 1)
        else if test "$word" = --
            set rest yes
        else if string match -q -- '-*' $word
            if __hush_takes "$path" $word
                set skip yes
            end
        else if contains -- $word (__hush_subcommands "$path")
            set path (string trim -- "$path $word")
        else
            set count (math $count + 1)
        end
    end
    echo "$path"
    echo $count
end

# Whether that command is typed; with a number, that it has so many arguments so far, with + that many or more.
function __hush_at
    set -l typed (__hush_typed)
    test "$typed[1]" = "$argv[1]"; or return 1
    switch "$argv[2]"
        case ''
            return 0
        case '*+'
            test $typed[2] -ge (string trim -c + -- $argv[2])
        case '*'
            test $typed[2] -eq $argv[2]
    end
end

function __hush_ask
    set -l words (commandline -opc)
    command hush __complete $argv[1] (commandline -ct) $words[2..] 2>/dev/null
end

complete -c hush -f
${common.map((option) => optionLine(option)).join('\n')}
${tree.map((spec) => subcommandLine(spec, "''")).join('\n')}
${groups.flatMap(({ words, subcommands }) => subcommands.map((sub) => subcommandLine(sub, quoted(words)))).join('\n')}
${leavesOf(tree)
  .flatMap((spec) => leafLines(spec, common))
  .join('\n')}
`;
}

function takesCases(spec: CommandSpec, common: readonly OptionSpec[]): string[] {
  const { words } = spec;
  const valued = ownOptions(spec, common).filter(({ takes }) => takes !== undefined);
  if (valued.length === 0) return [];
  const patterns = valued.flatMap(({ names }) => names).map((name) => quoted(`${words} ${name}`));
  return [`        case ${patterns.join(' ')}\n            return 0`];
}

/** What runs inside a condition is quoted once more. */
const condition = (command: string, more = ''): string => `"__hush_at ${command}${more}"`;

const subcommandLine = ({ name, summary }: CommandSpec, group: string): string =>
  `complete -c hush -n ${condition(group)} -a ${name} -d ${quoted(summary)}`;

function leafLines(spec: CommandSpec, common: readonly OptionSpec[]): string[] {
  const { words, arguments: given } = spec;
  return [
    ...ownOptions(spec, common).map((option) => optionLine(option, quoted(words))),
    ...given.flatMap(({ kind, variadic }, index) => {
      const action = actionOf(kind);
      if (action === '') return [];
      return [`complete -c hush -n ${condition(quoted(words), ` ${index}${variadic ? '+' : ''}`)} ${action}`];
    }),
  ];
}

function optionLine({ names, summary, takes }: OptionSpec, command?: string): string {
  const where = command === undefined ? '' : ` -n ${condition(command)}`;
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const value = takes === undefined ? '' : takes === 'file' ? ' -r -F' : ` -x ${actionOf(takes)}`.trimEnd();
  return `complete -c hush${where} ${flags.join(' ')} -d ${quoted(summary)}${value}`;
}

function actionOf(kind: Kind): string {
  if (typeof kind === 'object') return `-a ${quoted(kind.words.join(' '))}`;
  const actions = {
    secret: "-a '(__hush_ask secret)'",
    profile: "-a '(__hush_ask profile)'",
    file: '-F',
    program: "-a '(__fish_complete_subcommand)'",
    none: '',
  };
  return actions[kind];
}
