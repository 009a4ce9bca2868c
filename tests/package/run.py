#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages, on the oldest and on the newest Debian that they are for: builds them as a packager
would, has lintian read them, and installs, upgrades, removes and purges them under a real systemd
(inside.py), with the packages' own tests (contrib/debian/tests) and the Ansible role in the middle.

    run.py BUILD [SUITE …]        BUILD: a directory for Debians, packages and logs

Prints TAP. Without root it is a skip, unless CI=true. The host is not changed.
"""

import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import container  # noqa: E402
from container import Trouble  # noqa: E402

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
SUITES = ("bookworm", "trixie")
# A Debian of a user, with what the tests do by; nothing that pathdog depends on, that is apt's matter.
USERS = ("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "python3")
# Beside what contrib/debian/tests/control names. The boot has no network: apt has them in its cache.
LATER = ("autopkgtest", "dpkg-dev", "ansible-core", "python3-apt")
LINT = {"trixie": ("ansible-lint",)}  # Debian 12's knows other rules
QUIC_NODE = ("gcc", "libc6-dev", "meson", "ninja-build", "pkg-config", "libjansson-dev", "libnl-3-dev", "libsystemd-dev",
             "libngtcp2-dev", "libngtcp2-crypto-gnutls-dev", "libgnutls28-dev")
ARCHIVES = "/var/cache/apt/archives"
PATIENCE_S = 900

BUILD = f"""\
apt-get update
apt-get install -y --no-install-recommends lintian {' '.join(QUIC_NODE)}
cp -a /source /tmp/source
DEB_BUILD_OPTIONS=nocheck /tmp/source/contrib/debian/build --install-deps --keep --out /tmp/built
cp /tmp/built/*.deb /out/
lintian --allow-root --fail-on error,warning --display-info --tag-display-limit 0 /tmp/built/*.changes >/out/lintian 2>&1 ||
    touch /out/lintian.failed
# The same as an earlier version: what differs is the changelog.
cd /tmp/built/pathdog-*
sed -i '1s/(\\([^)]*\\))/(\\1~before)/' debian/changelog
DEB_BUILD_OPTIONS='nocheck noautodbgsym' dpkg-buildpackage -us -uc -b -nc
mkdir /out/before
cp ../*~before_*.deb /out/before/
# The node of the live flips, with its libraries: what pathdog depends on is not to be there by chance.
meson setup --buildtype=release -Dtests=disabled -Dtop=disabled -Dflow-node=disabled -Dman=disabled -Dsystemd=disabled /tmp/node /tmp/source
ninja -C /tmp/node contrib/quic-node/quic-node
mkdir /out/node
cp /tmp/node/contrib/quic-node/quic-node /out/node/
cp $(ldd /out/node/quic-node | sed -n 's/.*=> \\(\\S*\\) .*/\\1/p' | grep -v '/libc\\.so') /out/node/
printf '#!/bin/sh\\nLD_LIBRARY_PATH=/test/packages/node exec /test/packages/node/quic-node "$@"\\n' >/out/quic-node
chmod 0755 /out/quic-node
"""

# The recipe of the container, by Debian's own buildah, on the Debian that is there: it gets no image from anywhere.
# (The limits are those that it may set in a container, other than its defaults.)
IMAGE_SUITE = "trixie"
IMAGE = """\
apt-get update
apt-get install -y --no-install-recommends buildah netavark
built() { buildah --storage-driver vfs "$@"; }
tar -C /base --one-file-system --exclude='./run/*' -cf /tmp/base.tar .
base=$(built from scratch)
built add --quiet "$base" /tmp/base.tar /
built commit --quiet "$base" localhost/debian
built build --isolation chroot --network host --ulimit nproc=4096:4096 --ulimit nofile=1024:1024 --build-arg DEBIAN=localhost/debian --pull=never \
    -f /source/contrib/container/Containerfile -t pathdog /source
image=$(built from localhost/pathdog)
cp -a "$(built mount "$image")" /out/image
built inspect "$image" >/out/image.json
"""


def sources(place):
    """The sources as they are here, also what git does not know yet, with a folder debian."""
    os.makedirs(place)
    listed = subprocess.run(["git", "-c", f"safe.directory={TOP}", "-C", TOP, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], capture_output=True, check=True).stdout
    names = b"\0".join(name for name in listed.split(b"\0") if name and os.path.lexists(os.path.join(os.fsencode(TOP), name)))
    packed = subprocess.run(["tar", "-C", TOP, "--null", "--no-recursion", "-T", "-", "-cf", "-"], input=names,
                            capture_output=True, check=True).stdout
    subprocess.run(["tar", "-C", place, "--no-same-owner", "-xf", "-"], input=packed, check=True)
    shutil.copytree(os.path.join(place, "contrib/debian"), os.path.join(place, "debian"))


def tests_depend_on():
    """What the packages' own tests need, beside the packages."""
    with open(os.path.join(TOP, "contrib/debian/tests/control")) as file:
        fields = re.findall(r"^Depends:((?:.*\n)(?: .*\n)*)", file.read(), re.M)
    names = {name.strip() for field in fields for name in field.split(",")}
    return sorted(name for name in names if not name.startswith(("pathdog", "@")))


