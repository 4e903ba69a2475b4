# Completes hush in bash. Made by: hush completion bash

# What may follow a command: sets subcommands, options, and the kind of each argument ('...' goes on for ever).
_hush_follow() {
  subcommands= options= arguments=()
  case $1 in
  '') subcommands='init start stop status unlock lock set get list history delete restore purge rename copy approve client policy grant revoke profile slot keys run env inject import scan configure keygen backup audit door doctor completion help' ;;
  'init') options='--passphrase-stdin --key-file --generate --recovery --no-start' ;;
  'start') options='--key-file --ttl' ;;
  'stop') ;;
  'status') ;;
  'unlock') options='--key-file --passphrase-stdin --recovery-stdin --recovery --accept-rollback' ;;
  'lock') options='--all' ;;
  'set') options='--file --generate --alphabet --reveal --expires --note --tag --if-version' arguments=('secret') ;;
  'get') options='--reveal -o --output --clip --version --allow-expired --wait' arguments=('secret') ;;
  'list') options='--prefix --tag --expired --deleted -l --long --limit --after' ;;
  'history') arguments=('secret') ;;
  'delete') options='--if-version -y --yes' arguments=('secret') ;;
  'restore') options='--version --if-version' arguments=('secret') ;;
  'purge') options='--version --yes' arguments=('secret') ;;
  'rename') options='--wait' arguments=('secret' 'secret') ;;
  'copy') options='--if-version --wait' arguments=('secret' 'secret') ;;
  'approve') options='--deny' arguments=('none') ;;
  'client') subcommands='add list remove' ;;
  'client add') options='--key-file' arguments=('none') ;;
  'client list') ;;
  'client remove') options='-y --yes' arguments=('none') ;;
  'policy') subcommands='check explain test' ;;
  'policy check') options='--strict' arguments=('file') ;;
  'policy explain') options='--tenant --enrolled --config' arguments=('none' 'none' 'secret') ;;
  'policy test') options='--config' arguments=('file') ;;
  'grant') options='--for' arguments=('none' 'none' 'none') ;;
  'revoke') arguments=('none') ;;
  'profile') subcommands='list activate deactivate delete' ;;
  'profile list') ;;
  'profile activate') arguments=('profile') ;;
  'profile deactivate') arguments=('profile') ;;
  'profile delete') options='--yes' arguments=('profile') ;;
  'slot') subcommands='list add change remove rename group ungroup' ;;
  'slot list') ;;
  'slot add') options='--key-file --passphrase-stdin --recovery-stdin --by-recovery --new-passphrase --new-key-file --generate --recovery --label' ;;
  'slot change') options='--key-file --passphrase-stdin --recovery-stdin --by-recovery --new-passphrase --new-key-file --generate' arguments=('none') ;;
  'slot remove') options='-y --yes' arguments=('none') ;;
  'slot rename') arguments=('none' 'none') ;;
  'slot group') options='--key-file --passphrase-stdin --recovery-stdin --by-recovery -y --yes' arguments=('none' '...') ;;
  'slot ungroup') options='--key-file --passphrase-stdin --recovery-stdin --by-recovery' arguments=('none' '...') ;;
  'keys') subcommands='status rotate retire rewrap adopt shred reopen' ;;
  'keys status') options='--keyring --tenant' ;;
  'keys rotate') options='--keyring --vault --no-wait -y --yes' ;;
  'keys retire') options='--keyring --tenant --legacy --yes' arguments=('none') ;;
  'keys rewrap') options='--stdin --keyring --keep-going' ;;
  'keys adopt') options='--stdin --keyring --keep-going --key-file' ;;
  'keys shred') options='--tenant --keyring --yes --confirm' ;;
  'keys reopen') options='--tenant --keyring -y --yes' ;;
  'run') options='--only --map --prefix --scope --env-file --references-only --pristine --watch --interval --no-masking' arguments=('program' '...') ;;
  'env') options='--only --map --prefix --scope --env-file --references-only --format -o --output --reveal' ;;
  'inject') options='-i --input -o --output --reveal' ;;
  'import') options='--from --dry-run --overwrite --scope --prefix --all --whole --legacy --key-file' arguments=('none' '...') ;;
  'scan') options='--strict --sarif --rules' arguments=('file' '...') ;;
  'configure') options='--as --backup --force' arguments=('file' 'none') ;;
  'keygen') options='--hex' ;;
  'backup') subcommands='create verify restore' ;;
  'backup create') options='--force' arguments=('file') ;;
  'backup verify') options='--open --key-file --passphrase-stdin --recovery-stdin --recovery' arguments=('file') ;;
  'backup restore') options='--open --key-file --passphrase-stdin --recovery-stdin --recovery --replace -y --yes' arguments=('file') ;;
  'audit') subcommands='tail search stats export verify checkpoint' ;;
  'audit tail') options='-n --lines -f --follow --client --key --event --outcome --code --since --until --daemon' ;;
  'audit search') options='--client --key --event --outcome --code --since --until --daemon' ;;
  'audit stats') options='--client --key --event --outcome --code --since --until --daemon' ;;
  'audit export') options='--format --client --key --event --outcome --code --since --until --daemon' ;;
  'audit verify') options='--against' arguments=('file' '...') ;;
  'audit checkpoint') options='--daemon' ;;
  'door') subcommands='age aws ssh-agent systemd' ;;
  'door age') subcommands='new identity' ;;
  'door age new') arguments=('secret') ;;
  'door age identity') arguments=('secret') ;;
  'door aws') arguments=('secret') ;;
  'door ssh-agent') options='--socket --only --wait --public --generate --type --bits --comment' arguments=('none' '...') ;;
  'door systemd') options='--socket --map' ;;
  'doctor') ;;
  'completion') arguments=(':bash zsh fish') ;;
  'help') arguments=(':init start stop status unlock lock set get list history delete restore purge rename copy approve client policy grant revoke profile slot keys run env inject import scan configure keygen backup audit door doctor completion') ;;
  esac
  options+=' -p --profile --json --quiet --no-input --client-key -h --help'
}

