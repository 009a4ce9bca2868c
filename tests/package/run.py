#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages, on the oldest and on the newest Debian that they are for: builds them as a
packager would, lets lintian read them, and installs, upgrades, removes and purges them under a real
systemd (tests/package/inside.py), with the packages' own test (contrib/debian/tests) in the middle.

    run.py BUILD [SUITE …]        BUILD: a directory for Debians, packages and logs

Prints TAP. Without root it is a skip, unless CI=true. The host is not changed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import container  # noqa: E402
from container import Trouble, run  # noqa: E402

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
SUITES = ("bookworm", "trixie")
# What a user's Debian has, what pathdog depends on (the boot has no network to get it from), and what the
# QUIC node of the live flip is built with.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "python3", "ethtool", "nftables", "libnl-3-200",
            "libnl-route-3-200", "libjansson4", "autopkgtest", "dpkg-dev", "make", "patch", "xz-utils", "gcc", "libc6-dev", "meson", "ninja-build", "pkg-config",
            "libngtcp2-dev", "libngtcp2-crypto-gnutls-dev", "libgnutls28-dev", "libjansson-dev", "libsystemd-dev",
            "libnl-3-dev", "libnl-route-3-dev")
PATIENCE_S = 900

# The build itself needs the network for apt, and nothing of what it installs is kept.
BUILD = """\
set -eu
export DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS=nocheck
cp -a /source /tmp/source
/tmp/source/contrib/debian/build --install-deps --out /out
apt-get install -y --no-install-recommends lintian </dev/null
lintian --fail-on error,warning --info /out/*.changes >/out/lintian 2>&1 || touch /out/lintian.failed
# The node of the live flips.
meson setup --buildtype=release -Dtests=disabled -Dman=disabled -Dsystemd=disabled /tmp/build /tmp/source
ninja -C /tmp/build contrib/quic-node/quic-node
cp /tmp/build/contrib/quic-node/quic-node /out/
# The same once more, as the next version.
for package in /out/pathdog_*.deb; do
    dpkg-deb -R "$package" /tmp/next
    sed -i 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control
    mkdir /out/next
    dpkg-deb --root-owner-group -b /tmp/next /out/next
done
"""


def sources(place, log):
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    listed = subprocess.run(["git", "-c", f"safe.directory={TOP}", "-C", TOP, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], capture_output=True, check=True).stdout
    names = b"\0".join(name for name in listed.split(b"\0") if name and os.path.lexists(os.path.join(os.fsencode(TOP), name)))
    packed = subprocess.run(["tar", "-C", TOP, "--null", "--no-recursion", "-T", "-", "-cf", "-"], input=names,
                            capture_output=True, check=True).stdout
    subprocess.run(["tar", "-C", place, "-xf", "-", "--no-same-owner"], input=packed, check=True)


def build(root, out, source, log):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(os.path.join(out, "build.sh"), "w") as file:
        file.write(BUILD)
    run(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--as-pid2", "--console=pipe", "--volatile=overlay",
         "--directory", root, "--machine", f"pathdog-package-{os.getpid()}", f"--bind={out}:/out",
         f"--bind-ro={source}:/source", "--setenv=LC_ALL=C.UTF-8", "bash", "/out/build.sh"], log, timeout=PATIENCE_S)


def one(base, suite):
    """Returns (number of tests, failed)."""
    logs, packages = os.path.join(base, "logs", suite), os.path.join(base, "packages-" + suite)
    log, source, out = os.path.join(logs, "build.log"), os.path.join(base, "source"), os.path.join(logs, "container")
    shutil.rmtree(logs, ignore_errors=True)
    os.makedirs(out)
    root = container.debian(base, PACKAGES, log, suite)
    sources(source, log)
    build(root, packages, source, log)
    failed = os.path.exists(os.path.join(packages, "lintian.failed"))
    print(f"{'not ' if failed else ''}ok - {suite}: built, and lintian finds nothing")
    if failed:
        with open(os.path.join(packages, "lintian"), errors="replace") as file:
            print("".join("# " + line for line in file), end="")
    status = container.boot(root, out, {"/test/tests": os.path.join(TOP, "tests"), "/test/packages": packages,
                                        "/test/source": source, "/test/quic-node": os.path.join(packages, "quic-node")},
                            f"/usr/bin/python3 /test/tests/package/inside.py {suite}", PATIENCE_S)
    tap, n = container.tap_of(out)
    print(re.sub(r"^1\.\.\d+\n", "", tap, flags=re.M), end="")
    if not n:
        print(f"not ok - {suite}: the container did not get to the end (status {status}), see {out}")
    return n + 1, failed or not n or re.search(r"^not ok", tap, re.M)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the container
    os.umask(0o022)
    base, total, bad = os.path.abspath(sys.argv[1]), 0, False
    for suite in sys.argv[2:] or SUITES:
        try:
            container.prepare(("systemd-nspawn", "debootstrap", "apt-get", "git"))
            n, failed = one(base, suite)
        except (Trouble, OSError, subprocess.SubprocessError) as trouble:
            if os.getuid() != 0 and os.environ.get("CI", "") in ("", "false", "0"):
                print(f"1..0 # SKIP {trouble}")
                return 0
            n, failed = 1, True
            print(f"not ok - {suite}: {trouble}")
        total, bad = total + n, bad or failed
    print(f"1..{total}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
