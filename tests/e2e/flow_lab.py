# SPDX-License-Identifier: Apache-2.0
"""The three uplinks of three_uplinks.py for programs that know nothing of pathdog: on the host itself, or in a LAN
behind it; and what is seen of a flow from outside. Has no tests.

    lan 10.5.0.2, fd05::2 ── lan0 10.5.0.1 host (masquerades what leaves) ── up0, up1, lte

A flow is judged by its packets alone, so that it works with every server: `Wiretap` has what the server receives,
whose destination connection ID says of which connection it is (RFC 9000 §5.2), and `Arrivals` what comes back to the
host over its uplinks, by which a gap is measured.
"""

import ctypes
import os
import select
import socket
import struct
import threading
import time

from netns import run
from three_uplinks import UPLINKS, Lab, Wire

CLONE_NEWNET = 0x40000000
ETHERTYPES = {4: 0x0800, 6: 0x86DD}
SERVER = {4: "10.9.0.2", 6: "fd09::2"}
CLIENT = {4: "10.5.0.2", 6: "fd05::2"}  # in the LAN
# What a router that serves a LAN has anyway, under a name of its own.
MASQUERADE = """
table inet router {
    chain out {
        type nat hook postrouting priority srcnat;
        oifname { "up0", "up1", "lte" } iifname "lan0" masquerade
    }
}
"""


def within(namespace, make):
    """What make() returns, called in this network namespace: a socket stays in it."""
    answer = []

    def work():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{namespace}", "rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET):
                answer.append(OSError(ctypes.get_errno(), f"setns {namespace}"))
                return
        try:
            answer.append(make())
        except OSError as error:
            answer.append(error)
    thread = threading.Thread(target=work)  # it alone changes its namespace
    thread.start()
    thread.join()
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]


class SlowWire(Wire):
    """With a queue like a router's, not like netshim's: 8192 frames would be seconds."""

    OPTIONS = ("--queue", "400")


class FlowLab(Lab):
    WIRE = SlowWire

    def namespace(self, part):
        super().namespace(part)
        if part == "host":
            # the last two as flow-node's unit sets them
            self.sysctl(part, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                        "net.netfilter.nf_conntrack_acct=1", "net.netfilter.nf_conntrack_timestamp=1")

    def uplink(self, name, n):
        """The peer answers with the address of its service also where a program does not choose one: WireGuard follows
        the other end to wherever its packets come from."""
        super().uplink(name, n)
        self.ip("peer", "route", "replace", f"10.0.{n}.0/24", "via", f"10.8.{n}.1", "src", SERVER[4])
        self.ip("peer", "-6", "route", "replace", f"fd00:{n}::/64", "via", f"fd08:{n}::1", "src", SERVER[6])

    def lan(self):
        """A LAN behind the host, with one client in it; the namespace `lan`."""
        self.names["lan"] = self.names["host"][:-len("host")] + "lan"
        self.namespace("lan")
        run("ip", "-n", self.names["host"], "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns",
            self.names["lan"])
        for part, link, last in (("host", "lan0", 1), ("lan", "eth0", 2)):
            run("ip", "-n", self.names[part], "-batch", "-", text=f"""\
addr add 10.5.0.{last}/24 dev {link}
addr add fd05::{last}/64 dev {link} nodad
link set {link} up
""")
        for family, gateway in ((4, "10.5.0.1"), (6, "fd05::1")):
            self.ip("lan", f"-{family}", "route", "add", "default", "via", gateway)
        self.nft("host", MASQUERADE)

    def rate(self, rate, delay="10ms"):
        for wire in self.wires.values():
            wire.set("rate", rate)
            wire.set("delay", delay)

    def connect(self, part, kind, address, port, local=None):
        """A socket of the namespace."""
        def make():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, kind)
            if local:
                sock.bind((local, 0))
            sock.connect((address, port))
            return sock
        return within(self.names[part], make)

    # -- what is there of flow-node, in the host ----------------------------------------------------

    def left(self):
        """Tables, rules and routes beside those that the lab has made, as lines; conntrack entries have no end of
        their own here: they are listed where they carry a mark."""
        host = self.prefix("host")
        lines = [line for line in run(*host, "nft", "list", "tables").splitlines() if "inet router" not in line]
        known = [str(100 + n) for n in UPLINKS.values()] + ["local", "main", "default"]
        for family in ("-4", "-6"):
            for line in run(*host, "ip", family, "rule", "list").splitlines():
                if line.rsplit("lookup ", 1)[-1].strip() not in known or "fwmark" in line:
                    lines.append(f"ip {family} rule: {line}")
            lines += [f"ip {family} route: {line}" for line in
                      run(*host, "ip", family, "route", "list", "table", "all").splitlines()
                      if " table " in f" {line} " and line.split(" table ")[1].split()[0] not in known]
        lines += [f"conntrack: {line}" for line in
                  run(*host, "conntrack", "-L", "-p", "udp").splitlines() + self._conntrack6()
                  if " mark=" in line and " mark=0 " not in f"{line} "]
        return lines

    def _conntrack6(self):
        return run(*self.prefix("host"), "conntrack", "-L", "-f", "ipv6", "-p", "udp").splitlines()


