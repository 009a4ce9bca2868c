#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the packages on a Debian; runs inside the container that run.py boots, as root. There is no
network but what is made here: what apt installs is in its cache.

    inside.py SUITE [NAME …]      parts of names of tests

Prints TAP. The tests run in this order, each goes on from what the one before has left.
"""

import glob
import json
import os
import re
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "systemd"))

import box
import role
from box import configure, drop_in, main_pid, mark, sh, show, wait, wait_entry, wait_node

UNIT = "pathdog.service"
PACKAGES = "/test/packages/"
NAMES = ("pathdog", "pathdog-dev", "pathdog-flow-node", "pathdog-udp-relay")
ENVIRONMENT = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", HOME="/root",
                   PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def apt(*words):
    return sh("apt-get", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", *words,
              env=ENVIRONMENT, timeout=600).stdout


def deb(name, below=""):
    found = glob.glob(f"{PACKAGES}{below}{name}_*.deb")
    same(len(found), 1, f"packages {name}: {found}")
    return found[0]


def version(name):
    return sh("dpkg-query", "-W", "-f", "${Version}", name).stdout


def active(unit):
    return sh("systemctl", "is-active", unit, check=False).stdout.strip()


def enabled(unit):
    return sh("systemctl", "is-enabled", unit, check=False).stdout.strip()


def files(name):
    return sh("dpkg-query", "-L", name).stdout.splitlines()


def units(name):
    return [os.path.basename(path) for path in files(name) if re.search(r"systemd/system/.*\.(service|socket)$", path)]


def peers():
    """{name: row}, of `pathdogctl peers`."""
    rows = [json.loads(line) for line in sh("pathdogctl", "--json", "peers").stdout.splitlines()]
    return {row["peer"]: row for row in rows if "peer" in row}


def flip_moves():
    """The default route flips, and bravo's connection is moved."""
    since = mark()
    box.way_out(1 - box.way_out_now())
    wait_entry(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_RECORD=outcome", "PATHDOG_PEER=bravo", "PATHDOG_OUTCOME=migrated",
               since=since)


# ---- install ----

def test_an_install_starts_nothing():
    apt("install", *(deb(name, "before/") for name in NAMES))
    for name in NAMES:
        check(version(name).endswith("~before"), f"{name}: {version(name)}")
        for unit in units(name):
            check(active(unit) == "inactive" or "@" in unit, f"{unit} is {active(unit)}")
            check(enabled(unit) in ("disabled", "static", "indirect"), f"{unit} is {enabled(unit)}")
    for user in ("pathdog", "flow-node", "udp-relay"):
        same(sh("id", "-gn", user).stdout.strip(), user)
    same([sorted({"pathdog.service", "pathdog@.service"} - set(units("pathdog"))), units("pathdog-flow-node"),
          sorted(units("pathdog-udp-relay"))], [[], ["flow-node.service"], ["udp-relay.service", "udp-relay.socket"]])
    check("/etc/pathdog/pathdog.conf.example" in files("pathdog"), "no example")
    check(sh("journalctl", "--list-catalog", box.IDS["decision"]).stdout.startswith(box.IDS["decision"]), "no catalog")
    names = [line.split(":")[0] for line in sh("pathdog", "--list-triggers").stdout.splitlines() if line[:1].isalpha()]
    check({"route", "srtt", "stall", "tunnel", "relay", "lease", "exec"} <= set(names), f"triggers: {names}")


def test_every_program_runs_has_a_page_and_a_completion():
    programs = [path for name in NAMES for path in files(name) if path.startswith("/usr/bin/")]
    wanted = {"pathdog", "pathdog-alert", "pathdogctl", "pathdog-replay", "pathdog-node-check",
              "flow-node", "udp-relay", "udp-relayctl"}
    wanted |= {"pathdog-varlink"} if sys.argv[1] == "trixie" else set()  # it needs a newer systemd than Debian 12's
    missing = wanted - {os.path.basename(path) for path in programs}
    check(not missing, f"missing: {missing}")
    for path in programs:
        said = sh(path, "--version").stdout
        check(said.strip(), f"{path} --version says nothing")
        name = os.path.basename(path)
        check(any(re.search(rf"/man/man[18]/{name}\.[18]\.gz$", page) for some in NAMES for page in files(some)),
              f"{name} has no manual page")
        for place in ("bash-completion/completions/{}", "zsh/vendor-completions/_{}", "fish/vendor_completions.d/{}.fish"):
            check(os.path.exists("/usr/share/" + place.format(name)), f"{name} has no " + place.format(name))


