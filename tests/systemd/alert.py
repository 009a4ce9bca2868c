# SPDX-License-Identifier: Apache-2.0
"""pathdog-alert.service: the program of [alert] in its sandbox; it starts and is reloaded with
pathdog, goes on without it, and a program that forks without end is bounded by the unit."""

import os
import re
import signal

import box
from box import configure, journal, main_pid, mark, sh, show, wait, wait_entry, wait_node, write

UNIT, PATHDOG = "pathdog-alert.service", "pathdog.service"
PROGRAM = "/usr/local/lib/pathdog/alert"

# What it finds in its sandbox, a line each.
PROBE = """#!/usr/bin/python3
import json, os, socket, sys
record = json.load(sys.stdin)
print("given", record["event"], os.environ["PATHDOG_EVENT"], flush=True)
def attempt(what, function):
    try:
        function()
        print("may", what, flush=True)
    except OSError as error:
        print("may not", what, error.strerror, flush=True)
def asks():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.environ["PATHDOG_CONTROL"])
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"version"}\\n')
        print("answer", client.recv(4096).decode().strip())
attempt("an IPv4 socket", lambda: socket.socket(socket.AF_INET))
attempt("ask pathdog", asks)
attempt("write to /run/pathdog", lambda: open("/run/pathdog/x", "w"))
attempt("write to /etc", lambda: open("/etc/x", "w"))
attempt("write to /tmp", lambda: open("/tmp/x", "w"))
attempt("another user", lambda: os.setuid(0))
with open("/proc/self/status") as file:
    for line in file:
        if line.startswith(("CapEff", "NoNewPrivs")):
            print(*line.split())
print("user", os.getuid() not in (0, 65534), os.stat("/run/pathdog").st_uid != os.getuid())
"""


def program(text):
    write(PROGRAM + ".new", text)
    os.chmod(PROGRAM + ".new", 0o755)
    os.rename(PROGRAM + ".new", PROGRAM)


def section(text="on = error\n"):
    write("/etc/pathdog/pathdog.conf.d/alert.conf", f"[alert]\nprogram = {PROGRAM}\ncheck_interval = 1s\n{text}")


def lines(since):
    return [entry["MESSAGE"] for entry in journal(f"_SYSTEMD_UNIT={UNIT}", since=since)]


def wait_line(pattern, since):
    return wait(lambda: [line for line in lines(since) if re.search(pattern, line)],
                f"{pattern} in {UNIT}")[0]


def an_error():
    """Makes pathdog write a notice of level error: a configuration that is bad."""
    configure("cooldown = 5 fortnights")
    sh("systemctl", "reload", PATHDOG, check=False)
    configure()
    sh("systemctl", "reload", PATHDOG)


def test_the_alert_runs_in_a_sandbox_of_its_own():
    configure()
    section()
    program(PROBE)
    sh("systemctl", "restart", PATHDOG)
    since = mark()
    sh("systemctl", "enable", "--now", UNIT)
    wait_line("follows pathdog at /run/pathdog/control.sock", since)
    an_error()
    wait_line("error: .*/alert has ended with status 0", since)
    said = "\n".join(lines(since))
    for wanted in ("given error error", "may not an IPv4 socket", "may ask pathdog", '"run":', "user True True",
                   "may not write to /run/pathdog", "may not write to /etc", "may write to /tmp",
                   "may not another user", "CapEff: 0000000000000000", "NoNewPrivs: 1"):
        assert wanted in said, f"{wanted} is not in\n{said}"
    wait_line("reloaded /etc/pathdog/pathdog.conf", since)  # a reload of pathdog is one of this unit, too
    levels = {entry["PRIORITY"] for entry in journal(f"_SYSTEMD_UNIT={UNIT}", since=since)}
    assert {"5", "6"} <= levels, levels


def test_the_alert_goes_with_pathdog():
    """Started with it; a restart, a crash and a stop it outlives, and follows the next one."""
    pid = main_pid(UNIT)
    since = mark()
    os.kill(main_pid(PATHDOG), signal.SIGKILL)
    wait_line("cannot follow pathdog", since)
    wait_line("follows pathdog", since)
    assert main_pid(UNIT) == pid
    sh("systemctl", "restart", PATHDOG)
    assert main_pid(UNIT) == pid
    sh("systemctl", "stop", PATHDOG)
    assert main_pid(UNIT) == pid
    sh("systemctl", "stop", UNIT)
    assert os.path.exists("/run/pathdog-alert/position.json")
    since = mark()
    sh("systemctl", "start", PATHDOG)
    wait(lambda: show(UNIT, "ActiveState") == "active", "the alert starts with pathdog")
    wait_line("follows pathdog", since)


def tasks():
    """The processes of the unit's user, who has no others."""
    return sh("ps", "-o", "pid=", "-u", str(os.stat(f"/proc/{main_pid(UNIT)}").st_uid)).stdout.split()


def test_an_alert_that_forks_without_end_is_bounded():
    # 300 would be enough to be seen; without a bound the machine is not to suffer for long.
    program("#!/bin/sh\ntrap '' TERM\ni=0\nwhile [ $i -lt 300 ]; do sleep 1000 & i=$((i + 1)); done\nwait\n")
    section("on = error\ntimeout = 2s\n")
    sh("systemctl", "reload", PATHDOG)
    since = mark()
    an_error()
    wait_line("alert: .*[Cc]annot fork", since)
    left = wait_line("error: .*/alert .* and left processes, of which [0-9]+ were killed after [0-9.]+ s", since)
    assert 20 < int(re.search("of which ([0-9]+)", left)[1]) < 64, left
    sh("pathdogctl", "status")  # it does not notice
    wait(lambda: len(tasks()) == 1, "nothing of it is left")


def test_the_alert_is_for_an_instance_too():
    configure(name="second", runtime="pathdog/second")
    write("/etc/pathdog/second.conf.d/alert.conf", f"[alert]\nprogram = {PROGRAM}\n")
    since = mark()
    sh("systemctl", "enable", "pathdog-alert@second")
    sh("systemctl", "start", "pathdog@second")
    wait_entry("_SYSTEMD_UNIT=pathdog-alert@second.service", since=since)
    wait(lambda: any("follows pathdog at /run/pathdog/second/control.sock" in entry["MESSAGE"] for entry in
                     journal("_SYSTEMD_UNIT=pathdog-alert@second.service", since=since)), "it follows")
    sh("systemctl", "stop", "pathdog@second")
    sh("systemctl", "disable", "pathdog-alert@second")


def test_the_alert_is_sealed():
    security = sh("systemd-analyze", "security", "--no-pager", UNIT).stdout
    exposure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", security)[1])
    assert exposure < 1.5, security
    sh("systemctl", "disable", "--now", UNIT)
    os.unlink("/etc/pathdog/pathdog.conf.d/alert.conf")
    sh("systemctl", "reload", PATHDOG)


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