class Packets:
    """A thread that reads the IP packets that come in over some interfaces of a namespace."""

    def __init__(self, lab, part, interfaces, family):
        self.family = family
        self.sockets = {}
        for interface in interfaces:
            sock = within(lab.names[part], lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            # one EtherType, not all: so what is sent is not seen
            within(lab.names[part], lambda s=sock, i=interface: s.bind((i, ETHERTYPES[family])))
            self.sockets[sock] = interface
        self.lock = threading.Lock()
        self.wake, self.woken = os.pipe()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            for sock in select.select([*self.sockets, self.wake], [], [])[0]:
                if sock == self.wake:
                    return
                try:
                    udp = self._udp(sock.recv(2048))
                except OSError:  # the interface is down, or gone
                    udp = None
                if udp:
                    with self.lock:
                        self.take(self.sockets[sock], time.monotonic(), *udp)

    def _udp(self, packet):
        """(source, sport, dport, payload), of UDP without extension headers."""
        if self.family == 4:
            length = 4 * (packet[0] & 15)
            protocol, source = packet[9], socket.inet_ntop(socket.AF_INET, packet[12:16])
        else:
            length, protocol, source = 40, packet[6], socket.inet_ntop(socket.AF_INET6, packet[8:24])
        if protocol != socket.IPPROTO_UDP or len(packet) < length + 8:
            return None
        return (source, *struct.unpack_from("!HH", packet, length), packet[length + 8:])

    def stop(self):
        os.close(self.woken)
        self.thread.join(5)
        os.close(self.wake)
        for sock in self.sockets:
            sock.close()


class Wiretap(Packets):
    """What a server gets on one port: of each connection the addresses it came from.

    A QUIC connection is known by the ID that the server has chosen, which is in each packet to it. A client that does
    not know of its move goes on with the ID that it has; so one ID from two addresses is one connection on two paths.
    WireGuard's packets have an index in that place."""

    def __init__(self, lab, port, family, wireguard=False):
        self.port = port
        self.wireguard = wireguard
        self.ids = set()  # that clients have put into their long headers: their own first one, then the server's
        self.seen = {}  # {connection ID: {address: packets}}
        self.sources = {}  # {port of the client: addresses}, since it was last cleared
        self.tried = set()  # (address, port) of each handshake that was begun
        super().__init__(lab, "peer", [f"gw{n}" for n in UPLINKS.values()], family)

    def take(self, interface, at, source, sport, dport, payload):
        if dport != self.port or not payload:
            return
        if not self.wireguard and payload[0] & 0x80:
            self._long_header(source, sport, payload)
            return
        self.sources.setdefault(sport, set()).add(source)
        name = self._index(payload) if self.wireguard else self._connection(payload)
        if name:
            ways = self.seen.setdefault(name, {})
            ways[source] = ways.get(source, 0) + 1

    def _index(self, payload):
        """Of transport data: the receiver's index."""
        return payload[4:8].hex() if payload[0] == 4 and len(payload) >= 32 else None

    def _connection(self, payload):
        return next((i.hex() for i in self.ids if payload.startswith(i, 1)), None)

    def _long_header(self, source, sport, payload):
        if len(payload) < 6:
            return
        if payload[5]:
            self.ids.add(payload[6:6 + payload[5]])
        if payload[1:5] == b"\0\0\0\1" and payload[0] & 0x30 == 0:  # Initial, of version 1
            self.tried.add((source, sport))

    def connections(self):
        """{connection ID: {address: packets}}"""
        with self.lock:
            return {name: dict(ways) for name, ways in self.seen.items()}

    def packets(self):
        return sum(sum(ways.values()) for ways in self.connections().values())

    def on_both(self, first, second):
        """The connections that came from both of these addresses."""
        return [name for name, ways in self.connections().items() if first in ways and second in ways]


class Arrivals(Packets):
    """What comes to the host from a port: when, and over which uplink."""

    def __init__(self, lab, port, family):
        self.port = port
        self.last = None
        self.longest = 0.0
        self.count = {name: 0 for name in UPLINKS}
        super().__init__(lab, "host", list(UPLINKS), family)

    def take(self, interface, at, source, sport, dport, payload):
        if sport != self.port:
            return
        if self.last is not None:
            self.longest = max(self.longest, at - self.last)
        self.last = at
        self.count[interface] += 1

    def begin(self):
        """From here on the longest gap and the packets of each uplink count."""
        with self.lock:
            self.longest = 0.0
            self.count = {name: 0 for name in self.count}

    def gap_ms(self):
        with self.lock:
            return 1000 * self.longest

    def over(self, uplink):
        with self.lock:
            return self.count[uplink]