def test_the_readmes_steps_start_it():
    box.network()
    sh("useradd", "--system", "mynode")
    box.start_nodes()
    configure()
    drop_in(UNIT, "node", "[Service]\nSupplementaryGroups=mynode\n")
    since = mark()
    sh("systemctl", "enable", "--now", UNIT)
    wait_node("up", since)
    wait(lambda: peers().get("bravo", {}).get("state") == "up", "bravo is up")


def test_a_route_flip_moves_a_connection():
    flip_moves()


# ---- upgrade ----

def test_an_upgrade_keeps_what_it_knew():
    configure(name="branch", node="/run/branch/pathdog.sock", runtime="pathdog/branch")
    sh("systemctl", "start", "pathdog@branch", "udp-relay.socket")
    sockets = [unit for unit in units("pathdog") if unit.endswith(".socket") and "@" not in unit]
    sh("systemctl", "start", UNIT, *sockets)
    sh("pathdogctl", "hold", "bravo", "--for", "1h")
    for unit in (UNIT, "pathdog@branch"):
        same(active(unit), "active", unit)
    before = {name: main_pid(name) for name in (UNIT, "pathdog@branch.service", "alpha.service", "bravo.service")}
    connections = {name: row["conn"] for name, row in peers().items()}
    same(sorted(connections), ["bravo", "delta"])
    since = mark()
    apt("install", *(deb(name) for name in NAMES))
    check(not version("pathdog").endswith("~before"), version("pathdog"))
    wait_node("up", since)
    after = {name: main_pid(name) for name in before}
    for name in (UNIT, "pathdog@branch.service"):
        check(after[name] not in (0, before[name]), f"{name} was not restarted")
    same({name: after[name] for name in ("alpha.service", "bravo.service")},
         {name: before[name] for name in ("alpha.service", "bravo.service")}, "the nodes")
    same((enabled(UNIT), enabled("udp-relay.socket"), enabled("flow-node.service"), active("flow-node.service")),
         ("enabled", "disabled", "disabled", "inactive"))
    for unit in ("udp-relay.socket", *sockets):
        same(active(unit), "active", unit)
    wait(lambda: {name: row["conn"] for name, row in peers().items()} == connections,
         f"the same connections: {connections}")
    check(peers()["bravo"].get("held"), f"the hold is gone: {peers()['bravo']}")
    sh("pathdogctl", "release", "bravo")
    flip_moves()
    sh("systemctl", "stop", "udp-relay.socket")


def test_the_operators_files_are_kept():
    with open("/etc/pathdog/pathdog.conf") as file:
        check("/run/mynode/pathdog.sock" in file.read(), "the configuration was overwritten")
    with open("/etc/pathdog/pathdog.conf.example", "a") as file:
        file.write("# mine\n")
    apt("install", "--reinstall", deb("pathdog"))
    with open("/etc/pathdog/pathdog.conf.example") as file:
        check("# mine" in file.read(), "a changed file of /etc was overwritten")
    check(os.path.exists(f"/etc/systemd/system/{UNIT}.d/node.conf"), "the drop-in is gone")


# ---- the others ----

def test_the_relay():
    sh("systemctl", "enable", "--now", "udp-relay.socket")
    sh("systemctl", "start", "udp-relay.service")
    check(sh("udp-relayctl", "status").stdout, "no status")
    apt("purge", "pathdog-udp-relay")
    for unit in ("udp-relay.service", "udp-relay.socket"):
        same(active(unit), "inactive", unit)
    check(not os.path.exists("/usr/bin/udp-relay"), "it is still there")


def test_the_flow_node():
    sh("systemctl", "start", "flow-node")
    said = sh("flow-node", "--list").stdout
    check("flow" in said.lower() or said.strip(), "no list")
    apt("purge", "pathdog-flow-node")
    same((active("flow-node.service"), os.path.exists("/usr/bin/flow-node")), ("inactive", False))


def test_the_packages_own_tests():
    sh("systemctl", "stop", UNIT)
    tree = "/tmp/source"
    sh("cp", "-a", "/test/source", tree)
    apt("install", "autopkgtest")
    words = ["autopkgtest", "--no-built-binaries", "--output-dir", "/test/autopkgtest", *(deb(name) for name in NAMES),
             tree, "--", "null"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, env=ENVIRONMENT)
    said = done.stdout + done.stderr
    results = dict(re.findall(r"^(flip|trigger) +(PASS|FAIL|SKIP)", said, re.M))
    check(done.returncode == 0 and results == {"flip": "PASS", "trigger": "PASS"}, f"{done.returncode}: {said[-4000:]}")
    sh("systemctl", "start", UNIT)


# ---- remove ----

