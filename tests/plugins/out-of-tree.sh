#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs pathdog's headers, its mock host and its .pc file alone, builds and tests
# contrib/trigger-example against them in a directory of its own, and has pathdog load what
# came out; then a trigger in C++.
#
#   out-of-tree.sh BUILD        meson's build directory, with pathdog in it
set -eu

build=$(realpath "$1")
top=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "out-of-tree: $*" >&2
    exit 1
}

# ---- what a distribution's -dev package would hold, and no more ----
DESTDIR=$work/root meson install -C "$build" --no-rebuild --tags devel --quiet
pc=$(find "$work/root" -name pathdog.pc)
[ -n "$pc" ] || fail "no pathdog.pc was installed"
[ "$(find "$work/root" -path '*/include/*.h' | wc -l)" -eq 4 ] || fail "four headers should be installed"
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$work/root PKG_CONFIG_LIBDIR=$work/none
mockhost=$work/root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=mockhost pathdog)
[ -f "$mockhost" ] || fail "no mock host is where pkg-config says: $mockhost"

# ---- built away from the tree ----
cp -r "$top/contrib/trigger-example" "$work/example"
make -s -C "$work/example"
[ -z "$(readelf -d "$work/example/jitter.so" | grep NEEDED | grep -v 'libc\.so')" ] ||
    fail "the example links more than libc"
exported=$(nm -D --defined-only "$work/example/jitter.so" | cut -d' ' -f3)
[ "$exported" = pathdog_trigger ] || fail "it exports: $exported"
make -s -C "$work/example" check mockhost="$mockhost" >"$work/tested" ||
    fail "make check: $(cat "$work/tested")"
# A test that is not met says so: with another threshold the example's is not.
sed -i.before 's/threshold=30000/threshold=50000/' "$work/example/test-jitter.c"
! make -s -C "$work/example" check mockhost="$mockhost" >"$work/tested" 2>&1 ||
    fail "make check does not fail where the trigger does not do what is tested"
mv "$work/example/test-jitter.c.before" "$work/example/test-jitter.c"
make -s -C "$work/example" install DESTDIR="$work/out"
plugin=$(find "$work/out" -name jitter.so)
case $plugin in
*/pathdog/triggers/jitter.so) ;;
*) fail "installed as $plugin" ;;
esac
chmod -R go-w "$work"

# ---- where pkg-config finds nothing: an error that says so, and nothing goes to the root ----
nothing() { # COMMAND …
    PKG_CONFIG_PATH=$work/none PKG_CONFIG_LIBDIR=$work/none "$@"
}
mkdir "$work/empty"
cp "$top"/contrib/trigger-example/{Makefile,jitter.c} "$work/empty"
for goal in jitter.so install; do
    ! nothing make -s -C "$work/empty" "$goal" DESTDIR="$work/nowhere" >"$work/said" 2>&1 ||
        fail "make $goal goes on without pathdog.pc"
    grep -q 'finds no pathdog.pc' "$work/said" || fail "make $goal does not say what is missing"
done
[ ! -e "$work/nowhere" ] || fail "make install wrote to the root directory"

# ---- the tutorial's own commands; what they would run is only written down ----
mkdir "$work/stubs"
for name in cc install; do
    printf '#!/bin/sh\necho %s "$@" >>"%s"\n' "$name" "$work/ran" >"$work/stubs/$name"
    chmod +x "$work/stubs/$name"
done
sed -n '/^Build it, put it where/,/pathdog --list-triggers/p' "$top/docs/triggers.md" |
    grep '^    ' | grep -v 'pathdog --list' | sed 's/^    //' >"$work/tutorial"
grep -q '^install' "$work/tutorial" || fail "the tutorial's commands are not found"
tutorial() { PATH=$work/stubs:$PATH "$@" sh "$work/tutorial" >"$work/said" 2>&1; }
! tutorial nothing || fail "the tutorial's commands go on without pathdog.pc"
! grep -q ^install "$work/ran" || fail "the tutorial installs somewhere without pathdog.pc"
grep -q 'finds no pathdog.pc' "$work/said" || fail "the tutorial does not say what is missing"
tutorial env || fail "the tutorial's commands: $(cat "$work/said")"
grep -q '^install .*/pathdog/triggers/drops.so$' "$work/ran" || fail "the tutorial: $(cat "$work/ran")"

# ---- loaded ----
pathdog=$build/watchdog/pathdog
check() { # CONFIG-LINE …: writes a config with them in the section and checks it
    {
        printf '[watchdog]\nnode = /run/node.sock\nplugin_directory = %s\n\n' "${plugin%/*}"
        printf '[trigger:jitter]\n'
        printf '%s\n' "$@"
    } >"$work/pathdog.conf"
    "$pathdog" --config "$work/pathdog.conf" --check
}

check 'fraction = 1/8' 'strikes = 4' >"$work/checked" || fail "--check refused it"
grep -q 'trigger:jitter' "$work/checked" || fail "--check does not show the section"
grep -Eq 'fraction.*1/8' "$work/checked" || fail "--check does not show the option"
grep -Eq 'threshold.*30ms' "$work/checked" || fail "--check does not show the default"

"$pathdog" --config "$work/pathdog.conf" --list-triggers >"$work/listed"
grep -q 'the round trips vary too much' "$work/listed" || fail "--list-triggers does not show it"

# Its own table says what is allowed.
status=0
check 'strikes = 0' >"$work/refused" 2>&1 || status=$?
[ "$status" -eq 2 ] || fail "strikes = 0 was not refused (exit status $status)"
grep -q strikes "$work/refused" || fail "the refusal does not say what it is about"

# ---- a trigger in C++ ----
cp "$top/tests/plugins/cpp.cc" "$work/cpp.cc"
# shellcheck disable=SC2046 # several words
${CXX:-c++} -std=c++20 -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden \
    -Wl,-z,defs -nodefaultlibs $(pkg-config --cflags pathdog) -o "${plugin%/*}/cpp.so" "$work/cpp.cc" -lc ||
    fail "a trigger in C++ does not build"
exported=$(nm -D --defined-only "${plugin%/*}/cpp.so" | cut -d' ' -f3 | sort | paste -sd ' ')
[ "$exported" = "pathdog_source pathdog_trigger" ] || fail "the trigger in C++ exports: $exported"
"$pathdog" --config "$work/pathdog.conf" --list-triggers >"$work/listed"
grep -q 'a trigger in C++' "$work/listed" || fail "the trigger in C++ is not loaded: $(cat "$work/listed")"

echo "out-of-tree: built against the installed headers, tested, loaded, listed, checked; C++ too"
