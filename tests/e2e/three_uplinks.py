# SPDX-License-Identifier: Apache-2.0
"""A host with three uplinks, each with a gateway of its own, in network namespaces:

    host up0 10.0.1.2 ── wire (netshim) ── gw1 10.0.1.1, 10.8.1.1 ──┐
         up1 10.0.2.2 ── wire (netshim) ── gw2 10.0.2.1, 10.8.2.1 ──┤ peer 10.9.0.2, 10.9.0.3
         lte 10.0.3.2 ── wire (netshim) ── gw3 10.0.3.1, 10.8.3.1 ──┘

IPv6 likewise: fd00:1::2, fd08:1::1, fd09::2. Each uplink has a default route (metric 100, 200, 300), and a
table of its own for what is sent from its address. A gateway passes only what has an address of its own
network, as providers do. contrib/netshim is what makes a line bad.
"""

import itertools
import json
import os
import re
import socket
import subprocess

from netns import run
from node import PATIENCE
from watchdog import program

COUNTER = itertools.count()
UPLINKS = {"up0": 1, "up1": 2, "lte": 3}
PORT = 9100
# A provider's gateway drops what has a foreign source (RFC 2827).
GATEWAY_RULES = """
table inet gateway {{
    chain pass {{
        type filter hook forward priority 0;
        iifname "in" ip saddr != 10.0.{n}.0/24 drop
        iifname "in" ip6 saddr != fd00:{n}::/64 drop
    }}
}}
"""
SILENT_GATEWAY = """
table arp silent {{
    chain asked {{ type filter hook input priority 0; arp operation request drop; }}
}}
table ip6 silent {{
    chain asked {{ type filter hook input priority 0; icmpv6 type nd-neighbor-solicit drop; }}
}}
"""


