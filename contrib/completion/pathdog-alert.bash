# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdog-alert(8).
_pathdog_alert()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --config | -c)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --instance)
            return ;;
        --test)
            if [[ $word != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "broken pathdog-down node-down node-silent
                    peers-silent error uplink-silent uplink-down look stalled worse failed
                    uplink-penalty uplink-slow dead warning move uplink-held uplink-released
                    uplink-proven uplink-up peers-heard node-answers node-up pathdog-up ok" -- "$word")
                return
            fi ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "--config --instance --check --test --version --help" -- "$word")
}
complete -o filenames -F _pathdog_alert pathdog-alert
