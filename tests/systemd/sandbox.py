# SPDX-License-Identifier: Apache-2.0
"""What the unit denies, tried: by a program that is run in pathdog's own unit in its place, and
seen in the process that runs. Run as a program, it is the one that tries."""

import ctypes
import json
import mmap
import os
import socket
import sys
import time

PROBE = "/etc/systemd/system/probe.service"


def reason(attempt):
    """None if it could be done, else the error's name."""
    try:
        attempt()
        return None
    except OSError as error:
        return error.strerror
    except OverflowError as error:
        return str(error)


def call(name, *words):
    """A function of the C library that fails with errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*words) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def opened(path, mode="w"):
    def attempt():
        with open(path, mode):
            pass
    return attempt


def denied():
    """What must not work: name → attempt."""
    here = os.getpid()
    return {
        "an IPv4 socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "an IPv6 socket": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
        "a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "memory to write and run": lambda: mmap.mmap(
            -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
        "a file in /etc": opened("/etc/pathdog/new"),
        "a file in /usr": opened("/usr/lib/new"),
        "a file in /var": opened("/var/lib/new"),
        "a file in /run": opened("/run/new"),
        "a plugin of its own": opened("/usr/lib/pathdog.so"),
        "a user's home": lambda: os.listdir("/root"),
        "the kernel's settings": opened("/proc/sys/kernel/panic"),
        "the first process": lambda: os.stat("/proc/1"),
        "a namespace": lambda: call("unshare", 0x10000000),  # CLONE_NEWUSER
        "a mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "another process's memory": lambda: call("ptrace", 16, 1, 0, 0),  # PTRACE_ATTACH
        "another user": lambda: os.setuid(0),
        "a better priority": lambda: os.setpriority(os.PRIO_PROCESS, here, -5),
        "the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        "the name of the host": lambda: socket.sethostname("changed"),
        "a device": opened("/dev/kmsg", "r"),
        "swap": lambda: call("swapon", b"/tmp/none", 0),
    }


def allowed():
    """What it needs."""
    def in_runtime():
        with open("/run/pathdog/probe", "w"):
            pass
        os.unlink("/run/pathdog/probe")
    return {
        "a UNIX socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "the system bus": lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"),
        "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
        "its configuration": opened("/etc/pathdog/pathdog.conf", "r"),
        "its own descriptors": lambda: os.listdir("/proc/self/fd"),
        "its runtime directory": in_runtime,
    }


# ---- the tests ----

def probe():
    """What came of each attempt, made in the unit with another program."""
    import box # only inside.py has it on its path

    text = box.sh("systemctl", "cat", "pathdog.service").stdout
    kept = [line for line in text.splitlines()
            if not line.startswith(("ExecStart=", "ExecReload=", "Type=", "WatchdogSec="))]
    me = "/usr/lib/probe.py"
    box.sh("cp", os.path.abspath(__file__), me)
    box.write(PROBE, "\n".join(kept).replace(
        "[Service]", f"[Service]\nType=oneshot\nExecStart=/usr/bin/python3 {me}", 1))
    box.sh("systemctl", "daemon-reload")
    since = box.mark()
    box.sh("systemctl", "start", "probe.service")
    entries = box.journal("_SYSTEMD_UNIT=probe.service", since=since)
    os.unlink(PROBE)
    said = [entry["MESSAGE"] for entry in entries if entry["MESSAGE"].startswith("{")]
    assert said, entries
    return json.loads(said[0])


def test_the_unit_denies_what_it_says():
    results = probe()
    wrong = [name for name in denied() if results["denied"][name] is None]
    assert not wrong, f"could be done: {wrong}"
    wrong = {name: why for name, why in results["allowed"].items() if why}
    assert not wrong, f"could not be done: {wrong}"


def test_the_process_has_no_capability_and_a_filter():
    import box

    with open(f"/proc/{box.main_pid()}/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines())
    uid = box.sh("id", "-u", "pathdog").stdout.strip()
    assert status["Uid"].split() == [uid] * 4, status["Uid"]
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status[name])
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", status


def test_the_process_is_on_the_system_bus():
    """There NetworkManager is asked what is metered."""
    import box

    def clients():
        rows = box.sh("busctl", "list", "--unique", "--no-legend").stdout.splitlines()
        return [row.split()[1] for row in rows if len(row.split()) > 1]

    box.wait(lambda: str(box.main_pid()) in clients(), "pathdog is on the bus")


TESTS = [test_the_unit_denies_what_it_says, test_the_process_has_no_capability_and_a_filter,
         test_the_process_is_on_the_system_bus]


if __name__ == "__main__":
    print(json.dumps({"denied": {name: reason(attempt) for name, attempt in denied().items()},
                      "allowed": {name: reason(attempt) for name, attempt in allowed().items()}}))
    sys.exit(0)
