import {
  commonOptions,
  ownOptions,
  type ArgumentSpec,
  type CommandSpec,
  type Kind,
  type OptionSpec,
} from './tree.ts';
import { quoted } from './words.ts';

/** The script that completes `hush` in zsh: the file `_hush` of a folder in fpath. */
export function zshScript(tree: readonly CommandSpec[]): string {
  const common = commonOptions(tree);
  return `#compdef hush
# Completes hush in zsh. Made by: hush completion zsh

_hush_ask() {
  local -a found
  found=(\${(f)"$(command hush __complete $1 "$PREFIX" "\${hush_line[@]}" 2>/dev/null)"})
  compadd -- "\${found[@]}"
}

_hush_secret() { _hush_ask secret }
_hush_profile() { _hush_ask profile }

${functionsOf('_hush_of', tree, common).replaceAll('\u0000', '\\')}

_hush() {
  local -a hush_common=(
${common.map(optionLine).join('').replaceAll('\u0000', '\\').replaceAll(/ \\$/gm, '').trimEnd()}
  )
  # What is typed of the whole line: a subcommand sees only its part of it.
  local -a hush_line=("\${(@)words[2,CURRENT - 1]}")
  _hush_of "$@"
}

if [[ $funcstack[1] == _hush ]]; then
  _hush "$@"
else
  compdef _hush hush
fi
`;
}

/** The function that completes a command with subcommands, and those of the subcommands. */
function functionsOf(
  name: string,
  subcommands: readonly CommandSpec[],
  common: readonly OptionSpec[],
): string {
  const described = subcommands.map((sub) => `    ${quoted(`${sub.name}:${escaped(sub.summary)}`)}`);
  const cases = subcommands.map((sub) => `  ${sub.name}) ${functionName(name, sub)} ;;`);
  const inner = subcommands.map((sub) =>
    sub.subcommands.length > 0
      ? functionsOf(functionName(name, sub), sub.subcommands, common)
      : leafFunction(functionName(name, sub), sub, common),
  );
  return `${name}() {
  local curcontext="$curcontext" state
  local -a line subcommands
  subcommands=(
${described.join('\n')}
  )
  _arguments -C -S "\${hush_common[@]}" \\
    '1:command:->command' \\
    '*::word:->rest'
  case $state in
  command) _describe -t commands command subcommands ;;
  rest)
    case $line[1] in
${cases.map((text) => `  ${text}`).join('\n')}
    esac
    ;;
  esac
}

${inner.join('\n\n')}`;
}

function leafFunction(name: string, spec: CommandSpec, common: readonly OptionSpec[]): string {
  const lines = [...ownOptions(spec, common).map(optionLine), ...spec.arguments.map(argumentLine)];
  return `${name}() {
  _arguments -S "\${hush_common[@]}" \\
${lines.join('')}}`.replace(/ \\\n+\}$/, '\n}');
}

const functionName = (outer: string, { name }: CommandSpec): string =>
  `${outer}_${name.replaceAll('-', '_')}`;

function optionLine({ names, summary, takes }: OptionSpec): string {
  const exclusive = names.length > 1 ? quoted(`(${names.join(' ')})`) : '';
  const forms = names.map((name) =>
    takes === undefined ? name : name.startsWith('--') ? `${name}=` : `${name}+`,
  );
  const spelled = forms.length > 1 ? `{${forms.join(',')}}` : (forms[0] ?? '');
  const value = takes === undefined ? '' : `:value:${actionOf(takes)}`;
  return `    ${exclusive}${spelled}${quoted(`[${escaped(summary)}]${value}`)} \\\n`;
}

function argumentLine({ name, kind, variadic }: ArgumentSpec): string {
  if (kind === 'program') return `    '*::${name}:_normal' \\\n`;
  return `    ${quoted(`${variadic ? '*' : ''}:${escaped(name)}:${actionOf(kind)}`)} \\\n`;
}

function actionOf(kind: Kind): string {
  if (typeof kind === 'object') return `(${kind.words.join(' ')})`;
  const actions = {
    secret: '_hush_secret',
    profile: '_hush_profile',
    file: '_files',
    program: '_command_names',
    none: ' ',
  };
  return actions[kind];
}

/** Brackets and colons end a part of what _arguments and _describe read. */
const escaped = (text: string): string => text.replaceAll(/[[\]:]/g, (found) => `\u0000${found}`);
