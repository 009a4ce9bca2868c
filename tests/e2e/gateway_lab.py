# SPDX-License-Identifier: Apache-2.0
"""A LAN behind a gateway with three uplinks: three_uplinks' lab, whose host is the gateway here.

    lan 192.168.7.10, .11, … ── gateway 192.168.7.1 ── up0, up1, lte ── … ── peer 10.9.0.10, .11, …

IPv6 likewise: fd07::a, fd07::1, fd09::a. The client with the number n talks to the server's address with the number n, so
that the kernel gives each its own address. The gateway has what a router's administrator writes: a firewall that
lets the LAN out and answers in, and plain masquerade.
"""

import json
import os
import signal
import subprocess
import threading
import time

from netns import run
from node import PATIENCE
from three_uplinks import UPLINKS, Lab
from watchdog import environment, program

FIRST = 10  # the last byte of the first client's address, and of its server's
PORT = 443
ROUTER = """
table inet router {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "lan" accept
    }
    chain input {
        type filter hook input priority filter; policy drop;
        iifname { "lo", "lan" } accept
        ct state established,related accept
        meta l4proto { icmp, ipv6-icmp } accept
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        iifname "lan" oifname { "up0", "up1", "lte" } masquerade
    }
}
"""


class GatewayLab(Lab):
    """The part "host" is the gateway."""

    def __init__(self, directory, clients):
        super().__init__(directory)
        self.clients = clients
        self.names["lan"] = self.names["host"][:-len("host")] + "lan"

    def start(self):
        super().start()
        host, lan, peer = (self.names[part] for part in ("host", "lan", "peer"))
        self.sysctl("host", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                    "net.netfilter.nf_conntrack_acct=1")
        self.sysctl("lan", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
        run("ip", "-n", host, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", lan)
        last = range(FIRST, FIRST + self.clients)
        batches = {
            host: ["link set lan up", "addr add 192.168.7.1/24 dev lan", "addr add fd07::1/64 dev lan nodad"],
            peer: [f"addr add 10.9.0.{n}/32 dev lo" for n in last] +
                  [f"addr add fd09::{n:x}/128 dev lo nodad" for n in last],
            lan: ["link set eth0 up"] + [f"addr add 192.168.7.{n}/24 dev eth0" for n in last] +
                 [f"addr add fd07::{n:x}/64 dev eth0 nodad" for n in last] +
                 [f"route add 10.9.0.{n}/32 via 192.168.7.1 src 192.168.7.{n}" for n in last] +
                 [f"route add fd09::{n:x}/128 via fd07::1 src fd07::{n:x}" for n in last]}
        for namespace, lines in batches.items():
            run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")
        self.nft("host", ROUTER)
        return self

    # -- what is on the gateway ------------------------------------------------------------------

    def policy(self):
        """All that decides about routes, and the whole ruleset: what must be as before when all is over."""
        def said(*words):
            return run(*self.prefix("host"), *words)
        return {"rules": said("ip", "rule") + said("ip", "-6", "rule"),
                "routes": {family: sorted(said("ip", f"-{family}", "route", "show", "table", "all").splitlines())
                           for family in (4, 6)},
                "ruleset": said("nft", "--stateless", "list", "ruleset")}

    def entries(self, dport=PORT):
        """The connection tracking's UDP entries for this port, as text lines."""
        with_port = f" dport={dport} "
        return [line for line in run(*self.prefix("host"), "cat", "/proc/net/nf_conntrack").splitlines()
                if " udp " in line and with_port in line]

    def server(self, n, family=4):
        return f"10.9.0.{FIRST + n}" if family == 4 else f"fd09::{FIRST + n:x}"


def endpoint(host, port=PORT):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Program:
    """A program in a part of the lab; its lines are kept."""

    def __init__(self, lab, part, name, *words, ready=None, env=None):
        self.name, self.lines = name, []
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            [*lab.prefix(part), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=environment(**(env or {})))
        self.reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self.reader.start()

    def _read(self, ready):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if ready and line.startswith(ready):
                self.ready.set()

    def wait_ready(self):
        assert self.ready.wait(15 * PATIENCE), f"{self.name} is not ready: {self.lines[-20:]}"

    def said(self, text):
        return [line for line in self.lines if text in line]

    def stop(self, number=signal.SIGTERM):
        """What is wrong with its end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()
        return [f"{self.name}: exit status {status}: {self.lines[-20:]}"] if status else []


class Traffic:
    """quic-node, as plain clients in the LAN and as their server: none knows of pathdog."""

    def __init__(self, lab, clients, rate, family=4, server=(), client=(), idle_timeout="30s"):
        self.lab = lab
        self.gaps = {}  # {client: the longest in ms}, since it was last cleared
        quic = program("quic-node", "QUIC_NODE")
        common = ("--rate", str(rate), "--idle-timeout", idle_timeout, "--quiet", "--stats")
        anywhere = endpoint("0.0.0.0" if family == 4 else "::")
        self.server = Program(lab, "peer", "server", quic, "--name", "server", "--listen", anywhere, *common,
                              self.path("server"), *server, ready="ready")
        self.clients = []
        try:
            self.server.wait_ready()
            for n in range(clients):
                name = f"c{n:02}"
                self.clients.append(Program(lab, "lan", name, quic, "--name", name, "--dial",
                                            f"server={endpoint(lab.server(n, family))}", "--no-redial",
                                            *common, self.path(name), *client, ready="ready"))
            for each in self.clients:
                each.wait_ready()
        except BaseException:
            self.stop()
            raise

    def path(self, name):
        return os.path.join(self.lab.directory, f"{name}.json")

    def measure(self):
        """{client: what both ends say}: the gaps are those since the last call."""
        programs = [self.server, *self.clients]
        for each in programs:
            if os.path.exists(self.path(each.name)):
                os.unlink(self.path(each.name))
            each.process.send_signal(signal.SIGUSR1)
        said = {each.name: self._read(each) for each in programs}
        at_server = {peer["peer"]: peer for peer in said["server"]["peers"]}
        flows = {client.name: self._both(said[client.name]["peers"], at_server.get(client.name))
                 for client in self.clients}
        for name, flow in flows.items():
            self.gaps[name] = max(self.gaps.get(name, 0), flow["gap_ms"] or 0)
        return flows

    def _read(self, each):
        end = time.monotonic() + 15 * PATIENCE
        while not os.path.exists(self.path(each.name)):
            assert time.monotonic() < end and each.process.poll() is None, (each.name, each.lines[-20:])
            time.sleep(0.01)
        with open(self.path(each.name)) as file:
            return json.load(file)

    @staticmethod
    def _both(own, other):
        """One flow. It lives if it is up at both ends and is the first and only connection."""
        own = next(iter(own), None)
        if not own or not other:
            return {"up": False, "gap_ms": None, "moves": 0, "verified": 0, "bad": 0, "remote": None}
        return {"up": bool(own["up"] and other["up"]) and own["connections"] == other["connections"] == 1,
                "gap_ms": max(own["gap_ms"], other["gap_ms"]), "moves": other["peer_moves"],
                "verified": min(own["bytes_verified"], other["bytes_verified"]), "remote": other.get("remote"),
                "bad": sum(end[key] for end in (own, other) for key in ("bytes_lost", "bytes_corrupt"))}

    def stop(self):
        """What is wrong with their end."""
        return [wrong for each in (*self.clients, self.server) for wrong in each.stop()]


def uplink_of_address(remote):
    """The uplink whose address the server sees, or None."""
    host = (remote or "").rsplit(":", 1)[0].strip("[]")
    return next((name for name, n in UPLINKS.items() if host in (f"10.0.{n}.2", f"fd00:{n}::2")), None)
