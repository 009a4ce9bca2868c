#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A laboratory of network namespaces: a node with two uplinks, a router, remote peers, and a
# netshim on each uplink. Sourced by tests and demos, or run as `lab.sh`; see README.md.
# Needs root, iproute2 and the built netshim ($NETSHIM, or in $PATH). Functions return 1 and
# say why on stderr; they never exit, install no trap, and change no shell option.

LAB_DIR=${LAB_DIR:-}       # all state is here; set by lab_create or lab_attach
LAB_PREFIX=${LAB_PREFIX:-} # the namespaces are $LAB_PREFIX-host, -net, -peer, -wire
LAB_SPAWNED=               # set by lab_spawn

_lab_error() {
    echo "lab: $*" >&2
    return 1
}

_lab_netshim() {
    if [[ -n ${NETSHIM:-} ]]; then
        echo "$NETSHIM"
    else
        command -v netshim
    fi
}

# _lab_uplink_number NAME: 1 for up0, 2 for up1
_lab_uplink_number() {
    case ${1:-} in
    up0) echo 1 ;;
    up1) echo 2 ;;
    *) _lab_error "'${1:-}' is not an uplink; there are up0 and up1" ;;
    esac
}

_lab_is_there() {
    [[ -n $LAB_DIR && -f $LAB_DIR/prefix ]] || _lab_error "no lab; use lab_create or lab_attach"
}

_lab_namespace_add() {
    local name=$LAB_PREFIX-$1

    ip netns add "$name" || return 1
    echo "$name" >>"$LAB_DIR/namespaces"
    # Before there is an interface, so that each one starts with these. accept_dad: an address
    # that is still tentative would make the first second of a test special.
    ip netns exec "$name" sysctl -q -w \
        net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
        net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
        net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0 || return 1
    case $1 in
    net)
        ip netns exec "$name" sysctl -q -w \
            net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
            net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
        ;;
    wire)
        # A wire has no address and says nothing of its own.
        ip netns exec "$name" sysctl -q -w \
            net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
        ;;
    esac || return 1
    ip -n "$name" link set lo up
}

# One frame is one packet, so that loss and order are those of packets; LAB_GSO=on keeps the
# kernel's super-frames of up to 64 KiB, for throughput. Without ethtool the limit of segments
# does the same, but TCP is several times slower with it.
_lab_uplink_segments() {
    [[ ${LAB_GSO:-off} == on ]] && return
    if command -v ethtool >/dev/null; then
        ip netns exec "$1" ethtool -K "$2" tso off gso off tx-udp-segmentation off >/dev/null
    else
        ip -n "$1" link set dev "$2" gso_max_segs 1
    fi
}

# A veth hands frames to the CPU their sender happens to run on, where they overtake each other
# when it moves; one CPU to receive on (RPS) keeps them in order. A kernel may lack it.
_lab_interface_keep_order() {
    # shellcheck disable=SC2016 # $1 and $queue are the inner shell's
    ip netns exec "$1" sh -c 'for queue in /sys/class/net/"$1"/queues/rx-*/rps_cpus; do
        [ ! -w "$queue" ] || echo 1 >"$queue"; done' sh "$2"
}

# _lab_uplink_add NAME NUMBER: host:NAME <-> wire:NAME-h =netshim= wire:NAME-n <-> net:NAME
_lab_uplink_add() {
    local name=$1 number=$2
    local host=$LAB_PREFIX-host net=$LAB_PREFIX-net wire=$LAB_PREFIX-wire

    ip -n "$wire" link add name "$name-h" type veth peer name "$name" netns "$host" &&
        ip -n "$wire" link add name "$name-n" type veth peer name "$name" netns "$net" &&
        _lab_uplink_segments "$host" "$name" &&
        _lab_uplink_segments "$net" "$name" &&
        _lab_interface_keep_order "$host" "$name" &&
        _lab_interface_keep_order "$net" "$name" &&
        _lab_interface_keep_order "$wire" "$name-h" &&
        _lab_interface_keep_order "$wire" "$name-n" &&
        ip -n "$net" address add "10.0.$number.1/24" dev "$name" &&
        ip -n "$net" address add "fd00:$number::1/64" dev "$name" nodad &&
        ip -n "$wire" link set "$name-h" up &&
        ip -n "$wire" link set "$name-n" up &&
        ip -n "$net" link set "$name" up &&
        _lab_shim_start "$name" &&
        lab_link "$name" up
}

