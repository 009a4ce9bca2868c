# SPDX-License-Identifier: Apache-2.0
# bash completion for pathdogctl(1). Peers' names are asked of the daemon, at most 200.

# The line up to the cursor as words without their quoting, by the shell's rules and not by bash's
# COMP_WORDS: "@", ":" and "=" are parts of names. `quote`: the last word is within such quotes;
# `before`: what of it bash leaves as it is when it puts in what is found.
__pathdogctl_split()
{
    local line=${COMP_LINE:0:COMP_POINT} char word= begun= i

    words=() quote= before=
    for ((i = 0; i < ${#line}; i++)); do
        char=${line:i:1}
        if [[ $quote ]]; then
            if [[ $char == "$quote" ]]; then
                quote=
            elif [[ $quote$char == '"\' && ${line:i+1:1} == [\"\\\$\`] ]]; then
                ((++i)) && word+=${line:i:1}
            else
                word+=$char
            fi
            continue
        fi
        case $char in
            [[:blank:]])
                [[ $begun ]] && words+=("$word")
                word= begun= before=
                continue ;;
            [\"\'])
                quote=$char before=$word ;;
            \\)
                ((++i)) && word+=${line:i:1} ;;
            [@\$]) # these bash takes to what comes after them
                [[ $COMP_WORDBREAKS == *"$char"* ]] && before=$word
                word+=$char ;;
            *)
                word+=$char
                [[ $COMP_WORDBREAKS == *"$char"* ]] && before=$word ;;
        esac
        begun=1
    done
    words+=("$word")
}

# What begins with the last word, of the lines of $1, quoted as the shell needs it there.
__pathdogctl_lines()
{
    local line

    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line && $line == "$cur"* ]] || continue
        line=${line#"$before"}
        case $quote in
            \') line=${line//\'/\'\\\'\'} ;;
            \") line=${line//\\/\\\\} line=${line//\"/\\\"} line=${line//\$/\\\$} line=${line//\`/\\\`} ;;
            *) printf -v line %q "$line" ;;
        esac
        COMPREPLY+=("$line")
    done <<< "$1"
}

__pathdogctl_peers()
{
    __pathdogctl_lines "$(pathdogctl "${socket[@]}" names -n 200 -- "$cur" 2> /dev/null)"
}

__pathdogctl_words()
{
    __pathdogctl_lines "$(printf '%s\n' "$@")"
}

__pathdogctl_files()
{
    local i

    compopt -o filenames 2> /dev/null # bash quotes them
    COMPREPLY=($(IFS=$'\n'; compgen -f -- "$cur"))
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
}

__pathdogctl_interfaces()
{
    __pathdogctl_words $(cd /sys/class/net 2> /dev/null && echo *)
}

__pathdogctl_relays()
{
    __pathdogctl_words direct $(pathdogctl "${socket[@]}" --json relays 2> /dev/null |
        grep -o '"relay":"[A-Za-z0-9._@-]*"' | cut -d '"' -f 4 | sort -u)
}

__pathdogctl_uplinks()
{
    __pathdogctl_words $(pathdogctl "${socket[@]}" --json uplinks 2> /dev/null |
        sed -n 's/^{"uplink":"\([A-Za-z0-9._@-]*\)".*/\1/p')
}

__pathdogctl_units()
{
    __pathdogctl_words $(systemctl list-units --all --plain --no-legend 'pathdog.service' 'pathdog@*.service' \
        2> /dev/null | cut -d ' ' -f 1)
}

_pathdogctl()
{
    local IFS=$' \t\n' words quote before cur prev command= subject= socket=() i
    local triggers='route srtt stall tunnel congestion loss send-errors resume lease relay exec operator fallback uplink return shared'
    local commands='status peers top uplinks relays decisions report explain migrate hold release mode notify metrics reload check
        help version'
    local verdicts='gone inbound disabled held no-target in-flight merged cooling backing-off damped awaiting observing
        probing queued migrate reconnect superseded expired'

    __pathdogctl_split
    cur=${words[-1]} prev=${words[-2]}

    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
            --socket|-s) socket=(--socket "${words[++i]}") ;;
            --instance) socket=(--instance "${words[++i]}") ;;
            --socket=*|--instance=*) socket=("${words[i]}") ;;
            --by|--for|--sort|--peer|--peers|--uplink|--trigger|--verdict|--since|--until|--source|--unit|--directory|--file|--config|--output|-o|--reason|--to|--interface|--local|--via|--limit|-n)
                ((i++)) ;;
            -*) ;;
            *) if [[ ! $command ]]; then command=${words[i]}; else subject=${words[i]}; fi ;;
        esac
    done

    case $prev in
        --socket|-s) __pathdogctl_files; return ;;
        --by) __pathdogctl_words migrate reconnect; return ;;
        --for) __pathdogctl_words 1min 10min 1h 1d; return ;;
        --since|--until) __pathdogctl_words 10min 1h 1d today yesterday; return ;;
        --source) __pathdogctl_words auto journal daemon; return ;;
        --directory|--file|--config|--output|-o) __pathdogctl_files; return ;;
        --unit) __pathdogctl_units; return ;;
        --sort)
            case $command in
                top) __pathdogctl_words worst silent rtt name age ;;
                *) __pathdogctl_words worst silent rtt name conn age interface local remote table ;;
            esac
            return ;;
        --verdict) __pathdogctl_words $verdicts; return ;;
        --trigger) __pathdogctl_words $triggers; return ;;
        --interface) __pathdogctl_interfaces; return ;;
        --to|--uplink) __pathdogctl_uplinks; return ;;
        --via) __pathdogctl_relays; return ;;
        --peer|--peers) __pathdogctl_peers; return ;;
        --instance|--reason|--local|--limit|-n) return ;;
    esac

    if [[ $cur == -* ]]; then
        local options='--socket --instance --json --help'
        case $command in
            '') options+=' --version' ;;
            status) options+=' --check' ;;
            peers) options+=' --limit --sort' ;;
            top) options+=' --sort' ;;
            decisions)
                options+=' --follow --limit --peer --trigger --verdict --uplink --since --until --everything'
                options+=' --source --unit --directory --file' ;;
            report) options+=' --since --until --source --unit --directory --file --html --output --config' ;;
            migrate) options+=' --by --to --interface --local --via --no-wait' ;;
            hold) options+=' --all --uplink --for --absent' ;;
            release) options+=' --all --uplink' ;;
            notify) options+=' --peers --reason' ;;
        esac
        __pathdogctl_words $options
        return
    fi

    case $command in
        '')
            __pathdogctl_words $commands ;;
        help) [[ $subject ]] || __pathdogctl_words $commands ;;
        explain|migrate|hold|release) [[ $subject ]] || __pathdogctl_peers ;;
        mode) __pathdogctl_words active observe ;;
        notify)
            if [[ ! $subject ]]; then
                __pathdogctl_words rebind up moved down
            else
                __pathdogctl_interfaces
            fi ;;
        check) __pathdogctl_files ;;
        report) [[ $subject ]] || __pathdogctl_files ;;
    esac
}

complete -F _pathdogctl pathdogctl
