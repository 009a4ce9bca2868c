# SPDX-License-Identifier: Apache-2.0
"""A WireGuard tunnel, whose far end follows the last authenticated source, with a TCP connection in it: the uplink dies
silently, the tunnel is moved from outside, and TCP goes on."""

import unittest

import netns
import wireguard
from case import cases
from flow_case import FlowCase
from three_uplinks import address

UNUSABLE = netns.usable()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Tunnel(FlowCase):
    @cases({"host ipv4": ("host", 4), "host ipv6": ("host", 6), "lan ipv4": ("lan", 4), "lan ipv6": ("lan", 6)})
    def test_silent_death(self, part, family):
        self.stage(part, family, wireguard.PORT, wireguard=True)
        self.watch()
        tunnel = wireguard.Tunnel(self.lab, self.directory, part, family)
        self.addCleanup(tunnel.stop)
        stream = wireguard.Stream(self.lab, tunnel)
        self.addCleanup(stream.stop)
        self.wait_flow()
        before = stream.echoed
        self.wait_until(lambda: stream.echoed > before + 300000, "bytes come back", 20)
        self.assertIn(address("up0", family), tunnel.server.endpoint())
        stream.longest = 0.0
        self.leave("up0")
        before = stream.echoed
        self.wait_until(lambda: stream.echoed > before + 50000, "bytes come back again", 20)
        self.check_move()
        self.assertIn(address("up1", family), tunnel.server.endpoint())
        self.assertEqual(len(self.on_both("up0", "up1")), 1, "one session of WireGuard")
        gap_ms = stream.gap_ms()
        sent, echoed, wrong = stream.finish()
        self.assertIsNone(wrong)
        self.assertEqual(sent, echoed)
        self.tell("moved", tcp_gap_ms=f"{gap_ms:.0f}", bytes=echoed)


if __name__ == "__main__":
    unittest.main()