# Peers are 10.9.0.2 and fd00:9::2, and so on upwards.
_lab_peers_add() {
    local net=$LAB_PREFIX-net peer=$LAB_PREFIX-peer count=${LAB_PEERS:-8} i

    [[ $count =~ ^[0-9]+$ && $count -ge 1 && $count -le 250 ]] ||
        { _lab_error "LAB_PEERS is '$count', not 1 to 250"; return 1; }
    ip -n "$net" link add name peers type veth peer name peer0 netns "$peer" || return 1
    ip -n "$net" address add 10.9.0.1/24 dev peers || return 1
    ip -n "$net" address add fd00:9::1/64 dev peers nodad || return 1
    _lab_interface_keep_order "$net" peers || return 1
    _lab_interface_keep_order "$peer" peer0 || return 1
    ip -n "$net" link set peers up || return 1
    for ((i = 2; i < count + 2; i++)); do
        echo "address add 10.9.0.$i/24 dev peer0"
        printf 'address add fd00:9::%x/64 dev peer0 nodad\n' "$i"
    done | ip -n "$peer" -batch - || return 1
    ip -n "$peer" link set peer0 up || return 1
    ip -n "$peer" route add default via 10.9.0.1 || return 1
    ip -n "$peer" -6 route add default via fd00:9::1
}

# A process is known by its id and its start time, so that no other one is ever signalled.
_lab_process_start_time() {
    local stat

    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # The name, in parentheses, may hold spaces; the start time is the 20th field after it.
    read -r -a stat <<<"${stat##*) }"
    [[ ${stat[0]} != Z ]] && echo "${stat[19]}"
}

_lab_process_note() {
    echo "$1 $(_lab_process_start_time "$1")" >>"$LAB_DIR/processes"
}

# _lab_wait SECONDS COMMAND…: until COMMAND succeeds
_lab_wait() {
    local deadline=$((SECONDS + $1))

    shift
    until "$@"; do
        ((SECONDS <= deadline)) || return 1
        sleep 0.02
    done
}

_lab_shim_is_settled() {
    grep -qx ready "$LAB_DIR/$1.out" 2>/dev/null || ! _lab_process_start_time "$2" >/dev/null
}

_lab_shim_start() {
    local name=$1 program pid

    program=$(_lab_netshim) || { _lab_error "no netshim: set NETSHIM or PATH"; return 1; }
    # shellcheck disable=SC2086 # LAB_SHIM_OPTIONS is a list of words
    ip netns exec "$LAB_PREFIX-wire" "$program" --control "$LAB_DIR/$name.ctl" \
        ${LAB_SHIM_OPTIONS:-} "$name-h" "$name-n" \
        >"$LAB_DIR/$name.out" 2>"$LAB_DIR/$name.err" </dev/null &
    pid=$!
    _lab_process_note "$pid"
    _lab_wait 10 _lab_shim_is_settled "$name" "$pid"
    grep -qx ready "$LAB_DIR/$name.out" && return
    _lab_error "netshim for $name did not start: $(<"$LAB_DIR/$name.err")"
}

_lab_build() {
    local part

    for part in host net peer wire; do
        _lab_namespace_add "$part" || return 1
    done
    _lab_peers_add && _lab_uplink_add up0 1 && _lab_uplink_add up1 2 && lab_default_route up0
}

