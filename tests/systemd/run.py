#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pathdog under a real systemd and a real journald: boots a Debian in a container, installs, and
runs tests/systemd/inside.py there.

    run.py BUILD [NAME …]        BUILD: a directory for the installed build, the Debian and the logs

Prints TAP. Without root it is a skip, unless CI=true; all else that goes wrong is a failure. The
host is not changed: what is written goes to the directory, the Debian's network is its own.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import container  # noqa: E402
from container import Trouble, debian, output, run  # noqa: E402

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
TOOLS = ("systemd-nspawn", "debootstrap", "apt-get", "meson", "ninja")
# Beside the libraries that what is built here needs, which are looked up.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "iproute2", "nftables", "procps", "python3", "mandoc",
            "zsh", "systemd-journal-remote")  # the last is for tests/fleet
PATIENCE_S = 600
NODE = "contrib/quic-node/quic-node"


# ---- what is installed ----

def build(directory, log):
    """As README.md says to install it; only what is installed is built, and the node."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        shutil.rmtree(directory, ignore_errors=True)
        run(["meson", "setup", "--prefix=/usr", "--buildtype=release", directory, TOP], log)
    run(["ninja", "-C", directory, "build.ninja"], log)  # as the sources are now
    installed = json.loads(output("meson", "introspect", "--installed", directory))
    inside = directory + os.sep
    targets = [os.path.relpath(path, directory) for path in installed if path.startswith(inside)]
    known = {line.split(": ")[0] for line in output("ninja", "-C", directory, "-t", "targets",
                                                    "all").splitlines()}
    targets = [target for target in targets + [NODE] if target in known]
    if NODE not in targets:
        raise Trouble("there is no quic-node: libngtcp2 or GnuTLS is missing")
    run(["ninja", "-C", directory, *targets], log)


def install(directory, destination, log):
    shutil.rmtree(destination, ignore_errors=True)
    os.mkdir(destination)
    run(["meson", "install", "-C", directory, "--no-rebuild", "--destdir", destination], log)


def files(directory):
    return sorted(os.path.relpath(os.path.join(place, name), directory)
                  for place, directories, names in os.walk(directory)
                  for name in names + directories)


# Where Debian has such things; the triggers are in a directory by architecture.
PLACES = ("etc/pathdog/pathdog.conf.example", "usr/bin/pathdog", "usr/bin/pathdog-replay",
          "usr/bin/pathdog-node-check", "usr/libexec/pathdog/pathdog-exec", "usr/share/man/man1/pathdog-node-check.1",
          "usr/share/doc/pathdog/docs/node-protocol.schema.json",
          "usr/bin/pathdogctl", "usr/include/pathdog/trigger.h",
          "usr/lib/systemd/catalog/pathdog.catalog", "usr/lib/systemd/system/pathdog.service",
          "usr/lib/systemd/system/pathdog@.service", "usr/lib/systemd/system/pathdog-alert.service",
          "usr/lib/systemd/system/pathdog-alert@.service", "usr/bin/pathdog-alert",
          "usr/share/pathdog/alert/webhook", "usr/share/man/man8/pathdog-alert.8", "usr/lib/sysusers.d/pathdog.conf",
          "usr/share/bash-completion/completions/pathdogctl",
          "usr/share/bash-completion/completions/pathdog-node-check",
          "usr/share/bash-completion/completions/pathdog-replay",
          "usr/share/fish/vendor_completions.d/pathdogctl.fish",
          "usr/share/bash-completion/completions/pathdog", "usr/share/fish/vendor_completions.d/pathdog.fish",
          "usr/share/zsh/vendor-completions/_pathdog", "usr/share/zsh/vendor-completions/_flow-node",
          "usr/share/zsh/vendor-completions/_pathdogctl", "usr/share/man/man1/pathdog-replay.1",
          "usr/share/man/man1/pathdogctl.1", "usr/share/man/man5/pathdog.conf.5",
          "usr/share/man/man7/pathdog-trigger.7",
          "usr/share/man/man7/pathdog-verdicts.7", "usr/share/man/man7/pathdog-records.7",
          "usr/share/man/man7/pathdog-journal-fields.7",
          "usr/share/man/man7/pathdog-node-protocol.7", "usr/share/man/man8/pathdog.8",
          "usr/lib/systemd/system/pathdog-metrics.socket", "usr/lib/systemd/system/pathdog-metrics.service",
          "usr/bin/udp-relay", "usr/bin/udp-relayctl", "usr/lib/systemd/system/udp-relay.service",
          "usr/lib/systemd/system/udp-relay.socket", "usr/lib/sysusers.d/udp-relay.conf",
          "usr/share/bash-completion/completions/udp-relay",
          "usr/share/bash-completion/completions/udp-relayctl", "usr/share/man/man1/udp-relayctl.1",
          "usr/share/man/man8/udp-relay.8",
          "usr/bin/flow-node", "usr/lib/systemd/system/flow-node.service", "usr/lib/sysusers.d/flow-node.conf",
          "usr/share/bash-completion/completions/flow-node", "usr/share/man/man8/flow-node.8",
          "usr/share/pkgconfig/pathdog.pc", "usr/share/doc/pathdog/README.md",
          "usr/share/doc/pathdog/docs/records.md")


def misplaced(destination):
    """What is not where Debian expects it, or is where nothing should be."""
    there = [name for name in files(destination) if os.path.isfile(os.path.join(destination, name))]
    return sorted(set(PLACES) - set(there)) + [
        name for name in there if not re.match("usr/(bin|include|lib|libexec|share)/|etc/pathdog/[^/]*$", name)]


def uninstall_leaves(directory, destination, log):
    """The names of what an uninstall leaves."""
    install(directory, destination, log)
    there = files(destination)
    if not any(name.endswith("pathdog.service") for name in there):
        raise Trouble(f"nothing was installed: {there}")
    run(["ninja", "-C", directory, "uninstall"], log)
    return files(destination)


# ---- the Debian ----

def libraries(directory):
    """The packages of the shared objects that the programs need."""
    paths = set()
    programs = [NODE, "watchdog/pathdog", "contrib/flow-node/flow-node"] + [
        f"plugins/{name}" for name in os.listdir(os.path.join(directory, "plugins"))
        if name.endswith(".so")]
    for program in programs:
        for line in output("ldd", os.path.join(directory, program)).splitlines():
            found = re.search(r"=> (/\S+)", line)
            if found:
                paths.update({found[1], os.path.realpath(found[1]),
                              re.sub("^/lib/", "/usr/lib/", found[1])})
    done = subprocess.run(["dpkg-query", "-S", *sorted(paths)], capture_output=True, text=True)
    return {line.split(":")[0] for line in done.stdout.splitlines()}


def boot(root, directory, destination, out, names):
    """Boots, waits for the end of the tests, returns the boot's exit status."""
    shutil.copy(os.path.join(TOP, "README.md"), out)
    return container.boot(root, out, {
        "/test/tests": os.path.join(TOP, "tests"),
        "/test/docs": os.path.join(TOP, "docs"),
        "/test/installed": destination,
        "/test/quic-node": os.path.join(directory, NODE),
    }, "/usr/bin/python3 /test/tests/systemd/inside.py " + " ".join(names), PATIENCE_S)


