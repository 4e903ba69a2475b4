# Completes hush in fish. Made by: hush completion fish

# Whether an option of a command takes the next word.
function __hush_takes
    switch $argv[2]
        case '-p' '--profile' '--client-key'
            return 0
    end
    switch "$argv[1] $argv[2]"
        case 'init --key-file'
            return 0
        case 'start --key-file' 'start --ttl'
            return 0
        case 'unlock --key-file' 'unlock --accept-rollback'
            return 0
        case 'set --file' 'set --alphabet' 'set --expires' 'set --note' 'set --tag' 'set --if-version'
            return 0
        case 'get -o' 'get --output' 'get --version'
            return 0
        case 'list --prefix' 'list --tag' 'list --limit' 'list --after'
            return 0
        case 'delete --if-version'
            return 0
        case 'restore --version' 'restore --if-version'
            return 0
        case 'purge --version'
            return 0
        case 'copy --if-version'
            return 0
        case 'client add --key-file'
            return 0
        case 'policy explain --tenant' 'policy explain --config'
            return 0
        case 'policy test --config'
            return 0
        case 'grant --for'
            return 0
        case 'slot add --key-file' 'slot add --new-key-file' 'slot add --label'
            return 0
        case 'slot change --key-file' 'slot change --new-key-file'
            return 0
        case 'slot group --key-file'
            return 0
        case 'slot ungroup --key-file'
            return 0
        case 'keys status --keyring' 'keys status --tenant'
            return 0
        case 'keys rotate --keyring'
            return 0
        case 'keys retire --keyring' 'keys retire --tenant'
            return 0
        case 'keys rewrap --keyring'
            return 0
        case 'keys adopt --keyring' 'keys adopt --key-file'
            return 0
        case 'keys shred --tenant' 'keys shred --keyring' 'keys shred --confirm'
            return 0
        case 'keys reopen --tenant' 'keys reopen --keyring'
            return 0
        case 'run --only' 'run --map' 'run --prefix' 'run --scope' 'run --env-file' 'run --interval'
            return 0
        case 'env --only' 'env --map' 'env --prefix' 'env --scope' 'env --env-file' 'env --format' 'env -o' 'env --output'
            return 0
        case 'inject -i' 'inject --input' 'inject -o' 'inject --output'
            return 0
        case 'import --from' 'import --scope' 'import --prefix' 'import --legacy' 'import --key-file'
            return 0
        case 'configure --as'
            return 0
        case 'backup verify --key-file'
            return 0
        case 'backup restore --key-file'
            return 0
        case 'audit tail -n' 'audit tail --lines' 'audit tail --client' 'audit tail --key' 'audit tail --event' 'audit tail --outcome' 'audit tail --code' 'audit tail --since' 'audit tail --until'
            return 0
        case 'audit search --client' 'audit search --key' 'audit search --event' 'audit search --outcome' 'audit search --code' 'audit search --since' 'audit search --until'
            return 0
        case 'audit stats --client' 'audit stats --key' 'audit stats --event' 'audit stats --outcome' 'audit stats --code' 'audit stats --since' 'audit stats --until'
            return 0
        case 'audit export --format' 'audit export --client' 'audit export --key' 'audit export --event' 'audit export --outcome' 'audit export --code' 'audit export --since' 'audit export --until'
            return 0
        case 'audit verify --against'
            return 0
        case 'door ssh-agent --socket' 'door ssh-agent --only' 'door ssh-agent --wait' 'door ssh-agent --public' 'door ssh-agent --generate' 'door ssh-agent --type' 'door ssh-agent --bits' 'door ssh-agent --comment'
            return 0
        case 'door systemd --socket' 'door systemd --map'
            return 0
    end
    return 1
end

