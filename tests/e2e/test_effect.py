# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "Effect": what pathdog finds out about a move, and what follows from it."""

from case import Case, cases
from control_case import Client
from node import SLACK

STRIKES = {"srtt": {"threshold": "200ms", "strikes": "4"}, "tunnel": {}}
BEFORE = 300000
# Where the window has to end. A machine that stands still for all of it would see no row in it.
SHORT = {"effect_window": "3s"}


class Degraded(Case):
    """Three fresh rows before (latest 300 ms) against three after."""

    def move(self, after, watchdog=None, before=BEFORE, **members):
        node, dog = self.pair(triggers=STRIKES, watchdog={"merge_window": "1ms",
                                                          **(watchdog or {})})
        peer = node.peers[1]

        def migrate(request):
            after(peer)
            request.answer({"local": "127.0.0.1:41000", **members})
        node.on("migrate_peer", migrate)
        peer.set(srtt_us=BEFORE, latest_rtt_us=before)
        return node, dog

    @cases({"0.8 is better": (240000, "better"), "a microsecond more": (240001, "same"),
            "much better": (1000, "better"), "equal": (300000, "same"),
            "a microsecond less than 1.25": (374999, "same"), "1.25 is worse": (375000, "worse"),
            "much worse": (3000000, "worse")})
    def test_compared(self, after, effect):
        node, dog = self.move(lambda peer: peer.set(latest_rtt_us=after))
        record = dog.effect()
        self.assertEqual(
            (record["effect"], record["rtt_before_us"], record["rtt_after_us"],
             record["samples_before"], record["samples_after"], record["conn"]),
            (effect, BEFORE, after, 3, 3, 1))
        self.assertEqual(record["decision"], dog.decision("migrate")["decision"])

    def test_the_median_counts(self):
        def after(peer):
            peer.script = [{"latest_rtt_us": v} for v in (5000000, 100000, 1000, 9000000)]
        node, dog = self.move(after)
        record = dog.effect("better")
        self.assertEqual(record["rtt_after_us"], 100000)

    def test_without_latest_the_srtt_counts(self):
        node = self.node()
        node.columns = ["conn", "srtt_us", "rtt_samples", "in_flight_bytes"]
        peer = node.add("p1@h", 1).set(srtt_us=BEFORE)

        def migrate(request):
            peer.set(srtt_us=100000)
            node.do_migrate_peer(request)
        node.on("migrate_peer", migrate)
        dog = self.dog(node, None, {"srtt": {"threshold": "200ms", "strikes": "4"}})
        record = dog.effect("better")
        self.assertEqual((record["rtt_before_us"], record["rtt_after_us"]), (BEFORE, 100000))

    def test_stalled(self):
        def after(peer):
            peer.advance = False
            peer.set(in_flight_bytes=5000)
        node, dog = self.move(after, SHORT)
        record = dog.effect("stalled")
        self.assertIsNone(record["rtt_after_us"])

    def test_owed_by_probe_timeouts(self):
        def after(peer):
            peer.advance = False
            peer.set(pto_count=2)
        node, dog = self.move(after, SHORT)
        dog.effect("stalled")

    def test_unknown_when_nothing_is_owed(self):
        node, dog = self.move(lambda peer: setattr(peer, "advance", False), SHORT)
        dog.effect("unknown")

    def test_down_before_anything_is_known(self):
        def after(peer):
            peer.advance = False
        node, dog = self.move(after)
        dog.outcome("migrated")
        node.down(1)
        dog.effect("stalled")

    def test_close_looks_do_it(self):
        # the next round is an hour away: only close looks can bring three rows
        node = self.node()
        node.add("p1@h", 1)
        dog = self.dog(node, {"sample_interval": "1h"})
        node.wait_for(lambda: node.rounds >= 1)
        dog.moved()
        self.assertEqual(dog.effect("better")["samples_after"], 3)
        self.assertEqual(node.rounds, 1)
        asked = [r for r in node.requests("summary") if r.params]
        self.assertGreaterEqual(len(asked), 3)
        self.assertEqual({c for r in asked for c in r.params["conns"]}, {1})

    def test_close_max(self):
        node = self.node()
        for conn in range(1, 31):
            node.add(f"p{conn}@h", conn).advance = False
        dog = self.dog(node, {"close_max": "7", "sample_interval": "1s"})
        node.wait_rounds(1)
        dog.moved()
        node.wait_for(lambda: node.looks >= 5, what="five close looks")
        self.assertLessEqual(max(len(r.params["conns"]) for r in node.requests("summary")
                                 if r.params), 7)

    def test_same_doubles_the_cooldown(self):
        node, dog = self.move(lambda peer: None, {"cooldown": "1s", "cooldown_max": "4s"})
        dog.decision("migrate", nth=4, deadline=30)
        cooldown, cool_from, lengths = 1, None, []
        for r in dog.records():  # in their order, each with pathdog's own time
            if r["record"] == "effect" and r["effect"] != "unknown":
                self.assertEqual(r["effect"], "same")
                cooldown = min(2 * cooldown, 4)
            elif r.get("outcome") == "migrated":
                cool_from = r["time_us"]
            elif r.get("verdict") == "migrate" and cool_from:
                self.assertGreaterEqual(r["time_us"] - cool_from, cooldown * 1e6)
                self.assertLess(r["time_us"] - cool_from, (cooldown + SLACK) * 1e6)
                lengths.append(cooldown)
        # [2, 4, 4], unless an effect was seen only after its cool-down: pathdog stood still
        self.assertEqual((len(lengths), max(lengths)), (3, 4))

    def test_better_resets_it(self):
        answers = []

        def after(peer):
            answers.append(peer.columns["latest_rtt_us"])
            # the second move helps (300 -> 100), though SRTT goes on to say it is slow
            peer.set(latest_rtt_us=100000 if len(answers) == 2 else BEFORE)
        node, dog = self.move(after, {"cooldown": "2s", "cooldown_max": "1min"})

        def cooldown_us():
            with Client(dog.control) as client:
                return client.result("explain", peer="p1@h")["waiting"]["cooldown_us"]
        self.assertEqual(cooldown_us(), 2000000)
        dog.effect("same")
        self.assertEqual(cooldown_us(), 4000000)
        dog.effect("better")
        self.assertEqual(cooldown_us(), 2000000)
        second, third = dog.outcome("migrated", nth=2), dog.decision("migrate", nth=3)
        self.assertGreaterEqual(third["time_us"] - second["time_us"], 2000000)