class Suite:
    """One Debian, from nothing to the last test."""

    def __init__(self, base, name):
        self.base, self.name, self.begin = base, name, time.monotonic()
        self.logs, self.packages = os.path.join(base, "logs", name), os.path.join(base, "packages-" + name)
        self.archives, self.source = os.path.join(base, "archives-" + name), os.path.join(base, "source-" + name)
        self.lines = []
        for place in (self.logs, self.packages, self.source):
            shutil.rmtree(place, ignore_errors=True)
        for place in (self.logs, self.packages, os.path.join(self.archives, "partial")):
            os.makedirs(place, exist_ok=True)
        sources(self.source)

    def log(self, name):
        return os.path.join(self.logs, name + ".log")

    def progress(self, what):
        print(f"# {self.name}: {what} is done ({time.monotonic() - self.begin:.0f} s)", flush=True)

    def contained(self, root, name, script, binds, options=()):
        container.contained(root, f"package-{self.name}-{name}", script, self.log(name), {"/out": self.packages, **binds},
                            options, PATIENCE_S)
        self.progress(name)

    def passing(self, minimal, name, script):
        """In a copy, which is not kept: one directory has one container."""
        root = os.path.join(self.base, f"{name}-{self.name}")
        shutil.rmtree(root, ignore_errors=True)
        container.run(["cp", "-a", minimal, root], self.log(name))
        self.contained(root, name, script, {"/source": self.source, "/base": minimal}, ("--volatile=overlay",))
        shutil.rmtree(root)

    def users(self, minimal):
        """A directory with a user's Debian, made once, and what is installed later in its apt's cache."""
        root = os.path.join(self.base, f"users-{self.name}")
        if not os.path.exists(root):
            half = root + ".half"
            shutil.rmtree(half, ignore_errors=True)
            container.run(["cp", "-a", minimal, half], self.log("users"))
            self.contained(half, "users", "apt-get update; apt-get install -y --no-install-recommends " + " ".join(USERS), {})
            os.rename(half, root)
        self.fetch(root, "fetch-later", [*LATER, *LINT.get(self.name, ()), *tests_depend_on()])
        return root

    def fetch(self, root, name, packages):
        self.contained(root, name, "apt-get update; apt-get install -y --no-install-recommends --download-only "
                       + " ".join(packages), {ARCHIVES: self.archives})

    def point(self, good, what, said=""):
        self.lines.append(f"{'' if good else 'not '}ok - {self.name}: {what}")
        self.lines += ["# " + line for line in said.splitlines()] if not good else []

    def run(self):
        minimal = container.debian(self.base, (), self.log("debootstrap"), self.name)
        self.progress("debootstrap")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            made = [pool.submit(self.users, minimal), pool.submit(self.passing, minimal, "build", BUILD)]
            if self.name == IMAGE_SUITE:
                made.append(pool.submit(self.passing, minimal, "image", IMAGE))
            root, *_ = [one.result() for one in made]
        self.fetch(root, "fetch", ["/out/*.deb"])
        with open(os.path.join(self.packages, "lintian"), errors="replace") as file:
            self.point(not os.path.exists(os.path.join(self.packages, "lintian.failed")), "lintian finds nothing", file.read())
        inside = os.path.join(self.logs, "container")
        os.makedirs(inside)
        status = container.boot(root, inside, {"/test/tests": os.path.join(TOP, "tests"), "/test/packages": self.packages,
                                               "/test/source": self.source,
                                               "/test/quic-node": os.path.join(self.packages, "quic-node")},
                                f"/usr/bin/python3 /test/tests/package/inside.py {self.name}", PATIENCE_S,
                                {ARCHIVES: self.archives}, self.name)
        tap, n = container.tap_of(inside)
        self.lines += [line for line in tap.splitlines() if not line.startswith("1..")]
        if not n:
            self.point(False, f"the container did not get to the end (status {status}), see {inside}")
        self.progress("boot")

    def tap(self):
        """All lines, whatever comes in between."""
        try:
            self.run()
        except (Trouble, OSError, subprocess.SubprocessError) as trouble:
            self.point(False, str(trouble))
        return self.lines


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))  # threads wait for the containers, which end with them
    os.umask(0o022)
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, end="")
        return 0 if sys.argv[1:] in (["--help"], ["-h"]) else 2
    base, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or SUITES
    try:
        container.prepare(("systemd-nspawn", "debootstrap", "apt-get", "git"))
    except Trouble as trouble:
        if os.getuid() != 0 and os.environ.get("CI", "") in ("", "false", "0"):
            print(f"1..0 # SKIP {trouble}")
            return 0
        print(f"1..1\nnot ok 1 - {trouble}")
        return 1
    os.makedirs(base, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        lines = [line for some in pool.map(lambda name: Suite(base, name).tap(), names) for line in some]
    print("\n".join(lines))
    print(f"1..{sum(line.startswith(('ok', 'not ok')) for line in lines)}")
    return 1 if any(line.startswith("not ok") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
