# SPDX-License-Identifier: Apache-2.0
"""A host with two uplinks and a LAN, a client in the LAN, and a server behind both uplinks, for
tests of the mover; and traffic whose server follows the client's address, as QUIC's does.

$MOVER_TRY is the built program. Has no tests.
"""
import contextlib
import ctypes
import os
import select
import socket
import struct
import subprocess
import threading
import time
import unittest

MOVER_TRY = os.environ.get("MOVER_TRY", "mover-try")
PREFIX = f"fm{os.getpid()}"
PATIENCE_S = float(os.environ.get("PATIENCE_S", "60"))
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
SERVER = {4: "10.9.0.1", 6: "fd09::1"}
HOST = {4: "10.1.0.2", 6: "fd01::2"}
CLIENT = {4: "10.7.0.7", 6: "fd07::7"}
SECOND = {4: "10.2.0.2", 6: "fd02::2"}

# What an Internet provider does: nobody else's address comes from a customer.
PROVIDER = """
table inet provider {
  counter wrong {}
  counter unreachable {}
  chain in { type filter hook prerouting priority -350; policy accept;
    icmp type destination-unreachable counter name unreachable
    icmpv6 type destination-unreachable counter name unreachable
    iifname s1 ip saddr 10.2.0.0/24 counter name wrong drop
    iifname s2 ip saddr != 10.2.0.0/24 counter name wrong drop
    iifname s1 ip6 saddr fd02::/64 counter name wrong drop
    iifname s2 ip6 saddr != { fd02::/64, fe80::/10 } counter name wrong drop
  }
  chain dead_in { type filter hook prerouting priority -340; policy accept; }
  chain dead_out { type filter hook postrouting priority 340; policy accept; }
}
"""
MASQUERADE = """
table inet admin { chain post { type nat hook postrouting priority 100;
  oifname { "up1", "up2" } masquerade; }; }
"""


def run(*words, check=True, text=None):
    done = subprocess.run(words, text=True, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=5 * PATIENCE_S)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stderr}")
    return done.stdout


def wait_for(what, condition, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.01)


@contextlib.contextmanager
def namespace(part):
    """Sockets that are made inside belong to the namespace also afterwards."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{PREFIX}-{part}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {part}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


class Mover:
    """mover-try in the host's namespace."""

    def __init__(self, *uplinks, before=(), part="h"):
        self.lines = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", f"{PREFIX}-{part}", *before, MOVER_TRY, *uplinks],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def line(self, start, after=0):
        """Waits for a line that begins so; at most after a line "error"."""
        def found():
            for line in self.lines[after:]:
                if line.startswith(start):
                    return line
            if self.process.poll() is not None and not self.reader.is_alive():
                raise AssertionError(f"ended before '{start}': {self.lines}")
            return None
        return wait_for(f"'{start}' of {self.lines[-5:]}", found)

    def tell(self, *commands):
        self.process.stdin.write("".join(command + "\n" for command in commands))
        self.process.stdin.flush()

    def commit(self, *commands):
        after = len(self.lines)
        self.tell(*commands, "commit")
        line = wait_for("an answer", lambda: next(
            (line for line in self.lines[after:]
             if line.startswith("committed") or line.startswith("error commit")), None))
        if line.startswith("error"):
            raise AssertionError(line)
        return {key: int(value) for key, value in
                (word.split("=") for word in line.split()[1:])}

    def flows(self):
        after = len(self.lines)
        self.tell("each")
        self.line("end", after)
        return sorted(line[5:] for line in self.lines[after:] if line.startswith("flow "))

    def end(self, command="quit"):
        if self.process.poll() is None:
            self.tell(command)
        self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.returncode


