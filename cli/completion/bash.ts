import { allOf, commonOptions, ownOptions, type CommandSpec, type OptionSpec } from './tree.ts';
import { kindWord, quoted } from './words.ts';

/** The script that completes `hush` in bash 4.4 or later. It needs no other. */
export function bashScript(tree: readonly CommandSpec[]): string {
  const common = commonOptions(tree);
  const commands = allOf(tree);
  return `# Completes hush in bash. Made by: hush completion bash

# What may follow a command: sets subcommands, options, and the kind of each argument ('...' goes on for ever).
_hush_follow() {
  subcommands= options= arguments=()
  case $1 in
  '') subcommands=${quoted(tree.map(({ name }) => name).join(' '))} ;;
${commands.map((spec) => followCase(spec, common)).join('\n')}
  esac
  options+=${quoted(` ${optionWords(common)}`)}
}

# The kind of value that an option of a command takes; fails for one that takes none.
_hush_takes() {
  case $2 in
${common.flatMap(takesCase).join('\n')}
  esac
  case "$1 $2" in
${commands.flatMap((spec) => takesCases(spec, common)).join('\n')}
  *) return 1 ;;
  esac
}

# Puts those lines of standard input into COMPREPLY that begin with $1, without what the shell has cut off before them.
_hush_offer() {
  local line cut=
  [[ $COMP_WORDBREAKS == *:* && $1 == *:* ]] && cut=\${1%"\${1##*:}"}
  while IFS= read -r line; do
    [[ $line == "$1"* ]] || continue
    printf -v line '%q' "\${line#"$cut"}"
    COMPREPLY+=("$line")
  done
}

_hush_kind() {
  case $1 in
  secret | profile) _hush_offer "$2" < <(command hush __complete "$1" "$2" "\${words[@]}" 2>/dev/null) ;;
  file)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
    ;;
  program) mapfile -t COMPREPLY < <(compgen -c -- "$2") ;;
  :*) _hush_offer "$2" < <(printf '%s\\n' \${1#:}) ;;
  esac
}

_hush() {
  COMPREPLY=()
  local -a words=() arguments=()
  local word kind glue= path= skip= dashes= subcommands options index position=0
  # The shell cuts words at : and =, which belong together here.
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if ((\${#words[@]} > 0)) && [[ $glue || $word == [:=]* ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    glue=
    [[ $word == *[:=] && $COMP_WORDBREAKS == *"\${word: -1}"* ]] && glue=1
  done
  ((\${#words[@]} > 0)) || words=('')
  local current=\${words[-1]}
  _hush_follow ''
  for ((index = 0; index < \${#words[@]} - 1; index++)); do
    word=\${words[index]}
    if [[ $skip ]]; then
      skip=
    elif [[ $dashes ]]; then
      position=$((position + 1))
    elif [[ $word == -- ]]; then
      dashes=1
    elif [[ $word == -* ]]; then
      if kind=$(_hush_takes "$path" "$word"); then skip=$kind; fi
    elif [[ " $subcommands " == *" $word "* ]]; then
      path="\${path:+$path }$word"
      _hush_follow "$path"
    else
      position=$((position + 1))
    fi
  done
  if [[ $skip ]]; then
    _hush_kind "$skip" "$current"
  elif [[ ! $dashes && $current == --*=* ]]; then
    if kind=$(_hush_takes "$path" "\${current%%=*}"); then _hush_kind "$kind" "\${current#*=}"; fi
  elif [[ ! $dashes && $current == -* ]]; then
    _hush_kind ":$options" "$current"
  elif [[ $subcommands ]]; then
    _hush_kind ":$subcommands" "$current"
  else
    local last=$((\${#arguments[@]} - 1))
    if ((position > last && last >= 0)) && [[ \${arguments[last]} == ... ]]; then
      position=$((last - 1))
      [[ \${arguments[position]} == program ]] && arguments[position]=file
    fi
    [[ \${arguments[position]} == ... ]] || _hush_kind "\${arguments[position]}" "$current"
  fi
}

complete -F _hush hush
`;
}

const optionWords = (options: readonly OptionSpec[]): string =>
  options.flatMap(({ names }) => names).join(' ');

function followCase(spec: CommandSpec, common: readonly OptionSpec[]): string {
  const { words, subcommands, arguments: given } = spec;
  const options = optionWords(ownOptions(spec, common));
  const parts = [
    ...(subcommands.length === 0
      ? []
      : [`subcommands=${quoted(subcommands.map(({ name }) => name).join(' '))}`]),
    ...(options === '' ? [] : [`options=${quoted(options)}`]),
  ];
  if (given.length > 0) {
    const kinds = given.flatMap(({ kind, variadic }) => [
      quoted(kindWord(kind)),
      ...(variadic ? ["'...'"] : []),
    ]);
    parts.push(`arguments=(${kinds.join(' ')})`);
  }
  return [`  ${quoted(words)})`, ...parts, ';;'].join(' ');
}

const takesCase = ({ names, takes }: OptionSpec): string[] =>
  takes === undefined
    ? []
    : [`  ${names.map(quoted).join(' | ')}) printf '%s' ${quoted(kindWord(takes))} && return ;;`];

function takesCases(spec: CommandSpec, common: readonly OptionSpec[]): string[] {
  return ownOptions(spec, common).flatMap(({ names, takes }) => {
    if (takes === undefined) return [];
    const patterns = names.map((name) => quoted(`${spec.words} ${name}`)).join(' | ');
    return [`  ${patterns}) printf '%s' ${quoted(kindWord(takes))} ;;`];
  });
}
