#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two machines and a collector, as docs/fleet.md sets them up: three containers with a systemd each.

    run.py BUILD        BUILD: as of tests/systemd/run.py, which it goes on from

alpha and bravo have a QUIC node and a pathdog beside it, two uplinks, and systemd-journal-upload; both dial the
node hub. The collector has systemd-journal-remote. One uplink's network dies for both, and one question to the
merged journals must say what it was. Prints TAP. Without root it is a skip, unless CI=true. The host is not
changed: the networks are namespaces of their own.

    alpha 10.0.1.11 ── telekom ──┐
    bravo 10.0.1.12 ── telekom ──┤ 10.0.1.1
                                 │           collector, hub 10.9.0.2
    alpha 10.0.2.11 ──── lte ────┤ 10.0.2.1
    bravo 10.0.2.12 ──── lte ────┘
                                   10.0.9.1 (the journals' way)
"""

import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "systemd"))
import run as under_systemd  # noqa: E402 (it is found there)

PATIENCE_S = 240
MACHINES = {"alpha": 11, "bravo": 12}
NETWORKS = {"telekom": 1, "lte": 2, "manage": 9}
UNIT = """\
[Unit]
Description=Tests of a fleet
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec={patience}
StandardOutput=file:/test/{name}.out
StandardError=file:/test/{name}.errors
ExecStart=/usr/bin/python3 /test/fleet/{script} {name}
"""


def ip(*words):
    done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise under_systemd.Trouble(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Networks:
    """A namespace for each machine; that of the collector has the networks' bridges."""

    def __init__(self):
        self.names = {name: f"fleet-{os.getpid()}-{name}" for name in ("collector", *MACHINES)}

    def __enter__(self):
        for name in self.names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        middle = self.names["collector"]
        ip("-n", middle, "addr", "add", "10.9.0.2/32", "dev", "lo")
        for network, number in NETWORKS.items():
            ip("-n", middle, "link", "add", network, "type", "bridge")
            ip("-n", middle, "addr", "add", f"10.0.{number}.1/24", "dev", network)
            ip("-n", middle, "link", "set", network, "up")
            for machine, last in MACHINES.items():
                ip("-n", middle, "link", "add", f"{network[:3]}-{machine}", "type", "veth", "peer", "name", network,
                   "netns", self.names[machine])
                ip("-n", middle, "link", "set", f"{network[:3]}-{machine}", "master", network, "up")
                ip("-n", self.names[machine], "addr", "add", f"10.0.{number}.{last}/24", "dev", network)
                ip("-n", self.names[machine], "link", "set", network, "up")
                if network != "manage":
                    ip("-n", self.names[machine], "route", "add", "default", "via", f"10.0.{number}.1", "dev",
                       network, "metric", str(100 * number))
        return self

    def __exit__(self, *error):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def boot(name, networks, root, out, binds):
    """One machine, which goes on until its script ends."""
    unit, identity, host = (os.path.join(out, f"{name}.{what}") for what in ("service", "machine-id", "hostname"))
    script = "collector.py" if name == "collector" else "machine.py"
    with open(unit, "w") as file:
        file.write(UNIT.format(patience=PATIENCE_S, name=name, script=script))
    with open(identity, "w") as file:
        file.write(name.encode().hex().ljust(32, "0") + "\n")
    with open(host, "w") as file:
        file.write(name + "\n")
    words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--boot",
             "--volatile=overlay", "--directory", root, "--machine", f"fleet-{os.getpid()}-{name}",
             f"--network-namespace-path=/run/netns/{networks.names[name]}", "--capability=CAP_NET_ADMIN",
             f"--bind-ro={identity}:/etc/machine-id", f"--bind-ro={host}:/etc/hostname", f"--bind={out}:/test",
             *(f"--bind-ro={path}:/test/{place}" for place, path in binds.items()),
             f"--bind-ro={unit}:/run/systemd/system/fleet-test.service", "systemd.wants=fleet-test.service"]
    with open(os.path.join(out, f"{name}.boot"), "w") as log:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def end(machine):
    if machine.poll() is not None:
        return
    machine.send_signal(signal.SIGTERM)  # its first process goes with it, and so all of them
    try:
        machine.wait(10)
    except subprocess.TimeoutExpired:
        machine.kill()
        machine.wait()


def tried(base):
    """What the collector's script printed."""
    directory, log, root = under_systemd.prepare(base)
    out, installed = os.path.join(base, "logs", "fleet"), os.path.join(base, "installed-fleet")
    under_systemd.install(directory, installed, log)
    shutil.rmtree(out, ignore_errors=True)
    binds = {"installed": installed, "fleet": HERE, "quic-node": os.path.join(directory, under_systemd.NODE)}
    os.makedirs(out)
    for place in ("installed", "fleet"):
        os.makedirs(os.path.join(out, place))
    open(os.path.join(out, "quic-node"), "w").close()
    machines = []
    with Networks() as networks:
        try:
            machines = [boot(name, networks, root, out, binds) for name in networks.names]
            deadline = time.monotonic() + PATIENCE_S + 30
            while machines[0].poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            for machine in machines:
                end(machine)
    tap = os.path.join(out, "collector.out")
    if not os.path.exists(tap):
        return f"1..1\nnot ok 1 - the collector did not boot\n# logs: {out}"
    with open(tap, errors="replace") as file:
        return file.read() + f"# logs: {out}"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the containers
    os.umask(0o022)  # triggers are loaded only from where nobody else may write
    try:
        tap = tried(os.path.abspath(sys.argv[1]))
    except (under_systemd.Trouble, OSError, subprocess.CalledProcessError) as trouble:
        if os.getuid() != 0 and os.environ.get("CI", "") in ("", "false", "0"):
            print(f"1..0 # SKIP {trouble}")
            return 0
        print(f"1..1\nnot ok 1 - {trouble}")
        return 1
    print(tap)
    return int("\nnot ok" in "\n" + tap or "# all were run" not in tap)


if __name__ == "__main__":
    sys.exit(main())
