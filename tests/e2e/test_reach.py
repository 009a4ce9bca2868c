# SPDX-License-Identifier: Apache-2.0
"""How soon pathdog acts by its default settings, on real QUIC connections: the bounds of "What is reached" in
docs/decision-quality.md, and what this machine was late. Nothing is configured, all uplinks are learned."""

import sys
import unittest

import netns
from case import cases
from live_case import LiveCase
from three_uplinks import UPLINKS

UNUSABLE = netns.usable()
ONE_WAY_S = 0.04
RTT_S = 2 * ONE_WAY_S
# By default: sample_interval, close_interval, and min of stall.
SAMPLE_S, FAST_POLL_S, LEAST_S = 5, 0.5, 0.5
WITHOUT_PUSH = ("--features", "reconnect,bind,probe,probe_path,make_before_break")
FORBIDS = ("--forbid-migration",)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Reach(LiveCase):
    def begin_with(self, **words):
        """{node: more words of its command line}"""
        self.words = words
        for name in UPLINKS:
            self.lab.wires[name].set("delay", f"{1000 * ONE_WAY_S:.0f}ms")
            self.lab.know_neighbours(name)
        self.live(watchdog={"sample_interval": None}, sections={})

    def quic(self, part, name, *words):
        return super().quic(part, name, *words, *self.words.get(name, ()))

    def asked_first(self, peer):
        self.wait_until(lambda: self.asked(peer), f"{peer} is asked to move", 20)
        return self.asked(peer)[0]

    def pto_s(self, peer):
        return self.said("decision", peer=peer, trigger="stall")[0]["evidence"]["pto_us"] / 1e6

    def check_s(self, what, seconds, most_s):
        self.late_ms += self.metronome.take_ms()
        print(f"# {self.id().split('.')[-1]}: {what} {seconds:.3f} s, at most {most_s:.3f} s; machine late "
              f"{self.late_ms:.0f} ms", file=sys.stderr, flush=True)
        self.assertLessEqual(seconds, most_s + 5 * self.late_ms / 1000, f"{what}\n{self.story()}")

    def enough_s(self, peer):
        """What stall takes as proof."""
        return max(LEAST_S, 4 * self.pto_s(peer))

    # -- death under load --------------------------------------------------------------------

    def test_a_dead_path_under_load(self):
        self.begin_with()
        self.down("lte")
        self.lab.dead("up0")
        asked = self.since_s(self.asked_first("bravo"))
        self.check_s("asked", asked, self.enough_s("bravo") + 0.05)

    def test_a_dead_path_under_load_and_two_others_are_asked_first(self):
        """Which of them lives, takes one round trip."""
        self.begin_with()
        self.lab.dead("up0")
        asked = self.since_s(self.asked_first("bravo"))
        self.check_s("asked", asked, self.enough_s("bravo") + RTT_S + 0.05)

    @cases({"right after a round": (0.1, 0.3), "right before the next one": (4.4, 4.6)})
    def test_a_dead_path_under_load_without_push(self, least_s, most_s):
        """The first row that shows it comes with the next round; if it shows too little, with a fast poll."""
        self.begin_with(alpha=WITHOUT_PUSH)
        self.down("lte")
        self.asking = self.client(self.pathdog)
        self.wait_until(lambda: least_s < self.looked_s("bravo") < most_s, "the time is right", 20)
        self.begin()
        looked_s = self.looked_s("bravo")
        self.lab.dead("up0")
        asked = self.since_s(self.asked_first("bravo"))
        row_s, enough_s = SAMPLE_S - looked_s, self.enough_s("bravo")
        self.check_s("asked", asked, (row_s if row_s >= enough_s else enough_s + FAST_POLL_S) + 0.05)

    def looked_s(self, peer):
        """So old is its last row."""
        peers = self.asking.result("peers")["peers"]
        return next(p["looked_us"] or 0 for p in peers if p["peer"] == peer) / 1e6

    # -- what cannot migrate ---------------------------------------------------------------------

    def carrier(self):
        self.lab.carrier("up0", False)

    def link(self):
        self.lab.link("up0", "down")

    def address(self):
        self.lab.ip("host", "addr", "del", "10.0.1.2/24", "dev", "up0")

    @cases({"carrier": carrier, "link": link, "address": address})
    def test_the_link_is_gone(self, goes):
        """charlie has dialled, and bravo forbids migration: both have to be dialled anew."""
        self.begin_with(bravo=FORBIDS)
        self.begin()
        goes(self)
        self.wait_until(lambda: all(self.said("outcome", peer=peer, outcome="reconnected") for peer in self.peers),
                        "both are dialled anew")
        self.wait_flow(*self.peers)
        self.tell("dialled anew")
        most_s = self.told_s() + 3 * RTT_S + 0.15
        self.check_gap(bravo=most_s, charlie=most_s)

    def told_s(self):
        """The kernel tells of a carrier up to a second late: not more often than once a second."""
        notices = self.said("notice", what="no-way-out")
        return self.since_s(notices[0]) if notices else 0

    # -- half dead -----------------------------------------------------------------------------------

    def ours_get_lost(self):
        self.lab.dead("up0", way="a")

    def large_packets_get_lost(self):
        self.lab.only_small("up0", 1000)

    @cases({"one way": ours_get_lost, "large packets": large_packets_get_lost})
    def test_half_dead(self, dies):
        self.begin_with()
        dies(self)
        self.wait_until(lambda: self.moves("bravo"), "bravo is moved", 20)
        self.check_s("moved", self.since_s(self.moves("bravo")[0]), 3 + 4 * self.pto_s("bravo"))
        self.wait_flow("bravo")


if __name__ == "__main__":
    unittest.main()