# The words that may follow a command, when these are subcommands.
function __hush_subcommands
    switch "$argv[1]"
        case ''
            printf '%s\n' init start stop status unlock lock set get list history delete restore purge rename copy approve client policy grant revoke profile slot keys run env inject import scan configure keygen backup audit door doctor completion help
        case 'client'
            printf '%s\n' add list remove
        case 'policy'
            printf '%s\n' check explain test
        case 'profile'
            printf '%s\n' list activate deactivate delete
        case 'slot'
            printf '%s\n' list add change remove rename group ungroup
        case 'keys'
            printf '%s\n' status rotate retire rewrap adopt shred reopen
        case 'backup'
            printf '%s\n' create verify restore
        case 'audit'
            printf '%s\n' tail search stats export verify checkpoint
        case 'door'
            printf '%s\n' age aws ssh-agent systemd
        case 'door age'
            printf '%s\n' new identity
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
complete -c hush -s p -l profile -d 'the profile (else HUSH_PROFILE, else default)' -x -a '(__hush_ask profile)'
complete -c hush -l json -d 'print facts and errors as one line of JSON'
complete -c hush -l quiet -d 'print no notes and no progress: standard error has errors alone'
complete -c hush -l no-input -d 'never ask: what would have to be asked is an error'
complete -c hush -l client-key -d 'the key file of an enrolled client to be (else HUSH_CLIENT_KEY_FILE)' -r -F
complete -c hush -s h -l help -d 'display help for command'
complete -c hush -n "__hush_at ''" -a init -d 'make a profile: a vault and the keys to it'
complete -c hush -n "__hush_at ''" -a start -d 'start the daemon in the background'
complete -c hush -n "__hush_at ''" -a stop -d 'stop the daemon'
complete -c hush -n "__hush_at ''" -a status -d 'show the daemon and its profiles'
complete -c hush -n "__hush_at ''" -a unlock -d 'open a profile'
complete -c hush -n "__hush_at ''" -a lock -d 'close a profile and wipe its keys from memory'
complete -c hush -n "__hush_at ''" -a set -d 'keep a value'
complete -c hush -n "__hush_at ''" -a get -d 'show a secret, its value with --reveal'
complete -c hush -n "__hush_at ''" -a list -d 'list the paths of secrets'
complete -c hush -n "__hush_at ''" -a history -d 'list the versions of a secret'
complete -c hush -n "__hush_at ''" -a delete -d 'delete a secret, until it is restored'
complete -c hush -n "__hush_at ''" -a restore -d 'bring a deleted secret or an earlier value back'
complete -c hush -n "__hush_at ''" -a purge -d 'destroy a secret and all its versions'
complete -c hush -n "__hush_at ''" -a rename -d 'give a secret another name'
complete -c hush -n "__hush_at ''" -a copy -d 'copy a value to another name'
complete -c hush -n "__hush_at ''" -a approve -d 'list reads that wait for an approval, allow or refuse one'
complete -c hush -n "__hush_at ''" -a client -d 'enrol clients that prove themselves by a key, list and remove them'
complete -c hush -n "__hush_at ''" -a policy -d 'check the config, explain and test what it decides'
complete -c hush -n "__hush_at ''" -a grant -d 'grant a client something for a time, list such grants'
complete -c hush -n "__hush_at ''" -a revoke -d 'take grants for a time back'
complete -c hush -n "__hush_at ''" -a profile -d 'list, activate, deactivate or delete profiles'
complete -c hush -n "__hush_at ''" -a slot -d 'say what opens a profile: passphrases, keys, recovery keys, groups'
complete -c hush -n "__hush_at ''" -a keys -d 'rotate or destroy the keys that seal, move handles to new ones'
complete -c hush -n "__hush_at ''" -a run -d 'run a command with secrets as its environment variables'
complete -c hush -n "__hush_at ''" -a env -d 'write secrets as variables for a shell, an env file or JSON'
complete -c hush -n "__hush_at ''" -a inject -d 'put secrets in the places of references in a file'
complete -c hush -n "__hush_at ''" -a import -d 'bring in secrets from another system'
complete -c hush -n "__hush_at ''" -a scan -d 'find secrets in plain text, and references that lead nowhere'
complete -c hush -n "__hush_at ''" -a configure -d 'move a value out of a config file, and put a reference in its place'
complete -c hush -n "__hush_at ''" -a keygen -d 'print a fresh 32-byte key'
complete -c hush -n "__hush_at ''" -a backup -d 'back a profile up, check and restore backups'
complete -c hush -n "__hush_at ''" -a audit -d 'show, search, export and verify the record of who did what'
complete -c hush -n "__hush_at ''" -a door -d 'serve other programs in their own protocol: age, aws, ssh-agent, systemd'
complete -c hush -n "__hush_at ''" -a doctor -d 'check the installation, and say how to mend it'
complete -c hush -n "__hush_at ''" -a completion -d 'print a script that completes hush in a shell'
complete -c hush -n "__hush_at ''" -a help -d 'show the help of all or of one command'
complete -c hush -n "__hush_at 'client'" -a add -d 'enrol a client: it then proves by a key of its own who it is'
complete -c hush -n "__hush_at 'client'" -a list -d 'who is enrolled, since when, and connected how often'
complete -c hush -n "__hush_at 'client'" -a remove -d 'enrol a client no longer, and end its connections'
complete -c hush -n "__hush_at 'policy'" -a check -d 'look a config over, without a daemon'
complete -c hush -n "__hush_at 'policy'" -a explain -d 'say what the config decides, and which rule does, without a daemon'
complete -c hush -n "__hush_at 'policy'" -a test -d 'compare the decisions of a config with those that a table expects, without a daemon'
complete -c hush -n "__hush_at 'profile'" -a list -d 'the profiles of this daemon, and their states'
complete -c hush -n "__hush_at 'profile'" -a activate -d 'let a deactivated profile be unlocked again'
complete -c hush -n "__hush_at 'profile'" -a deactivate -d 'lock a profile, and keep it locked until it is activated'
complete -c hush -n "__hush_at 'profile'" -a delete -d 'destroy a profile and every secret in it, for ever'
complete -c hush -n "__hush_at 'slot'" -a list -d 'what opens the profile'
complete -c hush -n "__hush_at 'slot'" -a add -d 'let something more open the profile'
complete -c hush -n "__hush_at 'slot'" -a change -d 'give a slot another passphrase, key or recovery key'
complete -c hush -n "__hush_at 'slot'" -a remove -d 'let a slot open the profile no longer'
complete -c hush -n "__hush_at 'slot'" -a rename -d 'call a slot something else'
complete -c hush -n "__hush_at 'slot'" -a group -d 'let two to four slots open the profile only together'
complete -c hush -n "__hush_at 'slot'" -a ungroup -d 'end a group: each member that is in no other opens alone again'
complete -c hush -n "__hush_at 'keys'" -a status -d 'show the keys that seal secrets, what each still seals, and what to do next'
complete -c hush -n "__hush_at 'keys'" -a rotate -d 'make a new key active, and seal every stored value anew under it'
complete -c hush -n "__hush_at 'keys'" -a retire -d 'destroy a retired key: the handles that it sealed are unreadable, for ever'
complete -c hush -n "__hush_at 'keys'" -a rewrap -d 'seal handles anew under the newest key, as JSON lines'
complete -c hush -n "__hush_at 'keys'" -a adopt -d 'turn handles of the local provider into the daemon'\''s, as JSON lines'
complete -c hush -n "__hush_at 'keys'" -a shred -d 'destroy the keys of one tenant: what was encrypted for it is unreadable, for ever'
complete -c hush -n "__hush_at 'keys'" -a reopen -d 'make a new key for a tenant whose keys were destroyed; what they sealed stays unreadable'
complete -c hush -n "__hush_at 'backup'" -a create -d 'copy a whole profile, still sealed, into a file, while the daemon goes on serving'
complete -c hush -n "__hush_at 'backup'" -a verify -d 'check a backup, without a daemon: its checksums, and with a credential all that is in it'
complete -c hush -n "__hush_at 'backup'" -a restore -d 'make a profile out of a backup, or put its secrets back into the profile'
complete -c hush -n "__hush_at 'audit'" -a tail -d 'show the newest records'
complete -c hush -n "__hush_at 'audit'" -a search -d 'show the records that match, the oldest first'
complete -c hush -n "__hush_at 'audit'" -a stats -d 'count the records by client, event, outcome and code'
complete -c hush -n "__hush_at 'audit'" -a export -d 'print the records for other programs'
complete -c hush -n "__hush_at 'audit'" -a verify -d 'check that a profile'\''s audit and the daemon'\''s own are as they were written'
complete -c hush -n "__hush_at 'audit'" -a checkpoint -d 'print one line that says where the audit stands, to be kept elsewhere'
complete -c hush -n "__hush_at 'door'" -a age -d 'keep identities of age in the vault, for age-plugin-hush'
complete -c hush -n "__hush_at 'door'" -a aws -d 'print credentials for AWS tools, as their credential_process asks'
complete -c hush -n "__hush_at 'door'" -a ssh-agent -d 'sign for ssh, git and ssh-keygen with keys that stay in the vault'
complete -c hush -n "__hush_at 'door'" -a systemd -d 'serve LoadCredential= of systemd units, until it is stopped'
complete -c hush -n "__hush_at 'door age'" -a new -d 'make an identity in the vault, and print its identity file'
complete -c hush -n "__hush_at 'door age'" -a identity -d 'print the identity file of a secret that holds an age key'
complete -c hush -n "__hush_at 'init'" -l passphrase-stdin -d 'read the passphrase from one line of standard input'
complete -c hush -n "__hush_at 'init'" -l key-file -d 'the 32-byte key in this file opens it' -r -F
complete -c hush -n "__hush_at 'init'" -l generate -d 'make a random 32-byte key: into --key-file FILE, or shown once'
complete -c hush -n "__hush_at 'init'" -l recovery -d 'make a recovery key too, which opens it as well, and is shown once'
complete -c hush -n "__hush_at 'init'" -l no-start -d 'only make the profile: do not start the daemon on a terminal, nor unlock'
complete -c hush -n "__hush_at 'start'" -l key-file -d 'open the profile at once with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'start'" -l ttl -d 'how long the daemon keeps an opened value (else the config, else 300)' -x
complete -c hush -n "__hush_at 'unlock'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'unlock'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'unlock'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'unlock'" -l recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'unlock'" -l accept-rollback -d 'take an older state that was put back on purpose, by the id in the error' -x
complete -c hush -n "__hush_at 'lock'" -l all -d 'every profile that you may lock, at once'
complete -c hush -n "__hush_at 'set'" -l file -d 'the bytes of this file, whatever they are' -r -F
complete -c hush -n "__hush_at 'set'" -l generate -d 'make a random value of letters and digits (32)'
complete -c hush -n "__hush_at 'set'" -l alphabet -d 'what to generate from: a name, or the characters themselves' -x
complete -c hush -n "__hush_at 'set'" -l reveal -d 'print the generated value: exactly its bytes, and nothing else'
complete -c hush -n "__hush_at 'set'" -l expires -d 'until when it may be read: a time, a day, or 30d, 12h, 90m from now' -x
complete -c hush -n "__hush_at 'set'" -l note -d 'what it is for, shown by hush list --long; '\'''\'' takes the note away' -x
complete -c hush -n "__hush_at 'set'" -l tag -d 'a word to find it by; can be repeated; '\'''\'' takes all away' -x
complete -c hush -n "__hush_at 'set'" -l if-version -d 'only if this version is the current one; 0: if there is none' -x
complete -c hush -n "__hush_at 'set' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'get'" -l reveal -d 'print the value: exactly its bytes, and nothing else'
complete -c hush -n "__hush_at 'get'" -s o -l output -d 'put the value into this file, which nobody else can read (0600)' -r -F
complete -c hush -n "__hush_at 'get'" -l clip -d 'put the value into the clipboard for so long (45)'
complete -c hush -n "__hush_at 'get'" -l version -d 'an earlier version that is kept: hush history PATH' -x
complete -c hush -n "__hush_at 'get'" -l allow-expired -d 'also where the value has expired'
complete -c hush -n "__hush_at 'get'" -l wait -d 'where somebody else must approve it, wait until they have decided'
complete -c hush -n "__hush_at 'get' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'list'" -l prefix -d 'only paths that start with this' -x
complete -c hush -n "__hush_at 'list'" -l tag -d 'only those that have this tag' -x
complete -c hush -n "__hush_at 'list'" -l expired -d 'only those whose value has expired'
complete -c hush -n "__hush_at 'list'" -l deleted -d 'those that are deleted and can be restored, instead of the others'
complete -c hush -n "__hush_at 'list'" -s l -l long -d 'with size, version, time of the last change, expiry, tags and note'
complete -c hush -n "__hush_at 'list'" -l limit -d 'one page of so many at most, in no order of their own' -x
complete -c hush -n "__hush_at 'list'" -l after -d 'the page that follows the one which told this' -x
complete -c hush -n "__hush_at 'history' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'delete'" -l if-version -d 'only if this version is the current one' -x
complete -c hush -n "__hush_at 'delete'" -s y -l yes -d 'do not ask'
complete -c hush -n "__hush_at 'delete' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'restore'" -l version -d 'the version whose value is meant: hush history PATH' -x
complete -c hush -n "__hush_at 'restore'" -l if-version -d 'only if this version is the current one; 0: if there is none' -x
complete -c hush -n "__hush_at 'restore' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'purge'" -l version -d 'this earlier version alone' -x
complete -c hush -n "__hush_at 'purge'" -l yes -d 'confirm that it is to be destroyed'
complete -c hush -n "__hush_at 'purge' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'rename'" -l wait -d 'where somebody else must approve it, wait until they have decided'
complete -c hush -n "__hush_at 'rename' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'rename' 1" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'copy'" -l if-version -d 'only if this version of <to> is current; 0: if there is none' -x
complete -c hush -n "__hush_at 'copy'" -l wait -d 'where somebody else must approve it, wait until they have decided'
complete -c hush -n "__hush_at 'copy' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'copy' 1" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'approve'" -l deny -d 'refuse it instead'
complete -c hush -n "__hush_at 'client add'" -l key-file -d 'write its key into a new file, instead of showing it once' -r -F
complete -c hush -n "__hush_at 'client remove'" -s y -l yes -d 'do not ask'
complete -c hush -n "__hush_at 'policy check'" -l strict -d 'let warnings count: exit code 1'
complete -c hush -n "__hush_at 'policy check' 0" -F
complete -c hush -n "__hush_at 'policy explain'" -l tenant -d 'the tenant of what is encrypted' -x
complete -c hush -n "__hush_at 'policy explain'" -l enrolled -d 'as if its handshake had proved an enrolled key'
complete -c hush -n "__hush_at 'policy explain'" -l config -d 'the config (else the one of this home)' -r -F
complete -c hush -n "__hush_at 'policy explain' 2" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'policy test'" -l config -d 'the config (else the one of this home)' -r -F
complete -c hush -n "__hush_at 'policy test' 0" -F
complete -c hush -n "__hush_at 'grant'" -l for -d 'for how long: 30s, 10m, 8h, 7d' -x
complete -c hush -n "__hush_at 'profile activate' 0" -a '(__hush_ask profile)'
complete -c hush -n "__hush_at 'profile deactivate' 0" -a '(__hush_ask profile)'
complete -c hush -n "__hush_at 'profile delete'" -l yes -d 'confirm that all of it is to be destroyed'
complete -c hush -n "__hush_at 'profile delete' 0" -a '(__hush_ask profile)'
complete -c hush -n "__hush_at 'slot add'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'slot add'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'slot add'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'slot add'" -l by-recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'slot add'" -l new-passphrase -d 'the new secret is a passphrase, typed twice or the last line (the default)'
complete -c hush -n "__hush_at 'slot add'" -l new-key-file -d 'the new secret is the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'slot add'" -l generate -d 'make that file, with a random key'
complete -c hush -n "__hush_at 'slot add'" -l recovery -d 'the new secret is a recovery key, made and shown once'
complete -c hush -n "__hush_at 'slot add'" -l label -d 'what to call it (else by its kind)' -x
complete -c hush -n "__hush_at 'slot change'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'slot change'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'slot change'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'slot change'" -l by-recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'slot change'" -l new-passphrase -d 'the new secret is a passphrase, typed twice or the last line (the default)'
complete -c hush -n "__hush_at 'slot change'" -l new-key-file -d 'the new secret is the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'slot change'" -l generate -d 'make that file, with a random key'
complete -c hush -n "__hush_at 'slot remove'" -s y -l yes -d 'do not ask'
complete -c hush -n "__hush_at 'slot group'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'slot group'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'slot group'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'slot group'" -l by-recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'slot group'" -s y -l yes -d 'do not ask'
complete -c hush -n "__hush_at 'slot ungroup'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'slot ungroup'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'slot ungroup'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'slot ungroup'" -l by-recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'keys status'" -l keyring -d 'the keyring whose keys are listed (default)' -x
complete -c hush -n "__hush_at 'keys status'" -l tenant -d 'the keys of this tenant instead of the ones without a tenant' -x
complete -c hush -n "__hush_at 'keys rotate'" -l keyring -d 'the keyring (the daemon'\''s default one)' -x
complete -c hush -n "__hush_at 'keys rotate'" -l vault -d 'the vault key instead: all files anew under it'
complete -c hush -n "__hush_at 'keys rotate'" -l no-wait -d 'do not wait until all is sealed anew'
complete -c hush -n "__hush_at 'keys rotate'" -s y -l yes -d 'do not ask'
complete -c hush -n "__hush_at 'keys retire'" -l keyring -d 'the keyring of the key (default)' -x
complete -c hush -n "__hush_at 'keys retire'" -l tenant -d 'the tenant of the key (none)' -x
complete -c hush -n "__hush_at 'keys retire'" -l legacy -d 'a legacy key, from before data keys'
complete -c hush -n "__hush_at 'keys retire'" -l yes -d 'confirm that it is to be destroyed'
complete -c hush -n "__hush_at 'keys rewrap'" -l stdin -d 'read the handles from standard input'
complete -c hush -n "__hush_at 'keys rewrap'" -l keyring -d 'the keyring of the handles (default)' -x
complete -c hush -n "__hush_at 'keys rewrap'" -l keep-going -d 'write a line that fails as {"error":…,"line":n,…}, and go on'
complete -c hush -n "__hush_at 'keys adopt'" -l stdin -d 'read the handles from standard input'
complete -c hush -n "__hush_at 'keys adopt'" -l keyring -d 'the keyring of the handles (default)' -x
complete -c hush -n "__hush_at 'keys adopt'" -l keep-going -d 'write a line that fails as {"error":…,"line":n,…}, and go on'
complete -c hush -n "__hush_at 'keys adopt'" -l key-file -d 'the key that sealed them: 32 bytes in hex or base64 (else OS_SECRET_KEY)' -r -F
complete -c hush -n "__hush_at 'keys shred'" -l tenant -d 'the tenant' -x
complete -c hush -n "__hush_at 'keys shred'" -l keyring -d 'in this keyring only (every one that has keys for the tenant)' -x
complete -c hush -n "__hush_at 'keys shred'" -l yes -d 'confirm that they are to be destroyed; with --confirm it does not ask'
complete -c hush -n "__hush_at 'keys shred'" -l confirm -d 'the tenant once more' -x
complete -c hush -n "__hush_at 'keys reopen'" -l tenant -d 'the tenant' -x
complete -c hush -n "__hush_at 'keys reopen'" -l keyring -d 'in this keyring only (every one where its keys were destroyed)' -x
complete -c hush -n "__hush_at 'keys reopen'" -s y -l yes -d 'do not ask'
complete -c hush -n "__hush_at 'run'" -l only -d 'only these secrets: names, or patterns with * and ?' -x
complete -c hush -n "__hush_at 'run'" -l map -d 'let the secret NAME become the variable ENV' -x
complete -c hush -n "__hush_at 'run'" -l prefix -d 'put this before the names of variables that are not mapped' -x
complete -c hush -n "__hush_at 'run'" -l scope -d 'the scope of the secrets: global, ws:ID or pr:ID' -x
complete -c hush -n "__hush_at 'run'" -l env-file -d 'variables from a file, with references hush://… replaced' -r -F
complete -c hush -n "__hush_at 'run'" -l references-only -d 'no secret by its name: only what references name'
complete -c hush -n "__hush_at 'run'" -l pristine -d 'let the command inherit nothing but PATH, HOME and the like'
complete -c hush -n "__hush_at 'run'" -l watch -d 'start the command again when a value that it was given changes'
complete -c hush -n "__hush_at 'run'" -l interval -d 'how often --watch looks' -x
complete -c hush -n "__hush_at 'run'" -l no-masking -d 'let the command have the terminal, and show values that it prints'
complete -c hush -n "__hush_at 'run' 0+" -a '(__fish_complete_subcommand)'
complete -c hush -n "__hush_at 'env'" -l only -d 'only these secrets: names, or patterns with * and ?' -x
complete -c hush -n "__hush_at 'env'" -l map -d 'let the secret NAME become the variable ENV' -x
complete -c hush -n "__hush_at 'env'" -l prefix -d 'put this before the names of variables that are not mapped' -x
complete -c hush -n "__hush_at 'env'" -l scope -d 'the scope of the secrets: global, ws:ID or pr:ID' -x
complete -c hush -n "__hush_at 'env'" -l env-file -d 'variables from a file, with references hush://… replaced' -r -F
complete -c hush -n "__hush_at 'env'" -l references-only -d 'no secret by its name: only what references name'
complete -c hush -n "__hush_at 'env'" -l format -d 'shell, dotenv or json' -x
complete -c hush -n "__hush_at 'env'" -s o -l output -d 'write to a file of mode 0600' -r -F
complete -c hush -n "__hush_at 'env'" -l reveal -d 'show values at a terminal'
complete -c hush -n "__hush_at 'inject'" -s i -l input -d 'the file with references; - for standard input' -r -F
complete -c hush -n "__hush_at 'inject'" -s o -l output -d 'the file to write, of mode 0600; - for standard output' -r -F
complete -c hush -n "__hush_at 'inject'" -l reveal -d 'show values at a terminal'
complete -c hush -n "__hush_at 'import'" -l from -d 'where else the values are' -x -a 'pass gopass env'
complete -c hush -n "__hush_at 'import'" -l dry-run -d 'show what is new, changed and unchanged, and store nothing'
complete -c hush -n "__hush_at 'import'" -l overwrite -d 'give secrets that are there with another value a new version'
complete -c hush -n "__hush_at 'import'" -l scope -d 'the scope of the secrets: global, ws:ID or pr:ID (global)' -x
complete -c hush -n "__hush_at 'import'" -l prefix -d 'what their names begin with' -x
complete -c hush -n "__hush_at 'import'" -l all -d 'with --from env: all variables but those of the session'
complete -c hush -n "__hush_at 'import'" -l whole -d 'with --from pass or gopass: whole entries, not their first lines'
complete -c hush -n "__hush_at 'import'" -l legacy -d 'values that were sealed straight under a master key, as JSON lines' -r -F
complete -c hush -n "__hush_at 'import'" -l key-file -d 'with --legacy: the master key that sealed them (else HUSH_LEGACY_KEY)' -r -F
complete -c hush -n "__hush_at 'scan'" -l strict -d 'end with exit code 1 where anything was found or could not be read'
complete -c hush -n "__hush_at 'scan'" -l sarif -d 'print the findings as SARIF 2.1.0'
complete -c hush -n "__hush_at 'scan'" -l rules -d 'list the rules, and look at nothing'
complete -c hush -n "__hush_at 'scan' 0+" -F
complete -c hush -n "__hush_at 'configure'" -l as -d 'SCOPE/NAME of the secret (else global/KEY)' -x -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'configure'" -l backup -d 'keep the file as it was in FILE.bak, of mode 0600'
complete -c hush -n "__hush_at 'configure'" -l force -d 'give the secret a new version where it has another value'
complete -c hush -n "__hush_at 'configure' 0" -F
complete -c hush -n "__hush_at 'keygen'" -l hex -d 'as 64 hex digits instead of base64'
complete -c hush -n "__hush_at 'backup create'" -l force -d 'replace the file, if there is one'
complete -c hush -n "__hush_at 'backup create' 0" -F
complete -c hush -n "__hush_at 'backup verify'" -l open -d 'open it, and prove all that is in it; asks on a terminal'
complete -c hush -n "__hush_at 'backup verify'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'backup verify'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'backup verify'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'backup verify'" -l recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'backup verify' 0" -F
complete -c hush -n "__hush_at 'backup restore'" -l open -d 'open it, and prove all that is in it; asks on a terminal'
complete -c hush -n "__hush_at 'backup restore'" -l key-file -d 'open it with the 32-byte key in this file' -r -F
complete -c hush -n "__hush_at 'backup restore'" -l passphrase-stdin -d 'open it with a passphrase, one line of standard input'
complete -c hush -n "__hush_at 'backup restore'" -l recovery-stdin -d 'open it with a recovery key, one line after the passphrases'
complete -c hush -n "__hush_at 'backup restore'" -l recovery -d 'open it with a recovery key, typed at a hidden prompt'
complete -c hush -n "__hush_at 'backup restore'" -l replace -d 'over a later state of the same vault, which is kept aside; its keys stay in use'
complete -c hush -n "__hush_at 'backup restore'" -s y -l yes -d 'do not ask, and go ahead without secrets whose keys were destroyed since'
complete -c hush -n "__hush_at 'backup restore' 0" -F
complete -c hush -n "__hush_at 'audit tail'" -s n -l lines -d 'so many of them' -x
complete -c hush -n "__hush_at 'audit tail'" -s f -l follow -d 'go on with those that come, until it is interrupted'
complete -c hush -n "__hush_at 'audit tail'" -l client -d 'only of clients whose name matches' -x
complete -c hush -n "__hush_at 'audit tail'" -l key -d 'only about what matches: <scope>/<name>, or <keyring>/<namespace>/<key>' -x
complete -c hush -n "__hush_at 'audit tail'" -l event -d 'only of operations and events that match: secret.get, keys.*' -x
complete -c hush -n "__hush_at 'audit tail'" -l outcome -d 'only with this outcome: ok, denied or failed' -x
complete -c hush -n "__hush_at 'audit tail'" -l code -d 'only with an error code that matches: ACCESS_DENIED, WRONG_*' -x
complete -c hush -n "__hush_at 'audit tail'" -l since -d 'only from then on: 2026-01-31, 2026-01-31T08:00:00Z, or 90s, 30m, 12h, 7d ago' -x
complete -c hush -n "__hush_at 'audit tail'" -l until -d 'only before then; a day without a time is meant with all of its hours' -x
complete -c hush -n "__hush_at 'audit tail'" -l daemon -d 'the audit of the daemon itself: starts, reloads, unknown peers, failed unlocks'
complete -c hush -n "__hush_at 'audit search'" -l client -d 'only of clients whose name matches' -x
complete -c hush -n "__hush_at 'audit search'" -l key -d 'only about what matches: <scope>/<name>, or <keyring>/<namespace>/<key>' -x
complete -c hush -n "__hush_at 'audit search'" -l event -d 'only of operations and events that match: secret.get, keys.*' -x
complete -c hush -n "__hush_at 'audit search'" -l outcome -d 'only with this outcome: ok, denied or failed' -x
complete -c hush -n "__hush_at 'audit search'" -l code -d 'only with an error code that matches: ACCESS_DENIED, WRONG_*' -x
complete -c hush -n "__hush_at 'audit search'" -l since -d 'only from then on: 2026-01-31, 2026-01-31T08:00:00Z, or 90s, 30m, 12h, 7d ago' -x
complete -c hush -n "__hush_at 'audit search'" -l until -d 'only before then; a day without a time is meant with all of its hours' -x
complete -c hush -n "__hush_at 'audit search'" -l daemon -d 'the audit of the daemon itself: starts, reloads, unknown peers, failed unlocks'
complete -c hush -n "__hush_at 'audit stats'" -l client -d 'only of clients whose name matches' -x
complete -c hush -n "__hush_at 'audit stats'" -l key -d 'only about what matches: <scope>/<name>, or <keyring>/<namespace>/<key>' -x
complete -c hush -n "__hush_at 'audit stats'" -l event -d 'only of operations and events that match: secret.get, keys.*' -x
complete -c hush -n "__hush_at 'audit stats'" -l outcome -d 'only with this outcome: ok, denied or failed' -x
complete -c hush -n "__hush_at 'audit stats'" -l code -d 'only with an error code that matches: ACCESS_DENIED, WRONG_*' -x
complete -c hush -n "__hush_at 'audit stats'" -l since -d 'only from then on: 2026-01-31, 2026-01-31T08:00:00Z, or 90s, 30m, 12h, 7d ago' -x
complete -c hush -n "__hush_at 'audit stats'" -l until -d 'only before then; a day without a time is meant with all of its hours' -x
complete -c hush -n "__hush_at 'audit stats'" -l daemon -d 'the audit of the daemon itself: starts, reloads, unknown peers, failed unlocks'
complete -c hush -n "__hush_at 'audit export'" -l format -d 'jsonl: the very lines of the files; csv: a table with a head' -x
complete -c hush -n "__hush_at 'audit export'" -l client -d 'only of clients whose name matches' -x
complete -c hush -n "__hush_at 'audit export'" -l key -d 'only about what matches: <scope>/<name>, or <keyring>/<namespace>/<key>' -x
complete -c hush -n "__hush_at 'audit export'" -l event -d 'only of operations and events that match: secret.get, keys.*' -x
complete -c hush -n "__hush_at 'audit export'" -l outcome -d 'only with this outcome: ok, denied or failed' -x
complete -c hush -n "__hush_at 'audit export'" -l code -d 'only with an error code that matches: ACCESS_DENIED, WRONG_*' -x
complete -c hush -n "__hush_at 'audit export'" -l since -d 'only from then on: 2026-01-31, 2026-01-31T08:00:00Z, or 90s, 30m, 12h, 7d ago' -x
complete -c hush -n "__hush_at 'audit export'" -l until -d 'only before then; a day without a time is meant with all of its hours' -x
complete -c hush -n "__hush_at 'audit export'" -l daemon -d 'the audit of the daemon itself: starts, reloads, unknown peers, failed unlocks'
complete -c hush -n "__hush_at 'audit verify'" -l against -d 'a line of hush audit checkpoint, or a file of such lines' -x
complete -c hush -n "__hush_at 'audit verify' 0+" -F
complete -c hush -n "__hush_at 'audit checkpoint'" -l daemon -d 'the audit of the daemon itself: starts, reloads, unknown peers, failed unlocks'
complete -c hush -n "__hush_at 'door age new' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'door age identity' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'door aws' 0" -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'door ssh-agent'" -l socket -d 'listen here (else beside the socket of the daemon, as ssh-agent.sock)' -r -F
complete -c hush -n "__hush_at 'door ssh-agent'" -l only -d 'offer these keys: SCOPE/NAME, with `*` (else global/ssh.*); may be given again' -x
complete -c hush -n "__hush_at 'door ssh-agent'" -l wait -d 'how long a signature waits for an approval (60s)' -x
complete -c hush -n "__hush_at 'door ssh-agent'" -l public -d 'print the key'\''s public half, as authorized_keys takes it, and end' -x -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'door ssh-agent'" -l generate -d 'make a key, keep it there, print its public half, and end' -x -a '(__hush_ask secret)'
complete -c hush -n "__hush_at 'door ssh-agent'" -l type -d 'with --generate: ed25519 (the default) or rsa' -x
complete -c hush -n "__hush_at 'door ssh-agent'" -l bits -d 'with --type rsa: 2048 to 4096 (3072)' -x
complete -c hush -n "__hush_at 'door ssh-agent'" -l comment -d 'with --generate: what the key is called (else its path)' -x
complete -c hush -n "__hush_at 'door systemd'" -l socket -d 'listen here (else beside the socket of the daemon, as systemd.sock)' -r -F
complete -c hush -n "__hush_at 'door systemd'" -l map -d 'keep the credentials of a unit in another scope than pr:UNIT; may be given again' -x
complete -c hush -n "__hush_at 'completion' 0" -a 'bash zsh fish'
complete -c hush -n "__hush_at 'help' 0" -a 'init start stop status unlock lock set get list history delete restore purge rename copy approve client policy grant revoke profile slot keys run env inject import scan configure keygen backup audit door doctor completion'
