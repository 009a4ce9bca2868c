#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the packages on a Debian; runs inside the container that run.py boots, as root.

    inside.py SUITE

Prints TAP. The tests run in this order, each goes on from what the one before has left.
"""

import glob
import os
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "systemd"))

import box
from box import configure, drop_in, main_pid, mark, sh, show, wait, wait_entry, wait_node

UNIT = "pathdog.service"
PACKAGES = "/test/packages/"
ENVIRONMENT = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", PATH="/usr/sbin:/usr/bin:/sbin:/bin")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def apt(*words):
    return sh("apt-get", "-y", "--no-install-recommends", *words, env=ENVIRONMENT).stdout


def deb(name, below=""):
    found = glob.glob(f"{PACKAGES}{below}{name}_*.deb")
    same(len(found), 1, f"packages {name}: {found}")
    return found[0]


def active(unit):
    return sh("systemctl", "is-active", unit, check=False).stdout.strip()


# ---- install ----

def test_an_install_starts_nothing():
    apt("install", deb("pathdog"))
    same(sh("id", "-gn", "pathdog").stdout.strip(), "pathdog")
    same(active(UNIT), "inactive")
    same(sh("systemctl", "is-enabled", UNIT, check=False).stdout.strip(), "disabled")
    check("/etc/pathdog/pathdog.conf.example" in sh("dpkg-query", "-L", "pathdog").stdout, "no example")
    check(sh("journalctl", "--list-catalog", box.IDS["decision"]).stdout.startswith(box.IDS["decision"]), "no catalog")
    names = [line.split(":")[0] for line in sh("pathdog", "--list-triggers").stdout.splitlines() if line[:1].isalpha()]
    check({"route", "srtt", "stall", "tunnel", "relay", "lease", "exec"} <= set(names), f"triggers: {names}")


def test_the_readmes_steps_start_it():
    box.network()
    sh("useradd", "--system", "mynode")
    box.start_nodes()
    configure()
    drop_in(UNIT, "node", "[Service]\nSupplementaryGroups=mynode\n")
    since = mark()
    sh("systemctl", "enable", "--now", UNIT)
    wait_node("up", since)


def test_a_route_flip_moves_a_connection():
    since = mark()
    box.way_out(1 - box.way_out_now())
    wait_entry(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_RECORD=outcome", "PATHDOG_PEER=bravo", "PATHDOG_OUTCOME=migrated",
               since=since)


# ---- upgrade ----

def test_an_upgrade_keeps_what_it_knew():
    sh("pathdogctl", "hold", "bravo", "--for", "1h")
    before, node = main_pid(), main_pid("alpha.service")
    since = mark()
    apt("install", deb("pathdog", "next/"))
    check(main_pid() not in (0, before), "it was not restarted")
    wait_node("up", since)
    same(main_pid("alpha.service"), node, "the node")
    held = wait(lambda: [line for line in sh("pathdogctl", "peers").stdout.splitlines() if line.startswith("bravo")], "bravo")
    check("held" in held[0], f"the hold is gone: {held}")
    sh("pathdogctl", "release", "bravo")
    test_a_route_flip_moves_a_connection()


def test_the_operators_files_are_kept():
    with open("/etc/pathdog/pathdog.conf") as file:
        check("/run/mynode/pathdog.sock" in file.read(), "the configuration was overwritten")
    with open("/etc/pathdog/pathdog.conf.example", "a") as file:
        file.write("# mine\n")
    apt("-o", "Dpkg::Options::=--force-confold", "install", "--reinstall", deb("pathdog", "next/"))
    with open("/etc/pathdog/pathdog.conf.example") as file:
        check("# mine" in file.read(), "a changed file of /etc was overwritten")


# ---- the others ----

def test_headers_for_triggers():
    apt("install", deb("pathdog-dev"))
    place = sh("pkg-config", "--variable=triggerdir", "pathdog").stdout.strip()
    check(os.path.exists(place + "/route.so"), f"triggers are not in {place}")
    sh("cp", "-r", "/test/source/contrib/trigger-example", "/tmp/")
    sh("make", "-C", "/tmp/trigger-example", "jitter.so", env=ENVIRONMENT)
    with open("/tmp/node.c", "w") as file:
        file.write('#include "/usr/share/pathdog/node-kit/pathdog_node.c"\n')
    sh("gcc", "-fsyntax-only", "/tmp/node.c", env=ENVIRONMENT)


def test_the_relay():
    apt("install", deb("pathdog-udp-relay"))
    same(active("udp-relay.socket"), "inactive")
    sh("systemctl", "enable", "--now", "udp-relay.socket")
    sh("systemctl", "start", "udp-relay.service")
    check(sh("udp-relayctl", "status").stdout, "no status")
    apt("purge", "pathdog-udp-relay")
    same(active("udp-relay.service"), "inactive")
    check(not os.path.exists("/usr/bin/udp-relay"), "it is still there")


def test_the_packages_own_test():
    tree = "/tmp/source"
    sh("cp", "-a", "/test/source", tree)
    os.symlink("contrib/debian", tree + "/debian")
    done = subprocess.run(["autopkgtest", "--no-built-binaries", "--output-dir", "/test/autopkgtest", tree,
                           "--", "null"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, env=ENVIRONMENT)
    said = done.stdout + done.stderr
    check(done.returncode == 0 and "PASS" in said, f"{done.returncode}: {said[-3000:]}")


# ---- remove ----

def test_a_remove_leaves_the_configuration():
    apt("remove", "pathdog")
    same(active(UNIT), "inactive")
    check(not os.path.exists("/usr/bin/pathdog"), "it is still there")
    check(os.path.exists("/etc/pathdog/pathdog.conf.example"), "a file of /etc is gone")
    check(main_pid("alpha.service"), "the node has stopped")


def test_a_purge_leaves_what_the_operator_wrote():
    apt("purge", "pathdog")
    same(sorted(os.listdir("/etc/pathdog")), ["pathdog.conf"])
    check(not os.path.exists("/run/pathdog"), "/run/pathdog is left")
    left = [name for name in sh("sh", "-c", "find / -xdev -name '*pathdog*' -not -path '/test*' -not -path '/proc/*' -not -path '/tmp/*'")
            .stdout.split("\n") if name]
    allowed = ("/etc/pathdog", "/etc/systemd/system/pathdog.service.d", "/run/systemd", "/var/log", "/usr/share/pathdog", "/usr/include/pathdog",
               "/var/lib/dpkg/info/pathdog-dev", "/usr/share/doc/pathdog-dev", "/usr/lib")
    same([name for name in left if not name.startswith(allowed)], [], "left behind")


def main():
    suite = sys.argv[1]
    tests = [(name, value) for name, value in globals().items() if name.startswith("test_")]
    failed = False
    print(f"1..{len(tests)}", flush=True)
    for name, function in tests:
        try:
            function()
            print(f"ok - {suite}: {name}", flush=True)
        except Exception:
            failed = True
            print(f"not ok - {suite}: {name}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
    print("# all were run", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