# lab_create PREFIX: builds it all; the default route is up0, nothing is delayed or lost.
# Before it: LAB_PEERS=8 addresses of peers, LAB_GSO=on, LAB_SHIM_OPTIONS="--seed 1".
lab_create() {
    local prefix=${1:-} part

    [[ $prefix =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] || { _lab_error "bad prefix '$prefix'"; return 1; }
    [[ -z $LAB_DIR ]] || { _lab_error "there is a lab already, in $LAB_DIR"; return 1; }
    for part in host net peer wire; do
        [[ ! -e /run/netns/$prefix-$part ]] || {
            _lab_error "namespace $prefix-$part exists already: another lab, or what one left behind"
            return 1
        }
    done
    LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/lab-$prefix.XXXXXX") || return 1
    LAB_PREFIX=$prefix
    echo "$prefix" >"$LAB_DIR/prefix"
    _lab_build && return
    _lab_error "$prefix could not be created"
    lab_destroy
    return 1
}

# lab_attach DIR: use the lab that another shell created.
lab_attach() {
    [[ -f ${1:-}/prefix ]] || { _lab_error "no lab in '${1:-}'"; return 1; }
    LAB_DIR=$1
    LAB_PREFIX=$(<"$LAB_DIR/prefix")
}

_lab_part_check() {
    _lab_is_there || return 1
    case ${1:-} in
    host | net | peer | wire) ;;
    *) _lab_error "'${1:-}' is not host, net, peer or wire" ;;
    esac
}

# lab_exec host|net|peer|wire COMMAND…: waits for it. Not with `&`: use lab_spawn.
lab_exec() {
    _lab_part_check "${1:-}" || return 1
    ip netns exec "$LAB_PREFIX-$1" "${@:2}"
}

# lab_spawn host|net|peer|wire COMMAND…: in the background; LAB_SPAWNED is its process id.
# lab_destroy ends it if it still runs.
lab_spawn() {
    _lab_part_check "${1:-}" || return 1
    ip netns exec "$LAB_PREFIX-$1" "${@:2}" &
    LAB_SPAWNED=$!
    _lab_process_note "$LAB_SPAWNED"
}

# lab_default_route up0|up1|none, IPv4 and IPv6
lab_default_route() {
    local number host=$LAB_PREFIX-host

    _lab_is_there || return 1
    if [[ ${1:-} == none ]]; then
        ip -n "$host" route flush default && ip -n "$host" -6 route flush default
        return
    fi
    number=$(_lab_uplink_number "${1:-}") || return 1
    ip -n "$host" route replace default via "10.0.$number.1" dev "$1" &&
        ip -n "$host" -6 route replace default via "fd00:$number::1" dev "$1"
}

# lab_link up0|up1 up|down: the host's end. Down takes the routes over it away, and the IPv6
# addresses; up brings the addresses back, not the default route.
lab_link() {
    local number host=$LAB_PREFIX-host

    _lab_is_there || return 1
    number=$(_lab_uplink_number "${1:-}") || return 1
    case ${2:-} in
    down) ip -n "$host" link set "$1" down ;;
    up)
        ip -n "$host" link set "$1" up &&
            ip -n "$host" address replace "10.0.$number.2/24" dev "$1" &&
            ip -n "$host" address replace "fd00:$number::2/64" dev "$1" nodad
        ;;
    *) _lab_error "lab_link $1: '${2:-}' is not up or down" ;;
    esac
}

# lab_carrier up0|up1 on|off: as if the cable were pulled; addresses and routes stay.
lab_carrier() {
    _lab_is_there && _lab_uplink_number "${1:-}" >/dev/null || return 1
    case ${2:-} in
    on) ip -n "$LAB_PREFIX-wire" link set "$1-h" up ;;
    off) ip -n "$LAB_PREFIX-wire" link set "$1-h" down ;;
    *) _lab_error "lab_carrier $1: '${2:-}' is not on or off" ;;
    esac
}

