# SPDX-License-Identifier: Apache-2.0
"""What users have of it where a host has three uplinks: the real pathdog, real QUIC nodes, and a network that fails
in the ways in which networks fail. In each test no byte is lost; how long nothing came, and how often a connection
was moved, is bounded."""

import os
import time
import unittest

import netns
from case import cases
from live_case import DEAD_INBOUND_S, DEAD_S, LiveCase
from three_uplinks import UPLINKS

UNUSABLE = netns.usable()
# Where only what is sent gets lost, what the peer repeats looks like progress for a while.
OUT_S = 4


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Dead(LiveCase):
    def leave(self, *names, to="up1", **death):
        """These die silently, and all go to `to`."""
        self.lab.dead(*names, **death)
        self.wait_on(to)
        last = self.asked("bravo")[-1]
        self.assertEqual((last["uplink"], last["target"], last["kind"]), (names[0], to, "dead"))
        self.assertTrue(last["choice"])
        self.assertEqual(self.moves("bravo")[-1]["target"], to)

    def test_silent_death_and_return(self):
        """The primary's carrier stays, and nothing gets through. When it lives again and has proven that for 15 s,
        all come back."""
        self.live()
        self.leave("up0")
        self.check_gap(bravo=DEAD_S, charlie=DEAD_INBOUND_S)
        for peer in self.peers:
            self.assertEqual(len(self.moves(peer)), 1, peer)
        self.wait_said("uplink", "up0 is reported", uplink="up0", change="silent")
        self.tell("left")
        self.begin()
        self.lab.alive("up0")
        proven = self.wait_said("uplink", "up0 is proven", 30, uplink="up0", change="proven")
        self.assertGreater(self.since_s(proven), 14)
        self.wait_on("up0")
        for peer in self.peers:
            back = self.asked(peer)
            self.assertEqual([(r["kind"], r["trigger"], r["target"]) for r in back], [("better", "return", "up0")])
            self.assertGreaterEqual(back[0]["time_us"], proven["time_us"])
        self.check_gap(bravo=1, charlie=1)
        self.tell("came back")

    def test_silent_death_with_ipv6(self):
        self.live(family=6)
        self.leave("up0")
        self.check_gap(bravo=DEAD_S, charlie=DEAD_INBOUND_S)
        self.assertEqual(len(self.moves("bravo")), 1)
        self.tell("left")

    def test_silent_death_and_nothing_is_configured(self):
        """All three are learned, from the routes."""
        self.live(sections={})
        self.lab.dead("up0")
        self.wait_until(lambda: set(self.measure().values()) <= {"up1", "lte"}, "both have left", 20)
        self.wait_flow(*self.peers)
        self.check_gap(bravo=DEAD_S, charlie=DEAD_INBOUND_S)
        self.assertEqual(len(self.moves("bravo")), 1)
        self.tell("left")

    @cases({"what it sends": ("a", OUT_S), "what it receives": ("b", 0)})
    def test_one_way(self, way, more_s):
        self.live()
        self.leave("up0", way=way)
        self.check_gap(bravo=DEAD_S + more_s, charlie=DEAD_INBOUND_S + more_s)
        self.assertEqual(len(self.moves("bravo")), 1)
        self.tell("left")

    def test_flapping(self):
        """5 s silent, 5 s alive, for two minutes (or as $E2E_FLAP says: "30 30 3600")."""
        away_s, back_s, all_s = map(float, os.environ.get("E2E_FLAP", "5 5 120").split())
        self.live()
        end = time.monotonic() + all_s
        while time.monotonic() < end:
            for change, seconds in ((self.lab.dead, away_s), (self.lab.alive, back_s)):
                change("up0")
                time.sleep(seconds)  # this is what is tried, not waited for
        self.wait_flow(*self.peers)
        self.tell(f"{away_s:g} s and {back_s:g} s")
        most = 3 if all_s <= 120 else 12
        for peer in self.peers:
            self.assertLessEqual(len(self.said("outcome", peer=peer)), most, peer)
        self.check_gap(bravo=DEAD_S, charlie=DEAD_INBOUND_S)

    def test_metered_only_where_nothing_else_lives(self):
        self.live()
        self.leave("up0")
        self.assertFalse([r for r in self.said("decision") if r.get("target") == "lte"])
        self.begin()
        self.leave("up1", to="lte")
        self.check_gap(bravo=2 * DEAD_S, charlie=2 * DEAD_S)
        self.tell("on lte")
        self.begin()
        self.lab.alive("up1")
        self.wait_on("up1", deadline=40)
        for peer in self.peers:  # at the first proof after the cool-down
            self.assertLess(self.since_s(self.asked(peer)[0]), 40)
        self.assertEqual({r["target"] for r in self.said("decision") if r["verdict"] == "migrate"}, {"up1"})
        self.check_gap(bravo=1, charlie=1)
        self.tell("back from lte")

    def test_all_dead_and_one_comes_back(self):
        self.live()
        self.down("lte")
        self.lab.dead("up0", "up1")
        self.wait_said("outcome", "a move failed", 30, peer="bravo", outcome="timeout")
        self.begin()
        self.lab.alive("up1")
        self.wait_on("up1", deadline=30)
        self.assertLess(self.since_s(self.moves("bravo")[0]), 20)
        self.tell("on what came back")

    def test_all_dead_and_one_gets_a_carrier(self):
        """It is told by the kernel, so nobody waits for the next attempt."""
        self.live()
        self.down("up1", "lte")
        self.lab.dead("up0")
        self.wait_said("outcome", "a move failed", 30, peer="bravo", outcome="timeout")
        self.lab.link("up1", "up")
        self.wait_on("up1", deadline=30)
        self.tell("on what came up")

    def test_the_only_uplink_is_unplugged(self):
        """For 14 s nothing leads anywhere. Meanwhile nothing is closed, and then neither end waits for its own probe
        timeout, which is seconds away by then. What the peer dialled has 1 s to show that it lives."""
        self.live(sections={})
        for name in ("up1", "lte"):
            self.lab.link(name, "down")
        self.wait_until(lambda: [n for n, u in self.uplinks().items() if u["condition"] == "up"] == ["up0"],
                        "up0 is the only one")
        self.wait_flow(*self.peers)
        self.begin()
        began = time.monotonic()
        self.lab.link("up0", "down")
        time.sleep(14)  # this is what is tried, not waited for
        self.assertFalse([r for r in self.said("decision") if r["verdict"] == "reconnect"])
        self.lab.link("up0", "up")
        away_s = time.monotonic() - began
        self.wait_flow(*self.peers)
        self.check_gap(bravo=away_s + 0.5, charlie=away_s + 3)
        self.assertEqual({r["verdict"] for r in self.asked("bravo")}, {"migrate"})
        self.assertEqual(self.now["bravo"]["connections"], 1)
        self.tell("back on it")

    def test_a_gateway_that_answers_no_arp(self):
        """What comes in still arrives."""
        self.live()
        self.lab.silent_gateway("up0")
        self.wait_on("up1")
        self.assertEqual(self.asked("bravo")[0]["target"], "up1")
        self.check_gap(bravo=DEAD_S + OUT_S, charlie=2 * (DEAD_INBOUND_S + OUT_S))
        self.assertEqual(len(self.moves("bravo")), 1)
        self.tell("left")

    def test_a_leg_of_equal_cost_dies(self):
        """Beyond the only uplink that is there: another port goes another way; one in eight goes the dead way too, and
        the next attempt has another."""
        self.live()
        self.down("up1", "lte")
        self.lab.legs("up0", 8)
        self.wait_flow("bravo")
        self.begin()
        before = self.now["bravo"]
        dead = self.lab.leg_of("up0", before["local"], before["remote"])
        self.lab.leg_dead("up0", dead)
        self.wait_until(lambda: self.moves("bravo"), "another port", 30)
        self.wait_on("up0")
        after = self.now["bravo"]
        self.assertNotEqual(after["local"], before["local"])
        self.assertNotEqual(self.lab.leg_of("up0", after["local"], after["remote"]), dead)
        self.assertEqual(self.asked("bravo")[0]["kind"], "dead")
        self.tell("another port")

    def test_an_address_that_is_still_tentative(self):
        """The spare has just come up, and its IPv6 address may not be used yet, when the primary dies."""
        self.live(family=6)
        self.down("up1", "lte")
        self.lab.sysctl("host", "net.ipv6.conf.up1.accept_dad=1", "net.ipv6.conf.up1.dad_transmits=2")
        self.lab.dead("up0")
        self.lab.link("up1", "up", dad=True)
        self.assertIn("tentative", self.lab.ip("host", "-6", "addr", "show", "dev", "up1"))
        self.wait_on("up1", deadline=30)
        self.assertFalse([r for r in self.said("outcome") if r.get("target") == "up1" and r["outcome"] == "no-path"])
        self.tell("left when it could")


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Bad(LiveCase):
    def test_brown_out(self):
        """Slower by 300 ms, and a tenth is lost: to the spare, which is measured better. What the peer dialled is
        not closed for that."""
        self.live()
        self.lab.bad("up0", "150ms", "10%")
        self.wait_on("up1", "bravo", deadline=30)
        first = self.asked("bravo")[0]
        self.assertEqual((first["kind"], first["uplink"], first["target"]), ("degraded", "up0", "up1"))
        self.assertEqual(len(self.moves("bravo")), 1)
        self.check_gap(bravo=2)
        self.tell("left")

    def stays(self):
        """It is advised to leave, for seconds, and does not."""
        self.wait_said("decision", "bravo is slow", 20, peer="bravo", kind="degraded")
        self.wait_flow(*self.peers, deadline=60, least=300000)
        self.assertEqual(self.measure(), {"bravo": "up0", "charlie": "up0"})
        self.assertLessEqual({r.get("target") for r in self.asked("bravo")}, {None, "up0"})  # another port
        self.tell("stayed")

    def test_brown_out_and_only_metered_is_left(self):
        """It costs money, and the primary still carries."""
        self.live()
        self.down("up1")
        self.lab.bad("up0", "150ms", "0")
        self.stays()

    def test_brown_out_of_both(self):
        """The spare is as bad, which is measured."""
        self.live()
        for name in ("up0", "up1"):
            self.lab.bad(name, "150ms", "0")
        self.stays()


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

    def test_maintenance(self):
        """An operator has an uplink left before it is taken down: nobody notices, and nobody comes back until it is
        released. What the peer dialled is not closed as long as it lives."""
        self.live()
        self.ctl(self.pathdog, "hold", "--uplink", "up0")
        self.wait_on("up1", "bravo")
        self.wait_said("uplink", "up0 is held", uplink="up0", change="held")
        self.check_gap(bravo=1, charlie=1)
        self.tell("left")
        self.begin()
        self.wait_flow(*self.peers, deadline=60, least=1000000)  # longer than a proof lasts
        self.assertEqual(self.said("outcome"), [])
        self.ctl(self.pathdog, "release", "--uplink", "up0")
        self.wait_on("up0", deadline=40)
        self.check_gap(bravo=1, charlie=1)
        self.tell("came back")

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

    @cases({"no uplink": "vpn0", "a silent uplink": "up1"})
    def test_a_bogus_default_route_of_a_connection_that_is_bound(self, name):
        """It has left a primary that died; then the route table leads elsewhere, and there is nothing."""
        self.live()
        self.lab.dead("up0")
        self.lab.by_source(False)
        self.wait_on("up1")
        self.lab.dead("lte")
        self.begin()
        self.bogus({"up1": "lte"}.get(name, name))
        self.wait_flow(*self.peers, deadline=60, least=300000)
        self.assertEqual(self.measure(), {"bravo": "up1", "charlie": "up1"})
        self.assertEqual(self.said("outcome"), [])
        self.check_gap(bravo=1, charlie=1)
        self.tell("stayed")

    @cases({"no uplink": "vpn0", "a silent uplink": "up1"})
    def test_a_bogus_default_route_that_takes_all(self, name):
        """Without tables by source what alpha sends goes nowhere: it is bound to an uplink that lives."""
        self.live()
        self.lab.by_source(False)
        self.begin()
        self.bogus(name)
        self.wait_said("outcome", "bravo is moved", 30, peer="bravo", outcome="migrated")
        # A request to where the route leads may take 5 s; what the peer dialled is found dead late, as it receives.
        self.wait_flow(*self.peers, deadline=60)
        self.assertNotEqual(self.measure()["bravo"], name)
        self.check_gap(bravo=10 + DEAD_S, charlie=60)
        self.tell("bound")

    def test_the_primary_loses_its_carrier(self):
        self.live()
        self.lab.carrier("up0", False)
        self.wait_on("up1")
        self.assertEqual(len(self.moves("bravo")), 1)
        self.assertEqual(self.asked("bravo")[0]["target"], "up1")
        self.check_gap(bravo=DEAD_S, charlie=DEAD_INBOUND_S)
        self.wait_said("uplink", "up0 is down", uplink="up0", change="down")
        self.tell("left")
        self.begin()
        self.lab.carrier("up0", True)
        self.wait_said("uplink", "up0 is up", uplink="up0", change="up")
        self.wait_on("up0", deadline=40)
        self.check_gap(bravo=1, charlie=1)
        self.tell("came back")


if __name__ == "__main__":
    unittest.main()
