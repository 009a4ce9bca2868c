# SPDX-License-Identifier: Apache-2.0
"""What the tests inside the container do by: commands, the journal, units, and waiting for what
must come. Judges nothing."""

import json
import os
import subprocess
import time

PATIENCE_S = 60

IDS = {"decision": "ba21fb45e7d34a96a0c3bb25477bfffe", "outcome": "d3ca71ae0c76441dbbd9d81556582efb",
       "node": "699c6a171fbf4f09b44a58334a05413b", "uplink": "3542803609a44d309b098869feda4f50",
       "notice": "f586e0420dab4a798f6d5e63bf0d74f0"}


def sh(*words, check=True, timeout=120, **more):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def wait(condition, what, patience_s=PATIENCE_S):
    """The first true value of condition()."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.05)


# ---- units ----

def show(unit, name):
    return sh("systemctl", "show", "--value", "-p", name, unit).stdout.strip()


def main_pid(unit="pathdog.service"):
    return int(show(unit, "MainPID"))


def drop_in(unit, name, text):
    write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
    sh("systemctl", "daemon-reload")


# ---- the journal ----

def mark():
    """A moment: what is read `since` it was received later."""
    sh("journalctl", "--sync")
    return time.time_ns() // 1000


def journal(*matches, since=0):
    """Entries as dicts. Synchronised, so that what was sent before is there."""
    sh("journalctl", "--sync")
    # Not --after-cursor: with matches, journalctl 252 leaves the first one out.
    lines = sh("journalctl", "-o", "json", "--all", "--no-pager", f"--since=@{since // 1000000}",
               *matches).stdout.splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    return [entry for entry in entries if int(entry["__REALTIME_TIMESTAMP"]) >= since]


def wait_entry(*matches, since=0, what=None):
    return wait(lambda: journal(*matches, since=since), what or " ".join(matches))[0]


def wait_node(state, since=0, unit="pathdog.service"):
    return wait_entry(f"_SYSTEMD_UNIT={unit}", "MESSAGE_ID=" + IDS["node"],
                      "PATHDOG_STATE=" + state, since=since)


# ---- the network ----

def network():
    """The container has two uplinks; a peer is behind both."""
    for name in ("all", "default"):
        write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
    sh("ip", "netns", "add", "net")
    sh("ip", "netns", "exec", "net", "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
       "net.ipv4.conf.default.rp_filter=0", "net.ipv4.ip_forward=1")
    sh("ip", "-n", "net", "link", "set", "lo", "up")
    sh("ip", "-n", "net", "address", "add", "10.9.0.2/32", "dev", "lo")
    for number in (1, 2):
        name = f"up{number - 1}"
        sh("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", "net")
        sh("ip", "address", "add", f"10.0.{number}.2/24", "dev", name)
        sh("ip", "-n", "net", "address", "add", f"10.0.{number}.1/24", "dev", name)
        sh("ip", "link", "set", name, "up")
        sh("ip", "-n", "net", "link", "set", name, "up")
    way_out(0)


def way_out(number):
    sh("ip", "route", "replace", "default", "via", f"10.0.{number + 1}.1", "dev", f"up{number}")


def way_out_now():
    return int(sh("ip", "route", "show", "default").stdout.split("dev up")[1][0])


# ---- nodes ----

def start_nodes():
    """bravo behind the uplinks, delta that forbids to migrate, and alpha here, as a user of its
    own."""
    for words in (("bravo", "10.9.0.2:9100"), ("delta", "10.9.0.2:9101", "--forbid-migration")):
        sh("systemd-run", "--quiet", "--unit=" + words[0], "-p",
           "NetworkNamespacePath=/run/netns/net", "/test/quic-node", "--name", words[0],
           "--listen", *words[1:])
    write("/etc/systemd/system/alpha.service", """\
[Service]
User=mynode
RuntimeDirectory=mynode
ExecStart=/test/quic-node --name alpha --dial bravo=10.9.0.2:9100 --dial delta=10.9.0.2:9101 \\
    --socket /run/mynode/pathdog.sock
""")
    sh("systemctl", "daemon-reload")
    sh("systemctl", "start", "alpha")


def configure(text="", name="pathdog", node="/run/mynode/pathdog.sock", runtime="pathdog"):
    write(f"/etc/pathdog/{name}.conf", f"""\
[watchdog]
node = {node}
control = /run/{runtime}/control.sock
state_directory = /run/{runtime}
sample_interval = 200ms
effect_window = 1s
move_burst = 100
{text}

[trigger:route]
settle = 0

[trigger:tunnel]
socket = /run/{runtime}/notify
""")
