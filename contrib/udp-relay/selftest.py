#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a real udp-relay on loopback addresses and speaks to it as its clients do.

    selftest.py UDP_RELAY [TEST ...]      needs no root
"""
import random
import socket
import sys
import time
import unittest

import relay_case
from relay_case import RelayCase, has_ipv6
from selftest_limits import Limits, Members  # noqa: F401
from selftest_program import Program  # noqa: F401

UDP_SEGMENT = 103


class Clients(RelayCase):
    """What quic-relay's clients do, and what went wrong with it there."""

    def test_original_client(self):
        relay = self.relay()
        a, b = self.client(relay), self.client(relay, "127.0.0.2")
        self.assertEqual(a.ask(b"REG:my-session\n"), b"ACK\n")
        self.assertEqual(b.ask(b"REG:my-session\n"), b"ACK\n")
        self.passes(a, b, b"\xc3\x00\x00\x00\x01 an Initial, say")
        self.passes(b, a, b"and its answer")
        self.assertRegex(relay.line("opened").string, r"session my-session opened: 127\.0\.0\.1:\d+ and 127\.0\.0\.2:\d+")

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_ipv6_and_both_families(self):
        relay = self.relay()
        a, b = self.pair(relay, "six", "::1", "::1")
        self.passes(a, b)
        self.passes(b, a)
        a, b = self.pair(relay, "both", "::1", "127.0.0.1")
        self.passes(a, b)
        self.passes(b, a)

    def test_answers_and_forwards_leave_from_the_address_that_was_asked(self):
        relay = self.relay()
        a, b = self.client(relay, asks="127.0.0.7"), self.client(relay, "127.0.0.2", asks="127.1.2.3")
        self.assertEqual(a.register("x"), b"ACK\n")
        self.assertEqual(b.register("x"), b"ACK\n")
        self.passes(a, b)
        self.passes(b, a)

    def test_one_family_or_address_by_bind(self):
        for bind, one in (("127.0.0.1", "127.0.0.1"), ("127.0.0.9", "127.0.0.9"), ("::1", "::1")):
            if bind == "::1" and not has_ipv6():
                continue
            with self.subTest(bind):
                relay = self.relay("--bind", bind)
                a, b = (self.client(relay, one, asks=bind) for _ in range(2))
                self.assertEqual(a.register("x"), b"ACK\n")
                self.assertEqual(b.register("x"), b"ACK\n")
                self.passes(a, b)

    def test_every_size_goes_through(self):
        relay = self.relay()
        a, b = self.pair(relay)
        for size in (0, 1, 3, 4, 1200, 1472, 1473, 9000, 65506, 65507):
            self.passes(a, b, bytes(i * 7 & 255 for i in range(size)))
            self.passes(b, a, b"R" * size)

    def test_everything_goes_through_byte_for_byte_and_in_order(self):
        for offload in ("yes", "no"):
            with self.subTest(offload=offload):
                relay = self.relay("--offload", offload)
                a, b = self.pair(relay)
                dice = random.Random(7)
                for _ in range(100):
                    size = dice.choice((0, 5, 100, 1200, 1200, 1452, 3000))
                    many = [dice.randbytes(dice.choice((size, size, size, size // 2)))
                            for _ in range(20)]
                    for one in many:
                        a.send(one)
                    for one in many:
                        self.assertEqual(b.receive(), one)

    def test_a_train_arrives_as_its_datagrams(self):
        for offload in ("yes", "no"):
            with self.subTest(offload=offload):
                relay = self.relay("--offload", offload)
                a, b = self.pair(relay)
                train = random.Random(8).randbytes(1200 * 50 + 17)
                try:
                    a.socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
                except OSError:
                    self.skipTest("the kernel has no UDP GSO")
                a.send(train)
                for at in range(0, len(train), 1200):
                    self.assertEqual(b.receive(), train[at:at + 1200])
                # in it: a registration, a question, and what only looks so
                a.socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 64)
                a.send(b"".join(part.ljust(64) for part in (b"1", b"REG:room", b"REG:x", b"LEASE:room", b"2")))
                self.assertEqual([b.receive() for _ in range(3)],
                                 [part.ljust(64) for part in (b"1", b"REG:x", b"2")])
                self.assertEqual(a.receive(), b"ACK\n")
                self.assertEqual(a.receive()[:6], b"LEASE:")

    def test_members_with_different_sockets_of_the_relay(self):
        relay = self.relay("--threads", "4", "--max-circuits-per-address", "64")
        pairs = [self.pair(relay, "session %d" % i) for i in range(40)]
        for _ in range(5):
            for i, (a, b) in enumerate(pairs):
                a.send(b"a%d" % i)
                b.send(b"b%d" % i)
            for i, (a, b) in enumerate(pairs):
                self.assertEqual((a.receive(), b.receive()), (b"b%d" % i, b"a%d" % i))

    def test_third_member_is_refused_and_changes_nothing(self):
        relay = self.relay()
        a, b = self.pair(relay, one="127.0.0.1", other="127.0.0.2")
        c = self.client(relay, "127.0.0.3")
        self.assertEqual(c.register("room"), b"ERR:full\n")
        self.assertEqual(c.ask(b"from the third one"), b"ERR:unknown\n")
        self.passes(a, b)
        self.passes(b, a)

    def test_nat_port_change_is_followed(self):
        """By data, and by REG; nobody moves who is not silent."""
        relay = self.relay()
        a, b = self.pair(relay, one="127.0.0.1", other="127.0.0.2")
        began = time.monotonic()
        self.passes(a, b)
        moved = self.client(relay, "127.0.0.1")
        while True: # its data is not heeded until the old port has been silent for 2 s
            moved.send(b"data from a new port")
            answer = b.receive(0.1)
            if answer is not None:
                break
            self.assertLess(time.monotonic(), began + relay_case.PATIENCE)
        self.assertEqual(answer, b"data from a new port")
        self.assertGreater(time.monotonic(), began + 1.9)
        self.drained(moved, "room") # what was on its way when it was heeded is there
        while b.receive(0) is not None:
            pass
        self.passes(b, moved)
        again = self.client(relay, "127.0.0.1")
        while again.register("room") != b"ACK\n":
            self.assertLess(time.monotonic(), began + 2 * relay_case.PATIENCE)
            time.sleep(0.1) # not more than REG allows
        self.passes(b, again)
        self.passes(again, b)

    def test_rebind_register_follows_no_data(self):
        relay = self.relay("--rebind", "register")
        a, b = self.pair(relay, one="127.0.0.1", other="127.0.0.2")
        moved, began = self.client(relay, "127.0.0.1"), time.monotonic()
        while time.monotonic() < began + 3:
            self.assertEqual(moved.ask(b"data from a new port"), b"ERR:unknown\n")
            self.assertIsNone(b.receive(1.05)) # told once a second
        self.assertEqual(moved.register("room"), b"ACK\n")
        self.passes(b, moved)

    def test_answers_are_not_longer_than_questions(self):
        relay = self.relay("--service", "no")
        a = self.client(relay)
        a.send(b"REG:abc")   # ERR:off and LF are 8 bytes
        self.assertEqual(a.ask(b"REG:abcd"), b"ERR:off\n")
        self.assertIsNone(a.receive(0))
        self.assertEqual(a.ask(b"twelve bytes"), b"ERR:unknown\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    relay_case.PROGRAM = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
