# SPDX-License-Identifier: Apache-2.0
"""A lab for the tests beside this: a host with two uplinks, a machine in its LAN, a server that all
uplinks lead to, and plain UDP programs in them. Everything is local, in namespaces named fn-…"""
import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "quic-node"))
from selftest_pathdog import Pathdog  # noqa: E402

PROGRAM = "./flow-node"
PREFIX = "fn-%d" % os.getpid()
HOST, SERVER, LAN = PREFIX + "-h", PREFIX + "-s", PREFIX + "-l"
# More than a slow and busy machine needs; what must come is waited for that long.
PATIENCE = 60
SERVICE = {4: "192.0.2.7", 6: "2001:db8:7::7"}
ADDRESS = {4: {"up0": "10.0.0.1", "up1": "10.0.1.1"}, 6: {"up0": "fd00:0::1", "up1": "fd00:1::1"}}
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def run(*words, check=True, **options):
    done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=5 * PATIENCE, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stderr}")
    return done.stdout


def inside(name, *words, check=True):
    return run("ip", "netns", "exec", name, *words, check=check)


@contextlib.contextmanager
def namespace(name):
    """Sockets that are made inside belong to the namespace also afterwards."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


def wait_for(what, condition, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.02)


def address_of(end):
    return end.rsplit(":", 1)[0].strip("[]")


class Server:
    """Answers each datagram to where it came from. What begins with `!` is answered only at the
    address where it was heard first: that is a server that forbids migration."""

    def __init__(self, family=4, port=443):
        with namespace(SERVER):
            self.sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
            self.sock.bind((SERVICE[family], port))
        self.first, self.seen, self.mute, self.over = {}, {}, False, False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.over:
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            try:
                data, source = self.sock.recvfrom(65536)
            except OSError:
                continue
            name = data.split(b" ")[0].decode()
            self.seen.setdefault(name, [])
            if source[0] not in self.seen[name]:
                self.seen[name].append(source[0])
            first = self.first.setdefault(name, source)
            if self.mute or (name.startswith("!") and source[0] != first[0]):
                continue
            with contextlib.suppress(OSError):
                self.sock.sendto(data, source)

    def close(self):
        self.over = True
        self.thread.join()
        self.sock.close()


class Client:
    """One flow: a datagram each `every` seconds while it runs; what comes back is counted."""

    def __init__(self, name, family=4, where=HOST, port=443, every=0.02, size=500, sock=None):
        self.name, self.family, self.every, self.size, self.peer = name, family, every, size, port
        with namespace(where):
            self.sock = sock or socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6,
                                              socket.SOCK_DGRAM)
            self.sock.connect((SERVICE[family], port))
        self.address, self.port = self.sock.getsockname()[:2]
        self.sent = self.received = 0
        self.running, self.over = True, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        due = time.monotonic()
        while not self.over:
            if self.running and time.monotonic() >= due:
                with contextlib.suppress(OSError):
                    self.sock.send(b"%s %d " % (self.name.encode(), self.sent) + b"x" * self.size)
                    self.sent += 1
                due = time.monotonic() + self.every
            if select.select([self.sock], [], [], max(0.001, min(0.05, due - time.monotonic())))[0]:
                with contextlib.suppress(OSError):
                    self.sock.recv(65536)
                    self.received += 1

    def more(self, n=3, what="answers"):
        before = self.received
        wait_for(f"{n} {what} of {self.name}", lambda: self.received >= before + n)

    def close(self):
        self.over = True
        self.thread.join()
        self.sock.close()


class Node:
    """One flow-node in the host's namespace."""

    def __init__(self, directory, *args, wait=True, under=()):
        self.socket = os.path.join(directory, "node.sock")
        # AddressSanitizer keeps what was freed, by default 256 MiB of it: memory could not be measured.
        options = os.environ.get("ASAN_OPTIONS", "")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", HOST, *under, PROGRAM, "--socket", self.socket, "--min-age", "100ms",
             "--min-bytes", "1000", "--log", "text", *args],
            env=dict(os.environ, ASAN_OPTIONS=f"{options}:quarantine_size_mb=1"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if wait:
            self.line("ready: ")

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    def line(self, pattern):
        return wait_for(f"a line with {pattern!r}: {self.lines}",
                        lambda: next((l for l in self.lines if re.search(pattern, l)), None))

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(PATIENCE)
        self.thread.join()
        self.process.stderr.close()
        return status


def setup():
    for name in (HOST, SERVER, LAN):
        run("ip", "netns", "add", name)
        inside(name, "ip", "link", "set", "lo", "up")
        inside(name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
               "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    for i, uplink in enumerate(("up0", "up1")):
        run("ip", "link", "add", uplink, "netns", HOST, "type", "veth", "peer", "name", f"s{i}", "netns", SERVER)
        inside(HOST, "ip", "addr", "add", f"10.0.{i}.1/24", "dev", uplink)
        inside(HOST, "ip", "addr", "add", f"fd00:{i}::1/64", "dev", uplink, "nodad")
        inside(SERVER, "ip", "addr", "add", f"10.0.{i}.2/24", "dev", f"s{i}")
        inside(SERVER, "ip", "addr", "add", f"fd00:{i}::2/64", "dev", f"s{i}", "nodad")
        inside(HOST, "ip", "link", "set", uplink, "up")
        inside(SERVER, "ip", "link", "set", f"s{i}", "up")
        for family, gateway in (("-4", f"10.0.{i}.2"), ("-6", f"fd00:{i}::2")):
            inside(HOST, "ip", family, "route", "add", "default", "via", gateway, "dev", uplink,
                   "metric", str(100 + i * 100))
    run("ip", "link", "add", "lan0", "netns", HOST, "type", "veth", "peer", "name", "eth0", "netns", LAN)
    for name, device, host in ((HOST, "lan0", 1), (LAN, "eth0", 2)):
        inside(name, "ip", "addr", "add", f"10.9.0.{host}/24", "dev", device)
        inside(name, "ip", "addr", "add", f"fd00:9::{host}/64", "dev", device, "nodad")
        inside(name, "ip", "link", "set", device, "up")
    inside(LAN, "ip", "route", "add", "default", "via", "10.9.0.1")
    inside(LAN, "ip", "-6", "route", "add", "default", "via", "fd00:9::1")
    inside(SERVER, "ip", "addr", "add", SERVICE[4] + "/32", "dev", "lo")
    inside(SERVER, "ip", "addr", "add", SERVICE[6] + "/128", "dev", "lo")
    inside(HOST, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
           "net.netfilter.nf_conntrack_acct=1", "net.netfilter.nf_conntrack_timestamp=1")
    wait_for("the interfaces", lambda: "state UP" in inside(HOST, "ip", "link", "show", "up1"))


def teardown():
    for name in (HOST, SERVER, LAN):
        run("ip", "netns", "del", name, check=False)


def cut(device, on=True):
    """The server takes nothing from that uplink any more: it dies without a word."""
    inside(SERVER, "nft", "add table inet cut; flush table inet cut; add chain inet cut in { type filter hook "
           "prerouting priority -300; }; " + (f"add rule inet cut in iifname {device} udp dport 1-65535 drop;"
                                              if on else ""))


def elements():
    """How many flows the node's table moves."""
    text = inside(HOST, "nft", "-j", "list", "table", "inet", "pathdog_flows", check=False)
    if not text:
        return None
    return sum(len(item["map"].get("elem", [])) for item in json.loads(text)["nftables"]
               if item.get("map", {}).get("name") in ("flows4", "flows6"))


@contextlib.contextmanager
def owned_table(name="pathdog_flows"):
    """It belongs to a process: nobody else may change it, and it goes with its owner."""
    content = ("table inet %s { flags owner; map flows4 { type ipv4_addr . ipv4_addr . inet_service . inet_service "
               ": verdict; }; }\n" % name)
    owner = subprocess.Popen(["ip", "netns", "exec", HOST, "nft", "-i"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        owner.stdin.write(f"add table inet {name}; delete table inet {name}; {content}")
        owner.stdin.flush()
        wait_for("the table is owned", lambda: "owner" in inside(HOST, "nft", "list", "ruleset"))
        yield
    finally:
        owner.stdin.close()
        owner.wait(PATIENCE)


def left_behind():
    """What a node has left in the kernel."""
    return [line for line in (inside(HOST, "nft", "list", "tables") + inside(HOST, "ip", "rule") +
                              inside(HOST, "ip", "-6", "rule")).splitlines()
            if "pathdog" in line or line.startswith("900:")]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        setup()

    @classmethod
    def tearDownClass(cls):
        teardown()

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="flow-node-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.addCleanup(cut, "s0", False)
        self.node = None

    def server(self, **options):
        server = Server(**options)
        self.addCleanup(server.close)
        return server

    def client(self, name, **options):
        client = Client(name, **options)
        self.addCleanup(client.close)
        return client

    def start(self, *args, **options):
        """A node, and pathdog's end of its socket."""
        node = Node(self.directory, *args, **options)
        self.addCleanup(node.stop)
        return node, self.connect(node)

    def connect(self, node):
        pathdog = Pathdog(node.socket)
        self.addCleanup(pathdog.close)
        pathdog.start()
        return pathdog

    def told(self, pathdog, client, server=None):
        """Its connection, once it is told."""
        end = f"{SERVICE[client.family]}" if client.family == 4 else f"[{SERVICE[client.family]}]"
        name = re.compile(rf"udp:{re.escape(end)}:{client.peer}#(.*:)?{client.port}(@.*)?$")

        def conn():
            found = [c for c, p in pathdog.peers.items() if name.match(p["peer"])]
            return max(found) if found else None
        pathdog.pump(conn, 10, f"{name.pattern} told: {pathdog.peers}")
        return conn()

    def migrate(self, pathdog, conn, interface=None, timeout_ms=5000):
        params = {"conn": conn, "timeout_ms": timeout_ms, "reason": "selftest"}
        if interface:
            params["interface"] = interface
        return pathdog.ask("migrate_peer", params, seconds=30)
