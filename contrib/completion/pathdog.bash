# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdog(8).
_pathdog()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --instance)
            mapfile -t COMPREPLY < <(compgen -W "$(cd /etc/pathdog 2>/dev/null &&
                for file in *.conf; do [ "$file" = pathdog.conf ] || echo "${file%.conf}"; done)" -- "$word")
            return ;;
        --log)
            mapfile -t COMPREPLY < <(compgen -W "auto journal text json" -- "$word")
            return ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W "error warning notice info debug" -- "$word")
            return ;;
        --config|--record)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "--config --instance --log --log-level --observe --record
        --check --list-triggers --json --version --help" -- "$word")
}
complete -o filenames -F _pathdog pathdog
