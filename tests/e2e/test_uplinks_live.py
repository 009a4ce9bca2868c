# SPDX-License-Identifier: Apache-2.0
"""What users have of it where a host has three uplinks: the real pathdog, real QUIC nodes, and a network that fails
in the ways in which networks fail. In each test no byte is lost; how long nothing came, and how often a connection
was moved, is bounded."""

import unittest

import netns
from case import cases
from live_case import LiveCase
from three_uplinks import UPLINKS

UNUSABLE = netns.usable()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Dead(LiveCase):
    def test_a_leg_of_equal_cost_dies(self):
        """Beyond the only uplink that is there: another port goes another way."""
        self.live()
        self.lab.link("up1", "down")
        self.lab.link("lte", "down")
        self.lab.legs("up0", 8)
        self.wait_flow("bravo")
        self.begin()
        before = self.now["bravo"]
        dead = self.lab.leg_of("up0", before["local"], before["remote"])
        self.lab.leg_dead("up0", dead)
        self.wait_said("outcome", "another port", 30, peer="bravo", outcome="migrated")
        self.wait_on("up0")
        after = self.now["bravo"]
        self.assertNotEqual(after["local"], before["local"])
        self.assertNotEqual(self.lab.leg_of("up0", after["local"], after["remote"]), dead)
        self.assertEqual(self.asked("bravo")[0]["kind"], "dead")
        self.tell("another port")


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Routes(LiveCase):
    def bogus(self, name):
        """A default route that is preferred, over an interface that leads nowhere."""
        if name == "vpn0":
            self.lab.nowhere("vpn0")
            gateway = "10.66.0.1"
        else:
            self.lab.dead(name)
            gateway = f"10.0.{UPLINKS[name]}.1"
        self.lab.ip("host", "route", "add", "default", "via", gateway, "dev", name, "metric", "5")

    @cases({"no uplink": "vpn0", "a silent uplink": "up1"})
    def test_a_bogus_default_route_while_the_path_lives(self, name):
        """The tables by source still lead over up0, and nothing is lost there: nobody moves."""
        self.live()
        self.bogus(name)
        self.wait_flow(*self.peers, deadline=60, least=300000)
        self.assertEqual(self.measure(), {"bravo": "up0", "charlie": "up0"})
        self.assertEqual(self.said("outcome"), [])
        self.check_gap(bravo=1, charlie=1)
        self.tell("stayed")


if __name__ == "__main__":
    unittest.main()
