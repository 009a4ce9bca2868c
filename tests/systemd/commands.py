# SPDX-License-Identifier: Apache-2.0
"""The trigger exec in pathdog's unit: what its command may do there, and that nothing of it is left."""

import os
import re

import box

UNIT = "pathdog@commands.service"
COMMAND = "/usr/local/lib/pathdog/probe"
SCRIPT = r"""#!/bin/sh
tried() { name=$1; shift; "$@" >/dev/null 2>&1 && echo "$name: works" >&2 || echo "$name: denied" >&2; }
echo "user: $(id -un)" >&2
tried usr sh -c ': >/usr/new'
tried root sh -c ': >/etc/new'
for place in /run/pathdog/commands /tmp /var/tmp /dev/shm; do
    cp /bin/true $place/program 2>/dev/null
    tried "a program in $place" $place/program
done
tried "a file in /run/pathdog/commands" test -e /run/pathdog/commands/program
tried netlink python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)'
tried 'ip, with a drop-in' ip -4 route show
tried internet python3 -c 'import socket; socket.socket(socket.AF_INET)'
tried namespace unshare --user true
sleep 1000 &
setsid sleep 1000 &
echo ready >&2
wait
"""
DENIED = {"usr", "root", "a program in /run/pathdog/commands", "a program in /tmp", "a program in /var/tmp",
          "a program in /dev/shm", "internet", "namespace"}
WORKS = {"a file in /run/pathdog/commands", "netlink", "ip, with a drop-in"}


def lines(since):
    entries = box.journal(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_WHAT=exec-stderr", since=since)
    return [entry["PATHDOG_TEXT"].split(f"{COMMAND}: ", 1)[1] for entry in entries]


def wait_ready(since):
    box.wait(lambda: "ready" in lines(since), "the command is ready")
    return lines(since)


def processes():
    """All of the unit, by their control group."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup") as file:
                if UNIT in file.read():
                    found.add(int(pid))
        except OSError:
            pass  # it is gone
    return found


def test_a_command_runs_in_the_sandbox():
    box.write(COMMAND, SCRIPT)
    os.chmod(COMMAND, 0o755)
    box.write("/etc/pathdog/commands.conf",
              f"[watchdog]\nnode = /run/commands.sock\n[trigger:exec]\ncommand = {COMMAND}\n")
    box.drop_in(UNIT, "commands", "[Service]\nSystemCallFilter=capset\n")
    since = box.mark()
    box.sh("systemctl", "start", UNIT)
    said = wait_ready(since)
    assert "user: pathdog" in said, said
    found = dict(line.rsplit(": ", 1) for line in said if re.search(": (works|denied)$", line))
    wrong = {name for name in DENIED if found.get(name) != "denied"}
    wrong |= {name for name in WORKS if found.get(name) != "works"}
    assert not wrong, (wrong, found)


def test_a_command_is_gone_with_pathdog():
    before = processes()
    assert len(before) >= 5, before  # pathdog, the helper, the script, two children
    since = box.mark()
    box.sh("systemctl", "kill", "--kill-who=main", "--signal=KILL", UNIT)
    wait_ready(since)
    assert not before & processes(), (before, processes())
    box.sh("systemctl", "stop", UNIT)
    assert box.show(UNIT, "Result") == "success", box.show(UNIT, "Result")
    os.unlink("/etc/pathdog/commands.conf")


TESTS = [test_a_command_runs_in_the_sandbox, test_a_command_is_gone_with_pathdog]
