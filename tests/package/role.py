# SPDX-License-Identifier: Apache-2.0
"""The Ansible role, on the machine itself (inside.py has the machine, without pathdog): it installs, says what is
wrong, changes what has changed and nothing else."""

import glob
import json
import os
import re
import shutil

import box
from box import main_pid, mark, sh, wait_node

UNIT = "pathdog.service"
WHERE = "/test/ansible"
ENVIRONMENT = dict(os.environ, LC_ALL="C.UTF-8", HOME="/root", ANSIBLE_NOCOLOR="1", ANSIBLE_PIPELINING="1",
                   ANSIBLE_ROLES_PATH=f"{WHERE}/roles", PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
PLAY = {"pathdog_node": "/run/mynode/pathdog.sock", "pathdog_node_group": "mynode", "pathdog_operators": ["mynode"],
        "pathdog_settings": {"sample_interval": "200ms", "effect_window": "1s", "move_burst": 100},
        "pathdog_sections": {"trigger:route": {"settle": 0}, "trigger:stall": None, "uplink:up0": {"class": "primary"}}}


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def play(changes=None, fails=False):
    """Runs the role; returns {task: what was said} of what changed, or of what failed."""
    variables = {**PLAY, "pathdog_package_files": glob.glob("/test/packages/pathdog_*.deb"), **(changes or {})}
    book = f"{WHERE}/play.yml"
    with open(book, "w") as file:
        json.dump([{"hosts": "localhost", "connection": "local", "gather_facts": False,
                    "roles": [{"role": "pathdog", "vars": variables}]}], file)
    done = sh("ansible-playbook", "-i", "localhost,", book, env=ENVIRONMENT, check=False, timeout=600)
    check((done.returncode != 0) == fails, f"{done.returncode}: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    found = {}
    for part in re.split(r"^(?:TASK|RUNNING HANDLER) \[", done.stdout, flags=re.M)[1:]:
        name, result = part.split("]", 1)
        if re.search(r"^(?:fatal|failed): " if fails else r"^changed: ", result, re.M):
            found[name.split(" : ")[-1]] = result
    return found


def test_role_syntax():
    shutil.copytree("/test/source/contrib/ansible", WHERE)
    sh("apt-get", "-y", "--no-install-recommends", "install", "ansible-core", "python3-apt",
       env=dict(ENVIRONMENT, DEBIAN_FRONTEND="noninteractive"), timeout=600)
    same(sh("ansible-playbook", "--syntax-check", "-i", "edge,", f"{WHERE}/site.yml", env=ENVIRONMENT).returncode, 0)


def test_role_lint():
    sh("apt-get", "-y", "--no-install-recommends", "install", "ansible-lint", env=dict(ENVIRONMENT, DEBIAN_FRONTEND="noninteractive"), timeout=600)
    sh("ansible-lint", "--offline", "--profile", "production", "site.yml", cwd=WHERE, env=ENVIRONMENT, timeout=600)


def test_role_installs_and_starts_it():
    # what the tests before have left
    sh("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")
    sh("systemctl", "daemon-reload")
    since = mark()
    play()
    wait_node("up", since)
    with open("/etc/pathdog/pathdog.conf") as file:
        lines = [line.strip() for line in file if not line.startswith("#") and line.strip()]
    same(lines, ["[watchdog]", "node = /run/mynode/pathdog.sock", "sample_interval = 200ms", "effect_window = 1s",
                 "move_burst = 100", "[trigger:route]", "settle = 0", "[trigger:stall]", "[uplink:up0]", "class = primary"])
    same((sh("systemctl", "is-enabled", UNIT).stdout.strip(), sh("id", "-nG", "mynode").stdout.split()),
         ("enabled", ["mynode", "pathdog"]))


def test_role_changes_nothing_twice():
    pid = main_pid()
    same(play(), {})
    same(main_pid(), pid)


def test_role_takes_a_change_by_reload():
    pid, since = main_pid(), mark()
    changed = play({"pathdog_settings": {**PLAY["pathdog_settings"], "mode": "observe"}})
    same(sorted(changed), ["Configure pathdog", "Reload pathdog"])
    box.wait_entry("PATHDOG_RECORD=notice", "PATHDOG_WHAT=reloaded", since=since)
    same(main_pid(), pid)
    check("observe" in sh("pathdogctl", "mode").stdout, "the mode")


def test_role_restarts_where_it_must():
    pid, since = main_pid(), mark()
    changed = play({"pathdog_settings": {**PLAY["pathdog_settings"], "control": "/run/pathdog/control.sock",
                                         "state_directory": "/run/pathdog/state"}})
    check("Restart pathdog where a reload is not enough" in changed, f"{sorted(changed)}")
    wait_node("up", since)
    check(main_pid() not in (0, pid), "it was not restarted")


def test_role_refuses_what_pathdog_refuses():
    pid = main_pid()
    failed = play({"pathdog_sections": {"trigger:stall": {"starvee": "1s"}}}, fails=True)
    check("starvee: unknown key" in failed["Configure pathdog"], f"{failed}")
    for bad in ({"pathdog_node": ""}, {"pathdog_settings": {"mode": "observe\n[trigger:exec]"}}, {"pathdog_instance": "a/b"}):
        failed = play(bad, fails=True)
        check(failed, f"{bad}")
    with open("/etc/pathdog/pathdog.conf") as file:
        check("starvee" not in file.read(), "it was written")
    same(main_pid(), pid)


def test_role_runs_an_instance():
    play({"pathdog_instance": "branch", "pathdog_node": "/run/branch/pathdog.sock", "pathdog_node_group": "",
          "pathdog_operators": []})
    check(main_pid("pathdog@branch.service"), "it does not run")
    check("/run/branch/pathdog.sock" in sh("pathdogctl", "--instance", "branch", "status", check=False).stdout, "another node")


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
