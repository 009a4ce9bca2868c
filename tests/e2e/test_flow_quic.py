# SPDX-License-Identifier: Apache-2.0
"""A QUIC client that has never heard of pathdog, on a host with three uplinks or in the LAN behind it: its flow is
moved from outside, and the connection goes on. quic-node is that client, without --socket; it counts each byte."""

import unittest

import netns
from case import cases
from control_case import ctl_program
from flow_case import FlowCase
from flow_lab import SERVER
from live_case import QuicNode
from three_uplinks import PORT, address, endpoint
from watchdog import run_tool

UNUSABLE = netns.usable()
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

    def client(self, part, family, delta=False):
        """alpha has dialled bravo, and delta, which forbids migration: the names of the flows."""
        self.stage(part, family, PORT)
        servers = {"bravo": endpoint(SERVER[family])}
        self.quic("peer", "bravo", "--listen", servers["bravo"])
        if delta:
            servers["delta"] = endpoint("10.9.0.3")
            self.quic("peer", "delta", "--listen", servers["delta"], "--forbid-migration")
        self.watch()
        dials = [word for name, server in servers.items() for word in ("--dial", f"{name}={server}")]
        self.alpha = self.quic(part, "alpha", *dials)
        return [self.wait_flow(server) for server in servers.values()]

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
        self.assertEqual({c["connections"] for c in self.alpha.stats().values()}, {1})
        self.assertEqual(len(self.tap.connections()), len(self.quic_nodes) - 1)

    @cases(STAGES)
    def test_silent_death(self, part, family):
        self.client(part, family)
        self.goes_on(100000)  # for 2 s: what it has been answered within is known
        self.alpha.gaps.clear()
        self.leave("up0")
        self.goes_on()
        self.check_move()
        self.tell("left", node_gap_ms=f"{max(self.alpha.gaps.values()):.0f}")

    def test_a_server_that_forbids_migration(self):
        """Its flow gets no answer elsewhere, while another one does: it is put back, goes on where it was, and is never
        moved again."""
        bravo, delta = self.client("host", 4, delta=True)
        self.goes_on()
        self.ctl(self.pathdog, "hold", "--uplink", "up0")
        self.wait_said("outcome", "bravo's flow is moved", peer=bravo, outcome="migrated", target="up1")
        # The first refusal may be bad luck: it is asked again until flow-node is sure.
        self.wait_until(lambda: self.refused(delta), "delta's server does not follow", 40)
        refused = self.said("outcome", peer=delta, outcome="disabled")[0]
        self.assertIn("-32003", str(refused["error"]))
        self.goes_on()
        self.assertEqual(self.ways(delta), {address("up0", 4)})
        self.assertEqual(self.ways(bravo), {address("up1", 4)})
        self.assertTrue(self.flow_node.said(r"the server 10\.9\.0\.3:9100 does not follow"), self.story())
        asked = len(self.asked(delta))
        self.assertIn("may not be migrated", self.ctl(self.pathdog, "migrate", delta, "--to", "up1", status=1)[1])
        self.assertEqual(len(self.asked(delta)), asked)
        self.goes_on()

    def refused(self, flow):
        """Asks again, where no request is open."""
        last = self.asked(flow)[-1]["decision"]
        ended = [r for r in self.said("outcome", peer=flow, decision=last) if r["outcome"] != "timeout"
                 or r["attempt"] > 2]
        if ended and not self.said("outcome", peer=flow, outcome="disabled"):
            run_tool(ctl_program(), "--socket", self.pathdog.control, "migrate", flow, "--to", "up1")
        return self.said("outcome", peer=flow, outcome="disabled")

    def ways(self, flow):
        """From which addresses packets of this flow come to the server now."""
        port = int(flow.split("#")[1].split("@")[0])
        self.tap.sources.clear()
        self.wait_until(lambda: port in self.tap.sources, f"{flow} goes on")
        return self.tap.sources[port]


if __name__ == "__main__":
    unittest.main()
