# SPDX-License-Identifier: Apache-2.0
# bash completion for flow-node(8).
_flow_node()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()
    case $before in
        --local)
            mapfile -t COMPREPLY < <(compgen -W "yes no" -- "$word")
            return ;;
        --log)
            mapfile -t COMPREPLY < <(compgen -W "text journal" -- "$word")
            return ;;
        --socket|--config)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --users)
            mapfile -t COMPREPLY < <(compgen -u -- "$word")
            return ;;
        --lan|--uplinks)
            mapfile -t COMPREPLY < <(cd /sys/class/net 2>/dev/null && compgen -W "$(echo *)" -- "$word")
            return ;;
        --name|--ports|--units|--max-flows|--min-*|--end-after|--sample-interval|--table|--mark-mask|--route-table|--rule-priority)
            return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "--socket --name --ports --local --users --units --lan --uplinks
        --max-flows --min-age --min-bytes --end-after --sample-interval --table --mark-mask --route-table
        --rule-priority --log --config --list --check --version --help" -- "$word")
}
complete -o filenames -F _flow_node flow-node