class Moved(Case):
    def moved(self, after, watchdog=None, **columns):
        node, dog = self.pair(triggers={"tunnel": {}}, watchdog=watchdog)
        peer = node.peers[1].set(latest_rtt_us=50000, **columns)

        def migrate(request):
            after(peer)
            node.do_migrate_peer(request)
        node.on("migrate_peer", migrate)
        node.wait_rounds(3)
        dog.moved()
        return node, dog

    @cases({"faster": 20000, "slower": 500000, "equal": 50000})
    def test_any_progress_is_better(self, rtt):
        node, dog = self.moved(lambda peer: peer.set(latest_rtt_us=rtt))
        dog.effect("better")

    @cases({"something waits": {"in_flight_bytes": 1}, "nothing waits": {}})
    def test_received_bytes_alone_do_not_prove_that_ours_arrive(self, more):
        def after(peer):
            peer.advance = False
            peer.script = [{"bytes_received": 10**6 + n * 1000, **more} for n in range(1000)]
        node, dog = self.moved(after, SHORT)
        dog.effect("unknown")

    def test_stalled(self):
        def after(peer):
            peer.advance = False
            peer.set(in_flight_bytes=1)
        node, dog = self.moved(after, SHORT)
        dog.effect("stalled")

    def test_bytes_sent_growing_is_owed(self):
        def after(peer):
            peer.advance = False
            peer.script = [{"bytes_sent": 10**6 + n * 1000} for n in range(1000)]
        node, dog = self.moved(after, SHORT)
        dog.effect("stalled")

    def test_idle_is_unknown(self):
        node, dog = self.moved(lambda peer: setattr(peer, "advance", False), SHORT)
        dog.effect("unknown")

    def test_no_row_at_all_is_unknown(self):
        node, dog = self.moved(lambda peer: setattr(peer, "silent", True), SHORT)
        dog.effect("unknown")

    def test_peer_down(self):
        node, dog = self.moved(lambda peer: setattr(peer, "advance", False), in_flight_bytes=9)
        dog.outcome("migrated")
        node.down(1)
        dog.effect("stalled")

    def test_one_effect_for_each_move(self):
        node, dog = self.moved(lambda peer: None, SHORT)
        dog.effect("better")
        dog.moved()
        dog.effect("better", nth=2)
        node.wait_rounds(35)  # longer than the effect window
        self.assertEqual(len(dog.records("effect")), 2)

    def test_a_second_move_before_the_first_is_judged(self):
        node, dog = self.moved(lambda peer: setattr(peer, "advance", False), SHORT)
        dog.outcome("migrated")
        dog.moved()
        dog.outcome("migrated", nth=2)
        dog.effect(nth=2)
        node.wait_rounds(35)
        self.assertEqual(len(dog.records("effect")), 2)

    def test_failures_have_none(self):
        node, dog = self.pair(watchdog={"retries": "0", **SHORT})
        node.on("migrate_peer", lambda r: r.error(-32007))
        dog.moved()
        dog.outcome("no-path")
        node.wait_rounds(35)
        self.assertEqual(dog.records("effect"), [])
