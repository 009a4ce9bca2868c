# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdog-replay(1).
_pathdog_replay()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --log)
            mapfile -t COMPREPLY < <(compgen -W "text json" -- "$word")
            return ;;
        --plugins)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--config --plugins --log --rtt --version --help" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _pathdog_replay pathdog-replay