# lab_source_rules on|off: what the host sends from an uplink's address leaves by that
# uplink, whatever the default route says. Off at first: then the default route decides.
lab_source_rules() {
    local up number family source gateway

    _lab_is_there || return 1
    [[ ${1:-} == on || ${1:-} == off ]] || { _lab_error "lab_source_rules on|off"; return 1; }
    for up in up0 up1; do
        number=$(_lab_uplink_number "$up")
        for family in -4 -6; do
            source=10.0.$number.2 gateway=10.0.$number.1
            [[ $family == -4 ]] || source=fd00:$number::2 gateway=fd00:$number::1
            ip -n "$LAB_PREFIX-host" "$family" rule del from "$source" table "10$number" 2>/dev/null
            [[ $1 == on ]] || continue
            ip -n "$LAB_PREFIX-host" "$family" route replace default via "$gateway" dev "$up" \
                table "10$number" &&
                ip -n "$LAB_PREFIX-host" "$family" rule add from "$source" table "10$number" ||
                return 1
        done
    done
}

# lab_shim up0|up1 COMMAND…: a command of netshim. Direction a is what the host sends, b what
# it receives.
lab_shim() {
    local name=${1:-}

    _lab_is_there && _lab_uplink_number "$name" >/dev/null || return 1
    shift
    "$(_lab_netshim)" ctl "$LAB_DIR/$name.ctl" "$@"
}

# lab_delay up0 100ms, lab_delay up0 a 30ms: one way, so a round trip is twice that.
lab_delay() { lab_shim "${1:-}" delay "${@:2}"; }
lab_jitter() { lab_shim "${1:-}" jitter "${@:2}"; }
lab_loss() { lab_shim "${1:-}" loss "${@:2}"; }
lab_rate() { lab_shim "${1:-}" rate "${@:2}"; }
lab_blackhole() { lab_shim "${1:-}" blackhole "${@:2}"; }
lab_stats() { lab_shim "${1:-}" stats; }

_lab_process_is_gone() {
    [[ $(_lab_process_start_time "$1") != "$2" ]]
}

_lab_process_stop() {
    local pid=$1 start=$2

    _lab_process_is_gone "$pid" "$start" && return
    kill -TERM "$pid" 2>/dev/null
    _lab_wait 5 _lab_process_is_gone "$pid" "$start" || kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null # reaped if it is a child of this shell
    return 0
}

# lab_destroy: ends what lab_create and lab_spawn started, the latest first, and removes what
# was made, however far it came. Safe to call again.
lab_destroy() {
    local pid start name

    [[ -n $LAB_DIR && -d $LAB_DIR ]] || return 0
    if [[ -f $LAB_DIR/processes ]]; then
        while read -r pid start; do
            [[ -n $start ]] && _lab_process_stop "$pid" "$start"
        done < <(tac "$LAB_DIR/processes")
    fi
    if [[ -f $LAB_DIR/namespaces ]]; then
        while read -r name; do
            [[ ! -e /run/netns/$name ]] || ip netns del "$name"
        done <"$LAB_DIR/namespaces"
    fi
    [[ ! -f $LAB_DIR/prefix ]] || rm -rf -- "$LAB_DIR"
    LAB_DIR=
    LAB_PREFIX=
}

_lab_main() {
    local use="use: lab.sh create PREFIX | lab.sh DIR FUNCTION [ARG…]   (lab.sh DIR delay up0 100ms)"

    if [[ $# -eq 2 && $1 == create ]]; then
        lab_create "$2" && echo "$LAB_DIR"
        return
    fi
    if [[ $# -lt 2 || $2 == create || $2 == attach ]] || ! declare -F "lab_$2" >/dev/null; then
        echo "$use" >&2
        return 2
    fi
    if [[ $2 == destroy && ! -d $1 ]]; then
        return 0
    fi
    lab_attach "$1" && "lab_$2" "${@:3}"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    _lab_main "$@"
fi
