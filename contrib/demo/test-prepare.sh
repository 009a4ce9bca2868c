#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prepare.sh, with an apt-get, a dpkg-query and an unshare that are played. Prints TAP.
set -u

. "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
PLACE=$(mktemp -d)
trap 'rm -rf "$PLACE"' EXIT
PATH=$PLACE:$PATH
N=0

# played NAME: a program of that name, with the body from standard input
played() {
    { echo "#!/bin/sh"; cat; } >"$PLACE/$1"
    chmod +x "$PLACE/$1"
}

# says NAME TEXT PATTERN
says() {
    N=$((N + 1))
    # shellcheck disable=SC2053 # a pattern it is meant to be
    if [[ $2 == $3 ]]; then echo "ok $N - $1"; else
        echo "not ok $N - $1"
        printf '# it said: %s\n' "$2"
    fi
}

played dpkg-query <<'TEXT'
case $* in *" here") printf installed ;; *" removed") printf config-files ;; *) exit 1 ;; esac
TEXT
says "what is not installed is missing" "$(packages_missing here removed never | xargs)" "removed never"

# The first two times another apt is at work.
played apt-get <<TEXT
echo "\$*" >>$PLACE/asked
case \$* in *update)
    echo x >>$PLACE/tries
    [ \$(wc -l <$PLACE/tries) -ge 3 ] || {
        echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
        exit 100
    } ;;
esac
TEXT
packages_install one two >/dev/null
says "it waits for another apt, then installs" "$? $(wc -l <"$PLACE/tries") $(tail -n 1 "$PLACE/asked")" \
    "0 3 *Lock::Timeout=*install*one two"

rm "$PLACE/tries"
said=$(PREPARE_PATIENCE_S=0 packages_install one)
says "not for ever" "$? $said" "1 *lists/lock*"

played apt-get <<'TEXT'
echo "E: no network" >&2
exit 100
TEXT
said=$(packages_install one)
says "what apt says is shown, and nothing is waited for" "$? $said" "1 E: no network"

played unshare <<'TEXT'
echo "mount: /: not mount point or bad option." >&2
exit 32
TEXT
said=$(namespaces_work 2>&1)
says "a place without network namespaces is refused" "$?" 1
played grep <<'TEXT'
exit 1
TEXT
said=$(namespaces_work 2>&1)
says "a chroot is told its way out" "$said" "*not a mount point*mount --rbind / */mnt/root*chroot*"
rm "$PLACE/grep"

played unshare </dev/null
says "all is well" "$(namespaces_work 2>&1) $?" " 0"
echo "1..$N"