# The kind of value that an option of a command takes; fails for one that takes none.
_hush_takes() {
  case $2 in
  '-p' | '--profile') printf '%s' 'profile' && return ;;
  '--client-key') printf '%s' 'file' && return ;;
  esac
  case "$1 $2" in
  'init --key-file') printf '%s' 'file' ;;
  'start --key-file') printf '%s' 'file' ;;
  'start --ttl') printf '%s' 'none' ;;
  'unlock --key-file') printf '%s' 'file' ;;
  'unlock --accept-rollback') printf '%s' 'none' ;;
  'set --file') printf '%s' 'file' ;;
  'set --alphabet') printf '%s' 'none' ;;
  'set --expires') printf '%s' 'none' ;;
  'set --note') printf '%s' 'none' ;;
  'set --tag') printf '%s' 'none' ;;
  'set --if-version') printf '%s' 'none' ;;
  'get -o' | 'get --output') printf '%s' 'file' ;;
  'get --version') printf '%s' 'none' ;;
  'list --prefix') printf '%s' 'none' ;;
  'list --tag') printf '%s' 'none' ;;
  'list --limit') printf '%s' 'none' ;;
  'list --after') printf '%s' 'none' ;;
  'delete --if-version') printf '%s' 'none' ;;
  'restore --version') printf '%s' 'none' ;;
  'restore --if-version') printf '%s' 'none' ;;
  'purge --version') printf '%s' 'none' ;;
  'copy --if-version') printf '%s' 'none' ;;
  'client add --key-file') printf '%s' 'file' ;;
  'policy explain --tenant') printf '%s' 'none' ;;
  'policy explain --config') printf '%s' 'file' ;;
  'policy test --config') printf '%s' 'file' ;;
  'grant --for') printf '%s' 'none' ;;
  'slot add --key-file') printf '%s' 'file' ;;
  'slot add --new-key-file') printf '%s' 'file' ;;
  'slot add --label') printf '%s' 'none' ;;
  'slot change --key-file') printf '%s' 'file' ;;
  'slot change --new-key-file') printf '%s' 'file' ;;
  'slot group --key-file') printf '%s' 'file' ;;
  'slot ungroup --key-file') printf '%s' 'file' ;;
  'keys status --keyring') printf '%s' 'none' ;;
  'keys status --tenant') printf '%s' 'none' ;;
  'keys rotate --keyring') printf '%s' 'none' ;;
  'keys retire --keyring') printf '%s' 'none' ;;
  'keys retire --tenant') printf '%s' 'none' ;;
  'keys rewrap --keyring') printf '%s' 'none' ;;
  'keys adopt --keyring') printf '%s' 'none' ;;
  'keys adopt --key-file') printf '%s' 'file' ;;
  'keys shred --tenant') printf '%s' 'none' ;;
  'keys shred --keyring') printf '%s' 'none' ;;
  'keys shred --confirm') printf '%s' 'none' ;;
  'keys reopen --tenant') printf '%s' 'none' ;;
  'keys reopen --keyring') printf '%s' 'none' ;;
  'run --only') printf '%s' 'none' ;;
  'run --map') printf '%s' 'none' ;;
  'run --prefix') printf '%s' 'none' ;;
  'run --scope') printf '%s' 'none' ;;
  'run --env-file') printf '%s' 'file' ;;
  'run --interval') printf '%s' 'none' ;;
  'env --only') printf '%s' 'none' ;;
  'env --map') printf '%s' 'none' ;;
  'env --prefix') printf '%s' 'none' ;;
  'env --scope') printf '%s' 'none' ;;
  'env --env-file') printf '%s' 'file' ;;
  'env --format') printf '%s' 'none' ;;
  'env -o' | 'env --output') printf '%s' 'file' ;;
  'inject -i' | 'inject --input') printf '%s' 'file' ;;
  'inject -o' | 'inject --output') printf '%s' 'file' ;;
  'import --from') printf '%s' ':pass gopass env' ;;
  'import --scope') printf '%s' 'none' ;;
  'import --prefix') printf '%s' 'none' ;;
  'import --legacy') printf '%s' 'file' ;;
  'import --key-file') printf '%s' 'file' ;;
  'configure --as') printf '%s' 'secret' ;;
  'backup verify --key-file') printf '%s' 'file' ;;
  'backup restore --key-file') printf '%s' 'file' ;;
  'audit tail -n' | 'audit tail --lines') printf '%s' 'none' ;;
  'audit tail --client') printf '%s' 'none' ;;
  'audit tail --key') printf '%s' 'none' ;;
  'audit tail --event') printf '%s' 'none' ;;
  'audit tail --outcome') printf '%s' 'none' ;;
  'audit tail --code') printf '%s' 'none' ;;
  'audit tail --since') printf '%s' 'none' ;;
  'audit tail --until') printf '%s' 'none' ;;
  'audit search --client') printf '%s' 'none' ;;
  'audit search --key') printf '%s' 'none' ;;
  'audit search --event') printf '%s' 'none' ;;
  'audit search --outcome') printf '%s' 'none' ;;
  'audit search --code') printf '%s' 'none' ;;
  'audit search --since') printf '%s' 'none' ;;
  'audit search --until') printf '%s' 'none' ;;
  'audit stats --client') printf '%s' 'none' ;;
  'audit stats --key') printf '%s' 'none' ;;
  'audit stats --event') printf '%s' 'none' ;;
  'audit stats --outcome') printf '%s' 'none' ;;
  'audit stats --code') printf '%s' 'none' ;;
  'audit stats --since') printf '%s' 'none' ;;
  'audit stats --until') printf '%s' 'none' ;;
  'audit export --format') printf '%s' 'none' ;;
  'audit export --client') printf '%s' 'none' ;;
  'audit export --key') printf '%s' 'none' ;;
  'audit export --event') printf '%s' 'none' ;;
  'audit export --outcome') printf '%s' 'none' ;;
  'audit export --code') printf '%s' 'none' ;;
  'audit export --since') printf '%s' 'none' ;;
  'audit export --until') printf '%s' 'none' ;;
  'audit verify --against') printf '%s' 'none' ;;
  'door ssh-agent --socket') printf '%s' 'file' ;;
  'door ssh-agent --only') printf '%s' 'none' ;;
  'door ssh-agent --wait') printf '%s' 'none' ;;
  'door ssh-agent --public') printf '%s' 'secret' ;;
  'door ssh-agent --generate') printf '%s' 'secret' ;;
  'door ssh-agent --type') printf '%s' 'none' ;;
  'door ssh-agent --bits') printf '%s' 'none' ;;
  'door ssh-agent --comment') printf '%s' 'none' ;;
  'door systemd --socket') printf '%s' 'file' ;;
  'door systemd --map') printf '%s' 'none' ;;
  *) return 1 ;;
  esac
}