def test_a_remove_leaves_the_configuration():
    sockets = [unit for unit in units("pathdog") if unit.endswith(".socket") and "@" not in unit]
    apt("remove", "pathdog", "pathdog-dev")
    for unit in (UNIT, "pathdog@branch.service", *sockets):
        check(active(unit) in ("inactive", "failed") and (unit.endswith("socket") or not main_pid(unit)), f"{unit} is {active(unit)}")
    check(not os.path.exists("/usr/bin/pathdog"), "it is still there")
    for name in ("pathdog.conf", "pathdog.conf.example", "branch.conf"):
        check(os.path.exists("/etc/pathdog/" + name), f"{name} is gone")
    check(main_pid("alpha.service"), "the node has stopped")


def test_a_purge_leaves_nothing_but_what_was_written_for_systemd():
    apt("purge", "pathdog")
    found = sh("find", "/", "-xdev", "(", "-path", "/test", "-o", "-path", "/proc", "-o", "-path", "/tmp", "-o", "-path",
               "/var/cache", "-o", "-path", "/sys", ")", "-prune", "-o", "(", "-name", "*pathdog*", "-o", "-name", "udp-relay*",
               "-o", "-name", "flow-node*", ")", "-print", check=False).stdout.split()
    found += glob.glob("/run/pathdog*") + glob.glob("/run/udp-relay*") + glob.glob("/run/flow-node*")
    same(sorted(name for name in found if not name.startswith("/var/log/")),
         [f"/etc/systemd/system/{UNIT}.d"], "left")
    same(sh("dpkg", "--audit").stdout, "")
    for name in NAMES:
        check(sh("dpkg-query", "-W", "-f", "${db:Status-Status}", name, check=False).stdout in ("", "not-installed"), name)


# ---- the image of contrib/container ----

def test_the_containers_image_runs_beside_a_node():
    for unit in (UNIT, "pathdog@branch.service"):
        sh("systemctl", "stop", unit, check=False)  # where the role has left one
    with open(PACKAGES + "image.json") as file:
        image = json.load(file)["OCIv1"]["config"]
    same((image["User"], image["Volumes"], image["StopSignal"]), ("pathdog", {"/run/pathdog": {}}, "SIGTERM"))
    sh("cp", "-a", PACKAGES + "image", "/tmp/image")
    box.write("/tmp/image/etc/pathdog/pathdog.conf",
              "[watchdog]\nnode = /run/mynode/pathdog.sock\n[trigger:route]\nsettle = 0\n[trigger:stall]\n")
    for place in ("/proc", "/dev", "/run/mynode"):
        os.makedirs("/tmp/image" + place, exist_ok=True)
        sh("mount", "--bind", place, "/tmp/image" + place)
    ids = [sh("stat", "-c", f"%{letter}", "/tmp/image/run/pathdog").stdout.strip() for letter in "ug"]
    # without systemd, as its user (who has no capability), and in the node's group
    contained = ["chroot", "--userspec", ":".join(ids), "--groups", sh("id", "-g", "mynode").stdout.strip(), "/tmp/image"]
    since = mark()
    sh("systemd-run", "--quiet", "--unit=image", *contained, *image["Entrypoint"], *image["Cmd"])

    def records():
        return [json.loads(entry["MESSAGE"]) for entry in box.journal("_SYSTEMD_UNIT=image.service", since=since)
                if entry["MESSAGE"].startswith("{")]
    wait(lambda: any(r["record"] == "peer" and r["peer"] == "bravo" and r["state"] == "up" for r in records()), "bravo is up")
    box.way_out(1 - box.way_out_now())
    wait(lambda: any(r["record"] == "outcome" and r["peer"] == "bravo" and r["outcome"] == "migrated" for r in records()),
         "bravo is moved")
    said = sh(*contained, "/usr/bin/pathdogctl", "status", "--check").stdout
    check(said.startswith("ok:"), said)
    sh("systemctl", "stop", "image")


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
# The role begins where nothing is installed; the image is built for one Debian.
TESTS[-1:] = role.TESTS + TESTS[-1:] * os.path.exists(PACKAGES + "image")
if sys.argv[1] != "trixie":
    TESTS.remove(role.test_role_lint)
if sys.argv[2:]:
    TESTS = [test for test in TESTS if any(word in test.__name__ for word in sys.argv[2:])]


def main():
    suite = sys.argv[1]
    print(f"1..{len(TESTS)}", flush=True)
    good = True
    for test in TESTS:
        begin, words = time.monotonic(), test.__name__[5:].replace("_", " ")
        try:
            test()
            print(f"ok - {suite}: {words}")
        except Exception:  # pylint: disable=broad-except
            print(f"not ok - {suite}: {words}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="")
            good = False
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
        if not good:  # what follows goes on from there
            break
    with open("/test/journal", "w") as file:
        file.write(sh("journalctl", "--no-pager", "-o", "short-precise", "-n", "20000").stdout)
    print("# all were run" if good else "# what follows was not run", flush=True)


if __name__ == "__main__":
    main()