def prepare(base):
    container.prepare(TOOLS)
    directory, log = os.path.join(base, "install"), os.path.join(base, "logs", "prepare.log")
    if os.path.exists(log):
        os.unlink(log)
    build(directory, log)
    return directory, log, debian(base, {*PACKAGES, *libraries(directory)}, log)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the container
    os.umask(0o022)  # triggers are loaded only from where nobody else may write
    base = os.path.abspath(sys.argv[1])
    out = os.path.join(base, "logs", "container")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    try:
        directory, log, root = prepare(base)
        left = uninstall_leaves(directory, os.path.join(base, "removed"), log)
        install(directory, os.path.join(base, "installed"), log)
        wrong = misplaced(os.path.join(base, "installed"))
    except (Trouble, OSError, subprocess.CalledProcessError) as trouble:
        if os.getuid() != 0 and os.environ.get("CI", "") in ("", "false", "0"):
            print(f"1..0 # SKIP {trouble}")
            return 0
        print(f"1..1\nnot ok 1 - {trouble}")
        return 1
    status = boot(root, directory, os.path.join(base, "installed"), out, sys.argv[2:])
    tap, n = container.tap_of(out)
    sys.stdout.write(tap)
    print(f"{'not ' if left else ''}ok - an uninstall leaves nothing" + f" {left}" * bool(left))
    print(f"{'not ' if wrong else ''}ok - all is where Debian expects it" + f" {wrong}" * bool(wrong))
    if not n:
        print(f"not ok - the container did not get to the end (status {status}), see {out}")
    print(f"# {n} inside and two outside; logs: {out}")
    return 1 if re.search(r"^not ok", tap, re.M) or left or wrong or not n else 0


if __name__ == "__main__":
    sys.exit(main())