# Puts those lines of standard input into COMPREPLY that begin with $1, without what the shell has cut off before them.
_hush_offer() {
  local line cut=
  [[ $COMP_WORDBREAKS == *:* && $1 == *:* ]] && cut=${1%"${1##*:}"}
  while IFS= read -r line; do
    [[ $line == "$1"* ]] || continue
    printf -v line '%q' "${line#"$cut"}"
    COMPREPLY+=("$line")
  done
}

_hush_kind() {
  case $1 in
  secret | profile) _hush_offer "$2" < <(command hush __complete "$1" "$2" "${words[@]}" 2>/dev/null) ;;
  file)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
    ;;
  program) mapfile -t COMPREPLY < <(compgen -c -- "$2") ;;
  :*) _hush_offer "$2" < <(printf '%s\n' ${1#:}) ;;
  esac
}

_hush() {
  COMPREPLY=()
  local -a words=() arguments=()
  local word kind glue= path= skip= dashes= subcommands options index position=0
  # The shell cuts words at : and =, which belong together here.
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if ((${#words[@]} > 0)) && [[ $glue || $word == [:=]* ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    glue=
    [[ $word == *[:=] && $COMP_WORDBREAKS == *"${word: -1}"* ]] && glue=1
  done
  ((${#words[@]} > 0)) || words=('')
  local current=${words[-1]}
  _hush_follow ''
  for ((index = 0; index < ${#words[@]} - 1; index++)); do
    word=${words[index]}
    if [[ $skip ]]; then
      skip=
    elif [[ $dashes ]]; then
      position=$((position + 1))
    elif [[ $word == -- ]]; then
      dashes=1
    elif [[ $word == -* ]]; then
      if kind=$(_hush_takes "$path" "$word"); then skip=$kind; fi
    elif [[ " $subcommands " == *" $word "* ]]; then
      path="${path:+$path }$word"
      _hush_follow "$path"
    else
      position=$((position + 1))
    fi
  done
  if [[ $skip ]]; then
    _hush_kind "$skip" "$current"
  elif [[ ! $dashes && $current == --*=* ]]; then
    if kind=$(_hush_takes "$path" "${current%%=*}"); then _hush_kind "$kind" "${current#*=}"; fi
  elif [[ ! $dashes && $current == -* ]]; then
    _hush_kind ":$options" "$current"
  elif [[ $subcommands ]]; then
    _hush_kind ":$subcommands" "$current"
  else
    local last=$((${#arguments[@]} - 1))
    if ((position > last && last >= 0)) && [[ ${arguments[last]} == ... ]]; then
      position=$((last - 1))
      [[ ${arguments[position]} == program ]] && arguments[position]=file
    fi
    [[ ${arguments[position]} == ... ]] || _hush_kind "${arguments[position]}" "$current"
  fi
}

complete -F _hush hush
