# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "route": what the kernel says is judged when it has settled. A real kernel in a
network namespace with two uplinks; what is no change moves nobody."""

import subprocess
import sys
import unittest

import netns
from test_route import UNUSABLE, RouteCase

# Sent from the gateway up0 leads to: a packet from the host to the peer is better sent to another
# one on the same link. An error about a socket that is not there is dropped by IPv4.
REDIRECT4 = """
import socket, struct
def sum16(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, socket.inet_aton("10.77.1.2"),
                 socket.inet_aton("192.0.2.1"))
ip = ip[:10] + struct.pack("!H", sum16(ip)) + ip[12:] + struct.pack("!HHHH", 40000, 443, 8, 0)
body = socket.inet_aton("10.77.1.254") + ip
icmp = struct.pack("!BBH", 5, 1, sum16(struct.pack("!BBH", 5, 1, 0) + body)) + body
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.bind(("10.77.1.1", 0))
raw.sendto(icmp, ("10.77.1.2", 0))
"""
REDIRECT6 = """
import socket
better, peer = (socket.inet_pton(socket.AF_INET6, text) for text in ("fe80::254", "2001:db8::1"))
icmp = bytes([137, 0, 0, 0]) + bytes(4) + better + peer + bytes([2, 1, 2, 0, 0, 0, 2, 84])
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
raw.bind(("fe80::1", 0, 0, socket.if_nametoindex("r0")))
raw.sendto(icmp, ("fe80::2", 0, 0, socket.if_nametoindex("r0")))
"""
SOCKET = """
import socket, sys
family, local, remote = (socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET), *sys.argv[1:]
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.bind((local, 40000))
udp.connect((remote, 443))
udp.send(b"x")
print("sent", flush=True)
sys.stdin.read()
"""


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Redirects(RouteCase):
    """A gateway that an ICMP redirect names is an exception of one destination, and no other
    route: not when it is learned, and not at an event after it."""

    def used(self, local, remote):
        """A socket of the host that has used the route, and lives."""
        child = subprocess.Popen([*self.host.prefix, sys.executable, "-c", SOCKET, local, remote],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.wait, 10)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stdin.close)
        self.assertEqual(child.stdout.readline(), "sent\n")

    def far(self, code):
        netns.run("ip", "netns", "exec", self.host.far, sys.executable, "-c", code)

    def redirected(self, remote, gateway, redirect):
        """The kernel takes one where it has used the route, which is sent to until it does."""
        def learned():
            self.far(redirect)
            return self.host.way(remote).get("gateway") == gateway
        self.wait_until(learned, "the redirect")

    def wait_until(self, condition, what, timeout=20):
        self.dogs[-1].wait_for(condition, timeout, what=what)

    def test_ipv4(self):
        node, dog = self.start(peers=2)
        for number in ("all", "up0"):
            self.host.sysctl(f"net.ipv4.conf.{number}.accept_redirects=1")
            self.host.sysctl(f"net.ipv4.conf.{number}.secure_redirects=0")
        netns.run("ip", "-n", self.host.far, "addr", "add", "10.77.1.1/24", "dev", "r0")
        netns.run("ip", "-n", self.host.far, "addr", "add", "10.77.1.254/24", "dev", "r0")
        self.used("10.77.1.2", "192.0.2.1")
        self.redirected("192.0.2.1", "10.77.1.254", REDIRECT4)
        node.add("late@h", 20, remote="192.0.2.1:443")  # it was not there before
        node.wait_rounds(1)
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])
        self.host.default("up1")
        for conn in (1, 2, 20):
            reason = dog.decision("migrate", conn=conn)["reason"]
            self.assertIn("up0 via 10.77.1.1 → up1", reason)

    def test_ipv6(self):
        node, dog = self.start(peers=1)
        self.host.ip("addr", "add", "fe80::2/64", "dev", "up0", "nodad")
        for address in ("fe80::1/64", "fe80::254/64"):
            netns.run("ip", "-n", self.host.far, "addr", "add", address, "dev", "r0", "nodad")
        self.host.ip("-6", "route", "replace", "default", "via", "fe80::1", "dev", "up0")
        for number in ("all", "up0"):
            self.host.sysctl(f"net.ipv6.conf.{number}.accept_redirects=1")
        node.add("six@h", 20, remote="[2001:db8::1]:443")
        node.wait_rounds(1)
        self.used("fd77:1::2", "2001:db8::1")
        self.redirected("2001:db8::1", "fe80::254", REDIRECT6)
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])
        self.host.default6("up1")
        self.assertIn("up0 via fe80::1 → up1", dog.decision("migrate", conn=20)["reason"])
