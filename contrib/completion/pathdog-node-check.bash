# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdog-node-check(1).
_pathdog_node_check()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --only)
            mapfile -t COMPREPLY < <(compgen -W "$("$1" --list 2>/dev/null | sed 's/ .*//')" -- "$word")
            return ;;
        --timeout) return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--moves --reconnects --only --timeout --json --trace --list \
            --version --help" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _pathdog_node_check pathdog-node-check
