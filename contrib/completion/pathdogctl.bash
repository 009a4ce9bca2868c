# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdogctl(1). Peers' names are asked of the daemon, at most 200.

# Lines of $1 that begin with the current word, escaped for the shell.
_pathdogctl_lines()
{
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line && $line == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
    done <<< "$1"
}

_pathdogctl()
{
    local cur prev words cword command= socket=() i
    local commands='status peers decisions explain migrate hold release mode notify reload check version'
    local verdicts='gone inbound disabled held no-target in-flight merged cooling backing-off damped observing
        queued migrate reconnect superseded expired'

    # by the line, not by bash's words: "@" and ":" are parts of names
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=('')
    cword=$((${#words[@]} - 1)) cur=${words[cword]} prev=${words[cword-1]}

    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --socket|-s) socket=(--socket "${words[i+1]}"); ((i++)) ;;
            --socket=*) socket=("${words[i]}") ;;
            --by|--for|--peer|--peers|--trigger|--verdict|--since|--reason|--interface|--local|--via|--limit|-n)
                ((i++)) ;;
            -*) ;;
            *) [[ $command ]] || command=${words[i]} ;;
        esac
    done

    case $prev in
        --socket|-s) COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2> /dev/null; return ;;
        --by) COMPREPLY=($(compgen -W 'migrate reconnect' -- "$cur")); return ;;
        --for|--since) COMPREPLY=($(compgen -W '1min 10min 1h 1d' -- "$cur")); return ;;
        --verdict) COMPREPLY=($(compgen -W "$verdicts" -- "$cur")); return ;;
        --trigger)
            COMPREPLY=($(compgen -W 'route srtt stall tunnel congestion send-errors operator fallback' -- "$cur"))
            return ;;
        --interface)
            COMPREPLY=($(compgen -W "$(cd /sys/class/net 2> /dev/null && echo *)" -- "$cur")); return ;;
        --peer|--peers)
            _pathdogctl_lines "$(pathdogctl "${socket[@]}" names "$cur" -n 200 2> /dev/null)"
            __pathdogctl_colons; return ;;
        --reason|--local|--via|--limit|-n) return ;;
    esac

    if [[ $cur == -* ]]; then
        local options='--socket --json --help'
        case $command in
            '') options+=' --version' ;;
            peers) options+=' --limit' ;;
            decisions) options+=' --follow --limit --peer --trigger --verdict --since --everything' ;;
            migrate) options+=' --by --interface --local --via --no-wait' ;;
            hold) options+=' --all --for --absent' ;;
            release) options+=' --all' ;;
            notify) options+=' --peers --reason' ;;
        esac
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi

    case $command in
        '') COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
        explain|migrate|hold|release)
            _pathdogctl_lines "$(pathdogctl "${socket[@]}" names "$cur" -n 200 2> /dev/null)"
            __pathdogctl_colons ;;
        mode) COMPREPLY=($(compgen -W 'active observe' -- "$cur")) ;;
        notify)
            if [[ $prev == notify ]]; then
                COMPREPLY=($(compgen -W 'rebind up moved down' -- "$cur"))
            else
                COMPREPLY=($(compgen -W "$(cd /sys/class/net 2> /dev/null && echo *)" -- "$cur"))
            fi ;;
        check) COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2> /dev/null ;;
    esac
}

# Where bash ends words at "@" or ":", it replaces only what comes after the last of them.
__pathdogctl_colons()
{
    local breaks=${COMP_WORDBREAKS//[^@:]/} before i
    [[ $breaks && $cur == *[$breaks]* ]] || return
    before=${cur%"${cur##*[$breaks]}"}
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
}

complete -F _pathdogctl pathdogctl
