# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What contrib/demo/run and tests/run need before they can begin, on a Debian: packages, and a
# place where network namespaces work. Sourced; functions return 1 and say why, they never exit.

# To build everything, and to run it in network namespaces.
PACKAGES_BUILD=(gcc libc6-dev dpkg-dev meson ninja-build pkg-config python3
    libnl-3-dev libjansson-dev libsystemd-dev
    libngtcp2-dev libngtcp2-crypto-gnutls-dev libgnutls28-dev)
PACKAGES_NETWORK=(iproute2 ethtool procps)
# What flow-node is built from, and the router's own firewall.
PACKAGES_GATEWAY=(libmnl-dev libnftables-dev nftables)

PREPARE_PATIENCE_S=${PREPARE_PATIENCE_S:-600} # for another apt to end

# packages_missing NAME …: those that are not installed, one a line
packages_missing() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            echo "$name"
    done
}

# packages_install NAME …: waits while another apt is at work. Its lock on the lists is not one of
# those that DPkg::Lock::Timeout waits for.
packages_install() {
    local said deadline=$((SECONDS + PREPARE_PATIENCE_S))
    local apt=(apt-get -o "DPkg::Lock::Timeout=$PREPARE_PATIENCE_S")

    export DEBIAN_FRONTEND=noninteractive
    until said=$("${apt[@]}" update 2>&1 </dev/null); do
        printf '%s\n' "$said"
        [[ $said == *lists/lock* && $SECONDS -lt $deadline ]] || return 1
        sleep 1
    done
    printf '%s\n' "$said"
    "${apt[@]}" install -y --no-install-recommends "$@" </dev/null
}

# namespaces_work: 1, and on stderr what to do, where `ip netns exec` cannot work: it needs `/` to be
# a mount point, which it is not in a plain chroot.
namespaces_work() {
    local place=/mnt/root said

    if [ ! -e /proc/self/mountinfo ] || [ ! -d /sys/class/net ]; then
        cat >&2 <<TEXT
/proc or /sys is not mounted here, and network namespaces need both:
    mount -t proc proc /proc; mount -t sysfs sys /sys
TEXT
        return 1
    fi
    said=$(unshare --mount --propagation unchanged mount --make-rslave / 2>&1) && return
    if ! grep -q '^[^ ]* [^ ]* [^ ]* [^ ]* / ' /proc/self/mountinfo; then
        cat >&2 <<TEXT
/ is not a mount point here (a chroot?), and network namespaces need one.
Enter this system once more through one, then try again:
    mkdir -p $place && mount --rbind / $place && chroot $place
or, from outside, enter it with systemd-nspawn -D instead of chroot.
TEXT
        return 1
    fi
    echo "network namespaces cannot be used here, as root in a full system or a privileged" \
        "container they could: $said" >&2
    return 1
}