class Traffic:
    """A numbered datagram each way every `pause_s`, each with its time. The server sends to where
    the newest came from, as RFC 9000, section 9.3, has it; it never sends first."""

    def __init__(self, case, part, family, address=None, pause_s=0.001, port=443):
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        with namespace("s"):
            self.server = socket.socket(kind, socket.SOCK_DGRAM)
        self.server.bind((SERVER[family], port))
        with namespace(part):
            self.client = socket.socket(kind, socket.SOCK_DGRAM)
        self.client.bind((address or (HOST if part == "h" else CLIENT)[family], 0))
        self.client.connect((SERVER[family], port))
        for sock in (self.server, self.client):
            sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
            sock.setblocking(False)
        self.pause_s = pause_s
        self.sent = self.answered = 0  # by the client, by the server
        self.at_server, self.at_client = set(), set()
        self.errors, self.peers = [], []
        self.newest = -1
        self.first = 0, 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()
        case.addCleanup(self.stop)
        self.begin()

    def name(self):
        near, far = (sock[0] if ":" not in sock[0] else f"[{sock[0]}]" for sock in
                     (self.client.getsockname(), self.client.getpeername()))
        return (f"udp:{far}:{self.client.getpeername()[1]}"
                f"#{near}:{self.client.getsockname()[1]}")

    def send(self):
        try:
            self.client.send(struct.pack("!q", self.sent))
        except BlockingIOError:
            pass  # full of what waits for the neighbour of the new way
        except OSError as error:
            self.errors.append(error.errno)
        self.sent += 1
        if self.peers:
            try:
                self.server.sendto(struct.pack("!q", self.answered), self.peers[-1])
                self.answered += 1
            except OSError:
                pass  # its way is dead

    def receive(self, timeout_s):
        ready, _, _ = select.select([self.server, self.client], [], [], max(timeout_s, 0))
        if self.server in ready:
            data, peer = self.server.recvfrom(64)
            number, = struct.unpack("!q", data)
            self.at_server.add(number)
            if number > self.newest:
                self.newest = number
                if not self.peers or peer[:2] != self.peers[-1][:2]:
                    self.peers.append(peer)
        if self.client in ready:
            try:
                self.at_client.add(struct.unpack("!q", self.client.recv(64))[0])
            except OSError as error:
                self.errors.append(error.errno)

    def loop(self):
        due = time.monotonic()
        while not self.stopped.is_set():
            now = time.monotonic()
            if now >= due:
                self.send()
                due = max(due + self.pause_s, now - 0.1)
            self.receive(due - time.monotonic())
        end = time.monotonic() + 0.3  # what is under way
        while time.monotonic() < end:
            self.receive(0.02)

    def wait(self, what="answers", count=50):
        """Until so many more have come back, to what was sent from now on."""
        first = self.answered
        wait_for(what, lambda: sum(1 for n in tuple(self.at_client) if n >= first) >= count)

    def begin(self):
        """Neighbours are known, and everything is counted from here on."""
        self.wait("first answers")
        self.errors.clear()
        self.first = self.sent, self.answered

    def stop(self):
        if self.stopped.is_set():
            return
        self.stopped.set()
        self.thread.join(PATIENCE_S)
        self.server.close()
        self.client.close()

    def lost(self):
        return (sum(1 for n in range(self.first[0], self.sent) if n not in self.at_server),
                sum(1 for n in range(self.first[1], self.answered) if n not in self.at_client))


class LabCase(unittest.TestCase):
    def part(self, part, *words, **options):
        return run("ip", "netns", "exec", f"{PREFIX}-{part}", *words, **options)

    def ip(self, part, text):
        run("ip", "-n", f"{PREFIX}-{part}", *text.split())

    def nft(self, part, text):
        return self.part(part, "nft", "-f", "-", text=text)

    def setUp(self):
        self.addCleanup(self.destroy)
        for part in ("h", "l", "s"):
            run("ip", "netns", "add", f"{PREFIX}-{part}")
            self.ip(part, "link set lo up")
            self.part(part, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
                      "net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.default.accept_dad=0",
                      "net.ipv6.conf.all.accept_dad=0", "net.ipv4.ip_forward=1",
                      "net.ipv6.conf.all.forwarding=1")
        for k in (1, 2):
            self.ip("h", f"link add up{k} type veth peer name s{k} netns {PREFIX}-s")
            for part, link, last in (("h", "up", 2), ("s", "s", 1)):
                self.ip(part, f"address add 10.{k}.0.{last}/24 dev {link}{k}")
                self.ip(part, f"address add fd0{k}::{last}/64 dev {link}{k} nodad")
                self.ip(part, f"link set {link}{k} up")
            self.default_route(k)
        self.ip("h", f"link add lan type veth peer name eth0 netns {PREFIX}-l")
        for part, link, last in (("h", "lan", 1), ("l", "eth0", 7)):
            self.ip(part, f"address add 10.7.0.{last}/24 dev {link}")
            self.ip(part, f"address add fd07::{last}/64 dev {link} nodad")
            self.ip(part, f"link set {link} up")
        self.ip("l", "route add default via 10.7.0.1")
        self.ip("l", "route add default via fd07::1")
        self.ip("s", "address add 10.9.0.1/32 dev lo")
        self.ip("s", "address add fd09::1/128 dev lo nodad")
        self.ip("s", "route add 10.7.0.0/24 via 10.1.0.2")
        self.ip("s", "route add fd07::/64 via fd01::2")
        self.nft("s", PROVIDER)

    def default_route(self, k):
        for gateway in (f"10.{k}.0.1", f"fd0{k}::1"):
            self.ip("h", f"route add default via {gateway} dev up{k} metric {k}00")

    def destroy(self):
        for part in ("h", "l", "s"):
            run("ip", "netns", "del", f"{PREFIX}-{part}", check=False)

    def die(self, k):
        """The uplink, silently."""
        self.nft("s", f"add rule inet provider dead_in iifname s{k} drop\n"
                      f"add rule inet provider dead_out oifname s{k} drop\n")

    def counter(self, name):
        return int(self.part("s", "nft", "list", "counter", "inet", "provider", name)
                   .split("packets")[1].split()[0])

    def mover(self, *uplinks, **options):
        mover = Mover(*uplinks, **options)
        self.addCleanup(mover.end)
        mover.line("ready")
        return mover

    def ours(self):
        """All that a mover may have made."""
        left = []
        if "pathdog_flows" in self.part("h", "nft", "list", "tables"):
            left.append("table")
        for family in ("-4", "-6"):
            left += [line for line in self.part("h", "ip", family, "rule").splitlines()
                     if "177" in line]
            left += self.part("h", "ip", family, "route", "show", "table", "all", "proto",
                              "177").splitlines()
        return left
