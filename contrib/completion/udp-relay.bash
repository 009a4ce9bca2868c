# SPDX-License-Identifier: Apache-2.0
# bash completion for udp-relay(8) and udp-relayctl(1).
_udp_relay()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --log)
            mapfile -t COMPREPLY < <(compgen -W "text journal" -- "$word")
            return ;;
        --service|--offload)
            mapfile -t COMPREPLY < <(compgen -W "yes no" -- "$word")
            return ;;
        --rebind)
            mapfile -t COMPREPLY < <(compgen -W "same-ip register" -- "$word")
            return ;;
        --members|--config|--control)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --bind|--port|--session-timeout-secs|--max-*|--reservation-ttl|--buffer-size|--acl-refresh|--threads)
            return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "--bind --port --session-timeout-secs --max-data --max-duration
        --max-circuits --max-circuits-per-address --reservation-ttl --buffer-size --members --acl-refresh
        --service --rebind --control --config --threads --offload --log --version --help" -- "$word")
}
complete -o filenames -F _udp_relay udp-relay

_udp_relayctl()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    if [[ $before == --socket ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--socket --json --version --help" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "status sessions metrics" -- "$word")
    fi
}
complete -o filenames -F _udp_relayctl udp-relayctl
