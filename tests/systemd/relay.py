# SPDX-License-Identifier: Apache-2.0
"""udp-relay under systemd: started by a datagram, sandboxed, its control socket for its group."""

import json
import os
import socket

import box
from box import journal, mark, sh, show, wait

UNIT, SOCKET, PORT = "udp-relay.service", "udp-relay.socket", 4433
CONTROL = "/run/udp-relay/control.sock"
DEFAULTS = "/etc/default/udp-relay"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


class Client:
    def __init__(self, address="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(box.PATIENCE_S)
        self.socket.connect((address, PORT))

    def ask(self, text):
        self.socket.send(text)
        return self.socket.recv(2000)


def status():
    return json.loads(sh("udp-relayctl", "--json").stdout)


def test_relay_units_are_good_for_systemd():
    done = sh("systemd-analyze", "verify", "--man=no", UNIT, SOCKET)
    same([line for line in (done.stdout + done.stderr).splitlines() if "relay" in line], [], "complaints")


def test_relay_exposure_is_at_most_one_and_a_half():
    """It is open to the internet: sockets of IPv4 and IPv6 from and to everywhere are what it is for."""
    text = sh("systemd-analyze", "security", "--no-pager", UNIT, check=False).stdout
    line = [line for line in text.splitlines() if "Overall exposure level" in line][0]
    print(f"# {line.strip()}")
    check(0 < float(line.split(":")[1].split()[0]) <= 1.5, line)


def test_relay_is_started_by_a_datagram_which_is_not_lost():
    sh("systemctl", "start", SOCKET)
    same(show(UNIT, "ActiveState"), "inactive")
    a, b = Client(), Client("::1")
    same(a.ask(b"REG:room\n"), b"ACK\n", "the one that starts it")
    same(show(UNIT, "ActiveState"), "active")
    same(b.ask(b"REG:room\n"), b"ACK\n")
    a.socket.send(b"as it was")
    same(b.socket.recv(100), b"as it was")
    told = status()
    same((told["socket_activated"], told["circuits"]), (True, 1))
    wait(lambda: show(UNIT, "StatusText").startswith("Relays at [::]:4433"), "STATUS=")


def test_relay_control_is_for_its_group():
    def ask(group):
        return sh("setpriv", "--reuid=nobody", "--regid=" + group, "--clear-groups", "udp-relayctl", check=False)
    check("Permission denied" in ask("nogroup").stderr, "anybody may ask")
    done = ask("udp-relay")
    check(done.returncode == 0 and "circuits   1 of 64" in done.stdout, done.stdout + done.stderr)


def test_relay_runs_without_rights():
    with open(f"/proc/{box.main_pid(UNIT)}/status") as file:
        told = dict(line.rstrip("\n").split(":\t") for line in file if ":\t" in line)
    check(told["Uid"].split()[0] != "0", told["Uid"])
    same((told["CapEff"], told["CapBnd"], told["CapAmb"]), ("0" * 16,) * 3)
    same((told["NoNewPrivs"], told["Seccomp"]), ("1", "2"))


def test_relay_journal_has_fields():
    entries = wait(lambda: [e for e in journal(f"_SYSTEMD_UNIT={UNIT}") if "room" in str(e["MESSAGE"])], "entries")
    check(any("opened" in entry["MESSAGE"] for entry in entries), entries)
    same({entry["SYSLOG_IDENTIFIER"] for entry in entries}, {"udp-relay"})


def test_relay_settings_of_the_unit_are_taken_and_a_bad_one_is_said():
    box.write(DEFAULTS, "UDP_RELAY_MAX_CIRCUITS=7\n")
    sh("systemctl", "restart", UNIT)
    same(status()["limits"]["max_circuits"], 7)
    sh("systemctl", "stop", SOCKET, UNIT)
    box.write(DEFAULTS, "UDP_RELAY_MAX_CIRCUITS=many\n")
    since = mark()
    done = sh("systemctl", "start", UNIT, check=False)
    check(done.returncode != 0, "started")
    same((show(UNIT, "ExecMainStatus"), show(UNIT, "NRestarts")), ("2", "0"))
    said = " ".join(str(entry["MESSAGE"]) for entry in journal(f"_SYSTEMD_UNIT={UNIT}", since=since))
    check("UDP_RELAY_MAX_CIRCUITS" in said and "many" in said and "allowed is" in said, said)
    os.unlink(DEFAULTS)


def test_relay_killed_or_hung_it_is_started_again():
    sh("systemctl", "reset-failed", UNIT, SOCKET, check=False)
    sh("systemctl", "start", SOCKET, UNIT)
    for number in (9, 19):
        before, restarts = box.main_pid(UNIT), int(show(UNIT, "NRestarts"))
        os.kill(before, number)
        wait(lambda: int(show(UNIT, "NRestarts")) > restarts and box.main_pid(UNIT) not in (0, before), "a restart")
        wait(lambda: show(UNIT, "ActiveState") == "active", "it runs")
    same(Client().ask(b"REG:after\n"), b"ACK\n")


def test_relay_has_a_thread_for_each_socket_of_the_unit():
    """As its README says."""
    sh("systemctl", "stop", SOCKET, UNIT)
    box.drop_in(SOCKET, "two", f"[Socket]\nListenDatagram=\nListenDatagram=[::]:{PORT}\nListenDatagram=[::]:{PORT}\n")
    sh("systemctl", "start", SOCKET)
    clients = [Client() for _ in range(16)]
    for i, client in enumerate(clients):
        same(client.ask(b"REG:%d\n" % (i // 2)), b"ACK\n")
    for one, other in zip(clients[::2], clients[1::2]):
        one.socket.send(b"between two sockets, perhaps")
        same(other.socket.recv(100), b"between two sockets, perhaps")
    same(status()["threads"], 2)
    os.unlink(f"/etc/systemd/system/{SOCKET}.d/two.conf")
    sh("systemctl", "daemon-reload")


def test_relay_stops_within_two_seconds():
    since = mark()
    sh("systemctl", "stop", SOCKET, UNIT)
    same((show(UNIT, "Result"), show(UNIT, "ExecMainStatus")), ("success", "0"))
    check(not os.path.exists(CONTROL), "its control socket is gone")
    check(not journal(f"_SYSTEMD_UNIT={UNIT}", "PRIORITY=3", since=since), "no error")


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
