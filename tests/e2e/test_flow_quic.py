# SPDX-License-Identifier: Apache-2.0
"""A QUIC client that has never heard of pathdog, on a host with three uplinks or in the LAN behind it: its flow is
moved from outside, and the connection goes on. quic-node is that client, without --socket; it counts each byte."""

import unittest

from case import cases
from flow_case import FlowCase, usable
from flow_lab import SERVER
from live_case import QuicNode
from three_uplinks import PORT, address, endpoint

UNUSABLE = usable()
STAGES = {"host ipv4": ("host", 4), "host ipv6": ("host", 6), "lan ipv4": ("lan", 4), "lan ipv6": ("lan", 6)}


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Quic(FlowCase):
    def setUp(self):
        super().setUp()
        self.quic_nodes = []

    def quic(self, part, name, *words):
        node = QuicNode(self, part, name, *words)
        self.quic_nodes.append(node)
        return node

    def client(self, part, family, *server_words):
        self.stage(part, family, PORT)
        server = endpoint(SERVER[family])
        self.quic("peer", "bravo", "--listen", server, *server_words)
        self.watch()
        self.alpha = self.quic(part, "alpha", "--dial", f"bravo={server}")
        return self.wait_flow()

    def tearDown(self):
        bad = []
        for node in self.quic_nodes:
            bad += node.stop()
            for peer, counts in node.read_stats().items():
                if counts["bytes_lost"] or counts["bytes_corrupt"] or not counts["bytes_verified"]:
                    bad.append(f"{node.name}: of {peer} {counts['bytes_lost']} bytes were lost, "
                               f"{counts['bytes_corrupt']} wrong, {counts['bytes_verified']} right")
        super().tearDown()
        self.assertEqual(bad, [])

    def goes_on(self, least=20000):
        """New bytes at both ends, of the one connection that there was."""
        def verified():
            return [counts["bytes_verified"] for node in self.quic_nodes for counts in node.stats().values()]
        before = verified()
        self.wait_until(lambda: all(b >= a + least for a, b in zip(before, verified())), "bytes flow both ways", 20)
        self.assertEqual([c["connections"] for c in self.alpha.stats().values()], [1])
        self.assertEqual(len(self.tap.connections()), 1)

    @cases(STAGES)
    def test_silent_death(self, part, family):
        self.client(part, family)
        self.goes_on()
        self.alpha.gaps.clear()
        self.leave("up0")
        self.goes_on()
        self.check_move()
        self.tell("left", node_gap_ms=f"{max(self.alpha.gaps.values()):.0f}")


if __name__ == "__main__":
    unittest.main()
