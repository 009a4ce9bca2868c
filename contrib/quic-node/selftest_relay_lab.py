# SPDX-License-Identifier: Apache-2.0
"""Relays for the tests of selftest_relay.py: processes and what stands between nodes and them, and what a test does with them.

Each relay has a namespace between the two nodes and an address of its own. They are udp-relay if $UDP_RELAY says where
it is, and always also a relay that behaves as quic-relay does (selftest_oldrelay.py).
"""
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from selftest_pathdog import PATIENCE

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netshim"))
from lab_case import namespace  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
UDP_RELAY = os.environ.get("UDP_RELAY")
PORT = 4433
ADDRESSES = {"A": "10.99.20.1", "B": "10.99.20.2", "C": "10.99.20.3"}
needs_udp_relay = unittest.skipUnless(UDP_RELAY, "UDP_RELAY does not say where udp-relay is")


class Relay:
    """A relay's process."""

    def __init__(self, ns, name, old, *options):
        command = (["python3", os.path.join(HERE, "selftest_oldrelay.py"), ADDRESSES[name], str(PORT)] if old else
                   [UDP_RELAY, "--bind", ADDRESSES[name], "--port", str(PORT), "--control", "none", *options])
        self.name, self.ns, self.address = name, ns, ADDRESSES[name]
        self.process = subprocess.Popen(["ip", "netns", "exec", ns, *command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.wait()

    def wait(self):
        """It answers: an id that is nobody's."""
        with namespace(self.ns):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.connect((self.address, PORT))
            deadline = time.monotonic() + 10 * PATIENCE
            while time.monotonic() < deadline:
                try:
                    sock.send(b"REG:is-it-there\n")
                    if select.select([sock], [], [], 0.1)[0] and sock.recv(100) == b"ACK\n":
                        return
                except ConnectionRefusedError:
                    time.sleep(0.02)
        raise AssertionError("the relay does not answer")

    def end(self, how=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()
        self.process.stdout.close()


class Talker(threading.Thread):
    """A relay that has one answer to whatever it is asked; None: none."""

    def __init__(self, ns, name, answer):
        super().__init__(daemon=True)
        with namespace(ns):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((ADDRESSES[name], PORT))
        self.answer, self.asked = answer, []
        self.sock.settimeout(0.05)
        self.over = False
        self.start()

    def run(self):
        while not self.over:
            try:
                data, source = self.sock.recvfrom(65536)
            except TimeoutError:
                continue
            self.asked.append(data)
            if self.answer:
                self.sock.sendto(self.answer, source)

    def end(self):
        self.over = True
        self.join()
        self.sock.close()


class Babbler(Talker):
    """One that answers each datagram with many, of all kinds and none, and everybody who ever asked."""

    def run(self):
        random_, sources = random.Random(1), []
        self.sock.settimeout(0.001)
        self.said = 0
        while not self.over:
            try:
                source = self.sock.recvfrom(65536)[1]
                sources = [s for s in sources if s != source][-20:] + [source]
            except (TimeoutError, ConnectionRefusedError):
                pass
            for source in sources:
                word = random_.choice((b"ACK\n", b"ERR:full\n", b"ERR:unknown\n", b"ERR:limit\n", b"ERR:off\n", b"ERR:",
                                       b"LEASE:1,2\n", b"LEASE:-,-\n", b"LEASE:" + 40 * b"9" + b",1\n", b"REG:x\n", b"",
                                       random_.randbytes(random_.randrange(1500)), b"\x40" + random_.randbytes(60),
                                       b"\xc0\0\0\0\1" + random_.randbytes(1195)))
                try:
                    self.sock.sendto(word, source)
                    self.said += 1
                except ConnectionRefusedError:
                    pass


class Nat(threading.Thread):
    """Between alpha and a relay: one mapping for each of alpha's sockets, all of which can get another port."""

    def __init__(self, ns, to):
        super().__init__(daemon=True)
        self.ns, self.to, self.over = ns, to, False
        with namespace(ns):
            self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.inside.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.inside.getsockname()[1]
        self.mappings = {}  # alpha's address and port: socket
        self.rebinds = threading.Event()
        self.ports = []
        self.start()

    def mapping(self, source):
        if source not in self.mappings:
            with namespace(self.ns):
                out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                out.connect(self.to)
            self.ports.append(out.getsockname()[1])
            self.mappings[source] = out
        return self.mappings[source]

    def rebind(self):
        self.rebinds.set()

    def run(self):
        while not self.over:
            if self.rebinds.is_set():
                old = self.mappings
                self.mappings = {}
                for source in old:  # the old ports are still taken: the new ones are others
                    self.mapping(source)
                for out in old.values():
                    out.close()
                self.rebinds.clear()
            backwards = {out: source for source, out in self.mappings.items()}
            for sock in select.select([self.inside, *backwards], [], [], 0.05)[0]:
                try:
                    if sock is self.inside:
                        data, source = sock.recvfrom(65536)
                        self.mapping(source).send(data)
                    else:
                        self.inside.sendto(sock.recv(65536), backwards[sock])
                except ConnectionRefusedError:
                    pass

    def end(self):
        self.over = True
        self.join()
        for sock in (self.inside, *self.mappings.values()):
            sock.close()


class WithRelays:
    """Mixed into selftest.py's Net, which has the network and the nodes."""

    program = None  # the node

    def between(self):
        """A namespace between the two; each has two links to it. All relays' addresses are in there."""
        self.r = self.a[:-1] + "r"
        self.ip_plain("netns", "add", self.r)
        self.addCleanup(self.ip_plain, "netns", "del", self.r)
        self.ip(self.r, "link", "set", "lo", "up")
        for ns, device, net in ((self.a, "rel1", 11), (self.a, "rel2", 13), (self.b, "rel3", 12),
                                (self.b, "rel4", 14)):
            self.ip(ns, "link", "add", device, "type", "veth", "peer", "name", "to" + device, "netns", self.r)
            for where, dev, host in ((ns, device, 1), (self.r, "to" + device, 2)):
                self.ip(where, "addr", "add", "10.99.%d.%d/24" % (net, host), "dev", dev)
                self.ip(where, "link", "set", dev, "up")
            self.wait_link(ns, device)
        for address in ADDRESSES.values():
            self.ip(self.r, "addr", "add", address + "/32", "dev", "lo")
        self.route_relays(11)
        self.ip(self.b, "route", "add", "10.99.20.0/24", "via", "10.99.12.2")

    def ip_plain(self, *words):
        done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def route_relays(self, net):
        self.ip(self.a, "route", "replace", "10.99.20.0/24", "via", "10.99.%d.2" % net)

    def relay(self, name, *options, old=False):
        if not hasattr(self, "r"):
            self.between()
        relay = Relay(self.r, name, old or not UDP_RELAY, *options)
        self.addCleanup(relay.end)
        return relay

    def talker(self, name, answer):
        if not hasattr(self, "r"):
            self.between()
        talker = Talker(self.r, name, answer)
        self.addCleanup(talker.end)
        return talker

    @staticmethod
    def knows(names, **others):
        """The options that tell a node of relays."""
        at = {name: "%s:%d" % (ADDRESSES[name], PORT) for name in names}
        at.update(others)
        return [word for name, address in at.items() for word in ("--relay", name + "=" + address)]

    def pair_with(self, names, alpha=(), bravo=(), **others):
        return self.pair(alpha=[*self.knows(names, **others), *alpha], bravo=[*self.knows(names), *bravo])

    def pair_over(self, name, names="A", alpha=(), bravo=(), there=None, **others):
        """The same, dialled through a relay. Bravo listens on no address. `others`: where alpha's relays are, if that
        is elsewhere; `there`: bravo's."""
        b = self.node(self.b, "bravo", *self.knows(names, **(there or {})), "--meet", "alpha=" + name, *bravo)
        a = self.node(self.a, "alpha", *self.knows(names, **others), "--dial", "bravo=10.99.0.2:9100", "--via", name,
                      *alpha)
        pa, pb = self.pathdog(a), self.pathdog(b)
        return a, b, pa, pb, pa.wait_up("bravo"), pb.wait_up("alpha")

    def stands(self, b, name, start=0):
        """Bravo has registered for the connection at that relay."""
        deadline = time.monotonic() + 10 * PATIENCE
        while not any(line.startswith("relay ") and " relay=%s " % name in line and line.endswith("state=registered")
                      for line in b.log[start:]):
            if time.monotonic() > deadline or not b.read(deadline - time.monotonic()):
                raise AssertionError("bravo has not registered at %s: %s" % (name, "\n".join(b.log)))

    def move(self, pathdog, conn, via=None, timeout_ms=10000, **where):
        params = {"conn": conn, "timeout_ms": timeout_ms, "reason": "test", **where}
        if via:
            params["via"] = via
        return pathdog.ask("migrate_peer", params, seconds=15)

    def moves(self, pathdog, conn, via=None, **where):
        answer = self.move(pathdog, conn, via, **where)
        self.assertIn("result", answer, (via, where))
        self.assertTrue(answer["result"]["validated"], answer)
        return answer

    def refuses(self, pathdog, conn, via, code, text, **where):
        answer = self.move(pathdog, conn, via, **where)
        self.assertEqual(answer.get("error", {}).get("code"), code, answer)
        if text:
            self.assertRegex(answer["error"]["message"], text)

    def is_via(self, via, *ends):
        """Both ends say so."""
        for pathdog, conn in ends:
            pathdog.pump(lambda p=pathdog, c=conn: p.peers[c]["via"] == via, 10, "via " + via)
            if via != "direct":
                self.assertEqual(pathdog.peers[conn]["remote"], "%s:%d" % (ADDRESSES[via], PORT))

    @staticmethod
    def ids(node, state="registered"):
        """Of its registrations, in their order."""
        while node.read(0):
            pass
        found = (re.match(r"relay .*\bid=(\w+) .*\bstate=%s\b" % state, line) for line in node.log)
        return [match.group(1) for match in found if match]
