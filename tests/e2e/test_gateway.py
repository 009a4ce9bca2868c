# SPDX-License-Identifier: Apache-2.0
"""Plain QUIC programs in a LAN, and flow-node and pathdog on their gateway with three uplinks: the flows are moved, the
connections stay the ones that they were, and nothing else on the gateway is touched. tests/score/gateway/run is the same
with fifty clients, and measures."""

import os
import sys
import time
import unittest

import netns
from case import cases
from gateway_case import GatewayCase
from gateway_lab import Program

UNUSABLE = netns.usable()
FAILOVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "score", "gateway", "failover.py")
FAMILIES = {"IPv4": 4, "IPv6": 6}
LEARNT_S = 5  # by then flow-node knows how soon the flow is answered
PTO_MS = 150  # of quic-node, at an RTT of 40 ms
SLACK_MS = 2000  # CI is noisy, and has sanitizers


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Gateway(GatewayCase):
    clients = 8

    @cases(FAMILIES)
    def test_an_uplink_dies_silently(self, family):
        self.live(family)
        bystander = self.bystander()
        self.lab.dead("up0")
        self.wait_on("up1")
        self.assert_bystander(bystander)
        self.assertEqual({flow["moves"] for flow in self.traffic.measure().values()}, {1})

    def test_two_die_and_one_returns(self):
        """The metered one is left at the first sign that another works."""
        self.live()
        self.lab.dead("up0")
        self.wait_on("up1")
        self.lab.dead("up1")
        self.wait_on("lte", 60)
        self.lab.alive("up0")
        self.wait_on("up0", 90)

    def test_an_uplink_goes(self):
        """The kernel takes its routes and addresses away."""
        self.live()
        self.lab.link("up0", "down")
        self.wait_on("up1")
        self.lab.link("up0", "up")

    def test_pathdog_is_killed(self):
        """What was moved stays where it is, as long as flow-node is there."""
        self.live()
        self.lab.dead("up0")
        self.wait_on("up1")
        self.pathdog.process.kill()
        self.pathdog.process.wait()
        self.pathdog.finished = True
        self.wait_flow()
        self.assertEqual(set(self.on().values()), {"up1"})


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Reach(GatewayCase):
    """The bound of docs/flows.md: bytes again within detection and 2 PTO."""
    clients = 1
    rate = 50000
    one_way_ms = 20

    def test_a_dead_path_under_load(self):
        """Nothing here is tight: the numbers of docs/flows.md are those that are printed on a quiet machine."""
        for name in ("up0", "up1", "lte"):
            self.lab.wires[name].set("delay", f"{self.one_way_ms}ms")
        self.live()
        self.wait_flow(least=LEARNT_S * self.rate)
        self.begin()
        self.lab.dead("up0")
        dead_s = time.time()
        self.wait_on("up1")
        asked = self.pathdog.records("decision", verdict="migrate", target="up1")[0]
        detection_ms = 1000 * (asked["time_us"] / 1e6 - dead_s)
        gap_ms, late_ms = self.gap_ms(), self.metronome.take_ms()
        print(f"# {self.id().split('.')[-1]}: detected after {detection_ms:.0f} ms ({asked['reason']}), gap {gap_ms:.0f} ms; "
              f"machine late {late_ms:.0f} ms", file=sys.stderr, flush=True)
        self.assertLess(gap_ms, max(detection_ms, 0) + 2 * PTO_MS + SLACK_MS + 5 * late_ms)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Failover(GatewayCase):
    """The script to which the scoreboard compares."""
    clients = 2

    def test_it_flips_and_flips_back(self):
        script = Program(self.lab, "host", "failover", sys.executable, FAILOVER, "--interval", "0.2", "--timeout", "0.2",
                         "--down", "3", "--up", "3", "10.9.0.2", "up0=10.0.1.1", "up1=10.0.2.1", ready="ready")
        self.flow_nodes.append(script)
        script.wait_ready()
        self.start_traffic()
        self.wait_flow()
        self.lab.dead("up0")
        self.wait_on("up1")
        self.lab.alive("up0")
        self.wait_on("up0")


if __name__ == "__main__":
    unittest.main()