class Wire:
    """One netshim: `a` is what the host sends, `b` what it receives."""

    OPTIONS = ()

    def __init__(self, lab, name):
        self.path = os.path.join(lab.directory, f"{name}.shim")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", lab.names["wire"], program("netshim", "NETSHIM"), "--seed", "1",
             *self.OPTIONS, "--control", self.path, f"{name}-h", f"{name}-g"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def wait_ready(self):
        for line in self.process.stdout:
            if line == "ready\n":
                return
        raise AssertionError(f"netshim ended with {self.process.wait()}")

    def set(self, *words):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10 * PATIENCE)
            sock.connect(self.path)
            sock.sendall((" ".join(words) + "\n").encode())
            answer = b""
            while not answer.endswith(b"ok\n") and b"error" not in answer:
                answer += sock.recv(4096)
        assert answer.endswith(b"ok\n"), (words, answer)
        return answer.decode()

    def carried(self):
        """Frames that the host sent and that got through."""
        return int(re.search(r"^a: .*? sent=(\d+)", self.set("stats"), re.M)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Lab:
    WIRE = Wire

    def __init__(self, directory):
        self.directory = directory
        number = f"live-{os.getpid()}-{next(COUNTER)}"
        self.names = {part: f"{number}{part}" for part in ("host", "wire", "gw1", "gw2", "gw3", "peer")}
        self.made = []
        self.wires = {}

    # -- making it ---------------------------------------------------------------------------

    def start(self):
        for part in self.names:
            self.namespace(part)
        for n in range(2, 6):
            self.ip("peer", "addr", "add", f"10.9.0.{n}/32", "dev", "lo")
            self.ip("peer", "addr", "add", f"fd09::{n}/128", "dev", "lo", "nodad")
        for name, n in UPLINKS.items():
            self.uplink(name, n)
        for wire in self.wires.values():
            wire.wait_ready()
        return self

    def namespace(self, part):
        name = self.names[part]
        run("ip", "netns", "add", name)
        self.made.append(name)
        run("ip", "netns", "exec", name, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_ra=0",
            "net.ipv6.conf.default.accept_ra=0", *{
                "wire": ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"),
                "host": (), "peer": ()}.get(part, (
                    "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                    "net.ipv4.fib_multipath_hash_policy=1")))
        run("ip", "-n", name, "link", "set", "lo", "up")

    def uplink(self, name, n):
        host, wire, gateway, peer = (self.names[part] for part in ("host", "wire", f"gw{n}", "peer"))
        batch = {host: [], wire: [f"link set {name}-h up", f"link set {name}-g up"],
                 gateway: ["link set in up", "link set out up",
                           f"addr add 10.0.{n}.1/24 dev in", f"addr add fd00:{n}::1/64 dev in nodad",
                           f"addr add 10.8.{n}.1/24 dev out", f"addr add fd08:{n}::1/64 dev out nodad",
                           f"route add 10.9.0.0/24 via 10.8.{n}.2",
                           f"route add fd09::/64 via fd08:{n}::2"],
                 peer: [f"link set gw{n} up", f"addr add 10.8.{n}.2/24 dev gw{n}",
                        f"addr add fd08:{n}::2/64 dev gw{n} nodad",
                        f"route add 10.0.{n}.0/24 via 10.8.{n}.1",
                        f"route add fd00:{n}::/64 via fd08:{n}::1"]}
        run("ip", "-n", wire, "link", "add", f"{name}-h", "type", "veth", "peer", "name", name, "netns", host)
        run("ip", "-n", wire, "link", "add", f"{name}-g", "type", "veth", "peer", "name", "in", "netns",
            gateway)
        run("ip", "-n", gateway, "link", "add", "out", "type", "veth", "peer", "name", f"gw{n}", "netns", peer)
        for namespace, lines in batch.items():
            run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")
        # netshim loses frames, not packets: none is to be a bundle of them
        for namespace, link in ((host, name), (gateway, "in")):
            run("ip", "netns", "exec", namespace, "ethtool", "-K", link, "tso", "off", "gso", "off",
                "tx-udp-segmentation", "off")
        self.nft(f"gw{n}", GATEWAY_RULES.format(n=n))
        self.wires[name] = self.WIRE(self, name)
        self.link(name, "up")
        self.rule("add", name)

    def rule(self, what, name):
        for family in (4, 6):
            self.ip("host", f"-{family}", "rule", what, "from", address(name, family), "lookup",
                    str(100 + UPLINKS[name]))

    def stop(self):
        for wire in self.wires.values():
            wire.stop()
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    # -- what is done to it ------------------------------------------------------------------

    def ip(self, part, *words):
        return run("ip", "-n", self.names[part], *words)

    def nft(self, part, rules):
        run("ip", "netns", "exec", self.names[part], "nft", "-f", "-", text=rules)

    def prefix(self, part):
        return ("ip", "netns", "exec", self.names[part])

    def sysctl(self, part, *words):
        run(*self.prefix(part), "sysctl", "-q", "-w", *words)

    def dead(self, *names, way=None):
        """The line carries nothing, and nobody is told."""
        for name in names:
            self.wires[name].set("blackhole", *([way] if way else []), "on")

    def alive(self, *names):
        for name in names:
            self.wires[name].set("blackhole", "off")

    def bad(self, name, delay, loss):
        self.wires[name].set("delay", delay)
        self.wires[name].set("loss", loss)

    def carrier(self, name, state):
        """The cable is pulled, or plugged in again."""
        self.ip("wire", "link", "set", f"{name}-h", "up" if state else "down")

    def link(self, name, state, dad=False):
        """Down: the kernel takes the routes and the IPv6 address away. Up, as a network manager does it."""
        n = UPLINKS[name]
        lines = [f"link set {name} {state}"]
        if state == "up":
            lines += [f"addr replace 10.0.{n}.2/24 dev {name}",
                      f"addr replace fd00:{n}::2/64 dev {name} {'' if dad else 'nodad'}"]
            lines += [f"route replace default via {gateway} dev {name} {table}"
                      for gateway in (f"10.0.{n}.1", f"fd00:{n}::1")
                      for table in (f"metric {100 * n}", f"table {100 + n}")]
        run("ip", "-n", self.names["host"], "-batch", "-", text="\n".join(lines) + "\n")

    def by_source(self, state):
        """Is there a table for what is sent from an uplink's address? Else the default route has it all."""
        for name in UPLINKS:
            self.rule("add" if state else "del", name)

    def nowhere(self, name):
        """An interface with a carrier, 10.66.0.2, at whose other end is nobody."""
        run("ip", "-n", self.names["wire"], "link", "add", f"{name}-h", "type", "veth", "peer", "name", name,
            "netns", self.names["host"])
        self.ip("wire", "link", "set", f"{name}-h", "up")
        self.ip("host", "addr", "add", "10.66.0.2/24", "dev", name)
        self.ip("host", "link", "set", name, "up")

    def silent_gateway(self, name):
        """It forwards, but no longer says where it is; and the host has just forgotten that."""
        self.nft(f"gw{UPLINKS[name]}", SILENT_GATEWAY.format())
        self.ip("host", "neigh", "flush", "dev", name)
        self.ip("host", "-6", "neigh", "flush", "dev", name)

    def know_neighbours(self, name):
        """Both ends of the line know where the other is, so that nobody has to ask over it."""
        ends = {"host": (name, f"gw{UPLINKS[name]}", "in", "1"), f"gw{UPLINKS[name]}": ("in", "host", name, "2")}
        for part, (link, other, other_link, last) in ends.items():
            address = json.loads(self.ip(other, "-j", "link", "show", "dev", other_link))[0]["address"]
            self.ip(part, "neigh", "replace", f"10.0.{UPLINKS[name]}.{last}", "lladdr", address, "dev", link,
                    "nud", "stale")

    def only_small(self, name, most):
        """Beyond the gateway larger packets get lost, in both directions, and nobody is told."""
        self.nft(f"gw{UPLINKS[name]}", f"add rule inet gateway pass meta length > {most} drop")

    def legs(self, name, count):
        """From the gateway on there are `count` ways of equal cost, chosen by the ports."""
        n = UPLINKS[name]
        hops = []
        for leg in range(2, 2 + count):
            if leg > 2:
                self.ip("peer", "addr", "add", f"10.8.{n}.{leg}/24", "dev", f"gw{n}")
            hops += ["nexthop", "via", f"10.8.{n}.{leg}"]
        self.ip(f"gw{n}", "route", "replace", "10.9.0.0/24", *hops)

    def leg_of(self, name, local, remote):
        """The next hop to which the gateway hands what a connection sends."""
        source, sport = local.rsplit(":", 1)
        destination, dport = remote.rsplit(":", 1)
        words = ("route", "get", destination, "from", source, "iif", "in", "ipproto", "udp", "sport", sport,
                 "dport", dport)
        return json.loads(self.ip(f"gw{UPLINKS[name]}", "-j", *words))[0]["gateway"]

    def leg_dead(self, name, hop):
        self.nft(f"gw{UPLINKS[name]}", f"add rule inet gateway pass rt ip nexthop {hop} drop")


def address(name, family=4):
    """Of the host on this uplink."""
    return f"10.0.{UPLINKS[name]}.2" if family == 4 else f"fd00:{UPLINKS[name]}::2"


def uplink_of(local):
    """The uplink whose address this is, or None."""
    host = (local or "").rsplit(":", 1)[0].strip("[]")
    return next((name for name in UPLINKS if host in (address(name), address(name, 6))), None)


def endpoint(host):
    return f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}"
