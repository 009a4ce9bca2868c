# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdog-varlink(8).
_pathdog_varlink()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --socket|--listen)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --idle)
            return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "--socket --listen --idle --interface --version --help" -- "$word")
}
complete -o filenames -F _pathdog_varlink pathdog-varlink
