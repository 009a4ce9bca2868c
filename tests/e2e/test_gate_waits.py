# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "The gate": what makes advice wait: cool-down, back-off, tokens, the budget and its queue."""

import time

from case import Case
from node import SLACK

SLOW = {"srtt": {"threshold": "200ms", "strikes": "1"}, "tunnel": {}}
HIGH = 300000


class Degraded(Case):
    """merged, cooling, backing-off: what `degraded` meets after a request."""

    def slow(self, watchdog=None, **more):
        node, dog = self.pair(triggers=SLOW, watchdog=watchdog, **more)
        node.peers[1].set(srtt_us=HIGH)
        return node, dog

    def test_merged_within_the_window(self):
        node, dog = self.slow({"merge_window": "5s"})
        first = dog.decision("migrate")
        dog.outcome("migrated")
        self.assertEqual(dog.decision("merged")["into"], first["decision"])

    def test_merged_after_a_failure_too(self):
        node, dog = self.slow({"merge_window": "5s"})
        node.on("migrate_peer", lambda r: r.error(-32007))
        first = dog.decision("migrate")
        self.assertEqual(dog.decision("merged")["into"], first["decision"])

    def test_cooling_after_the_window(self):
        node, dog = self.slow({"merge_window": "1ms", "cooldown": "30s"})
        dog.outcome("migrated")
        dog.decision("cooling")
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 1)

    def test_the_cooldown_ends(self):
        node, dog = self.slow({"merge_window": "1ms", "cooldown": "1s", "effect_window": "100ms"})
        first = node.wait_request("migrate_peer")
        dog.decision("cooling")
        second = node.wait_request("migrate_peer", nth=2)
        # doubled, as it did not help: at least one, at most two cool-downs (and a round or two)
        self.assertGreater(second.time - first.time, 0.99)
        self.assertLess(second.time - first.time, 2 + SLACK)

    def test_backing_off(self):
        node, dog = self.slow({"merge_window": "1ms", "backoff_min": "1min"})
        node.on("migrate_peer", lambda r: r.error(-32007))
        dog.outcome("no-path")
        dog.decision("backing-off")
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 1)

    def test_failures_start_no_cooldown(self):
        node, dog = self.slow({"merge_window": "1ms", "backoff_min": "500ms", "cooldown": "1min"})
        node.on("migrate_peer", lambda r: r.error(-1))
        node.wait_request("migrate_peer", nth=2)
        self.assertEqual(dog.records("decision", verdict="cooling"), [])

    def test_backoff_doubles(self):
        node, dog = self.slow({"merge_window": "1ms", "backoff_min": "500ms",
                               "backoff_max": "1min"})
        node.on("migrate_peer", lambda r: r.error(-1))
        times = [node.wait_request("migrate_peer", nth=n, deadline=15).time for n in (1, 2, 3, 4)]
        for number, base in enumerate((0.5, 1.0, 2.0)):
            gap = times[number + 1] - times[number]
            self.assertGreaterEqual(gap, base * 0.8)
            self.assertLess(gap, base * 1.2 + SLACK)

    def test_backoff_has_an_end(self):
        node, dog = self.slow({"merge_window": "1ms", "backoff_min": "300ms",
                               "backoff_max": "400ms"})
        node.on("migrate_peer", lambda r: r.error(-1))
        times = [node.wait_request("migrate_peer", nth=n, deadline=15).time for n in range(1, 9)]
        gaps = [b - a for a, b in zip(times, times[1:])]
        self.assertGreaterEqual(min(gaps), 0.3 * 0.8)
        # without an end these would be 2.4 s, 4.8 s … less 20 %; not each of them is late
        self.assertLess(min(gaps[3:]), 2.4 * 0.8)

    def test_backoff_is_jittered(self):
        node, dog = self.pair(peers=16, triggers=SLOW, watchdog={
            "merge_window": "1ms", "backoff_min": "1s", "sample_interval": "50ms",
            "shared_peers": "0"})  # each is decided by itself
        node.on("migrate_peer", lambda r: r.error(-1))
        for peer in node.peers.values():
            peer.set(srtt_us=HIGH)
        spreads = []
        for nth, base in ((2, 1.0), (3, 2.0), (4, 4.0)):
            for conn in node.peers:
                node.wait_request("migrate_peer", conn, nth)
            gaps = [node.moves(conn)[nth - 1].time - node.moves(conn)[nth - 2].time
                    for conn in node.peers]
            self.assertGreaterEqual(min(gaps), base * 0.8)
            self.assertLess(max(gaps), base * 1.2 + SLACK)
            spreads.append((max(gaps) - min(gaps)) / base)
        # all at once where the machine stood still just then, but not each time
        self.assertGreater(max(spreads), 0.1)

    def test_moved_passes_cooling_and_merging(self):
        node, dog = self.pair()
        for number in (1, 2, 3):
            dog.moved()
            dog.outcome("migrated", nth=number)
        self.assertEqual({r["verdict"] for r in dog.records("decision")}, {"migrate"})

    def test_moved_passes_backing_off(self):
        node, dog = self.pair(watchdog={"retries": "0"})
        node.on("migrate_peer", lambda r: r.error(-32007))
        for number in (1, 2, 3):
            dog.moved()
            dog.outcome("no-path", nth=number)
        self.assertEqual(len(dog.records("decision", verdict="migrate")), 3)

    def test_repeats_are_folded(self):
        node, dog = self.slow({"merge_window": "1ms"})
        dog.decision("cooling")
        node.wait_rounds(8)
        cooling = dog.records("decision", verdict="cooling")
        self.assertEqual(len(cooling), 1)  # eight rounds later, and within the minute

    def test_cooling_is_of_one_peer(self):
        node, dog = self.pair(peers=2, triggers=SLOW, watchdog={"merge_window": "1ms"})
        node.peers[1].set(srtt_us=HIGH)
        dog.decision("cooling", conn=1)
        node.peers[2].set(srtt_us=HIGH)
        dog.decision("migrate", conn=2)

    def test_cooldown_does_not_outlive_the_connection(self):
        node, dog = self.slow({"merge_window": "1ms"})
        dog.decision("cooling", conn=1)
        node.down(1)
        node.add("p1@h", 2).set(srtt_us=HIGH)
        dog.decision("migrate", conn=2)


class Damped(Case):
    """Tokens: of what is doubtful, a `dead` that no kernel has confirmed."""

    def pair(self, burst, refill, peers=1, triggers=None):
        return super().pair(peers=peers, watchdog={
            "move_burst": burst, "move_refill": refill, "merge_window": "1ms"},
            triggers={"send-errors": {}, "tunnel": {}, **(triggers or {})})

    def dead(self, node, conn=1):
        node.report("send_errors")
        node.peers[conn].set(send_errors=0)
        node.wait_rounds(2)
        node.peers[conn].set(send_errors=3)

    def burst(self, node, dog, moves):
        for number in range(1, moves + 1):
            self.dead(node)
            dog.outcome("migrated", nth=number)
        self.dead(node)
        return dog.decision("damped")

    def test_after_the_burst_and_back_with_the_token(self):
        node, dog = self.pair("2", "6s")
        damped = self.burst(node, dog, 2)
        self.assertEqual(len(node.moves()), 2)
        again = dog.decision("migrate", nth=3)
        self.assertNotEqual(again["decision"], damped["decision"])
        took_us = again["time_us"] - dog.decision("migrate")["time_us"]
        self.assertGreaterEqual(took_us, 6000000)
        self.assertLess(took_us, (6 + SLACK) * 1e6)

    def test_the_default_burst_is_five(self):
        node, dog = self.pair("5", "1min")
        self.burst(node, dog, 5)
        self.assertEqual(len(node.moves()), 5)

    def test_tokens_are_of_one_peer(self):
        node, dog = self.pair("1", "1min", peers=2)
        self.burst(node, dog, 1)
        self.dead(node, 2)
        dog.decision("migrate", conn=2)

    def test_moved_needs_none_of_them(self):
        node, dog = self.pair("1", "1min")
        self.burst(node, dog, 1)
        dog.moved()
        dog.outcome("migrated", nth=2)

    def test_moved_takes_none_of_them(self):
        node, dog = self.pair("1", "1min")
        for number in (1, 2, 3):  # the second and third wait for a second at most
            dog.moved()
            dog.outcome("migrated", nth=number)
        self.dead(node)
        dog.outcome("migrated", nth=4)

    def test_degraded_takes_none(self):
        node, dog = self.pair("1", "1min", triggers={"srtt": SLOW["srtt"]})
        node.peers[1].set(srtt_us=HIGH)
        dog.outcome("migrated")
        self.dead(node)
        dog.outcome("migrated", nth=2)
        self.dead(node)
        dog.decision("damped")


class Queue(Case):
    """max_in_flight = 1: one request is open, the rest waits."""

    def start(self, peers=3, watchdog=None, triggers=None):
        node = self.node()
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn)
        self.held = []
        node.on("migrate_peer", self.held.append)
        dog = self.dog(node, {"max_in_flight": "1", "migrate_timeout": "30s", **(watchdog or {})},
                       triggers or {"tunnel": {}})
        node.wait_rounds(1)
        return node, dog

    def answer(self, node, nth):
        node.do_migrate_peer(node.wait_request("migrate_peer", nth=nth))

    def test_one_after_another_under_the_same_decision(self):
        node, dog = self.start()
        dog.moved()
        dog.decision("queued", nth=2)
        node.wait_request("migrate_peer")
        self.assertEqual(len(node.moves()), 1)
        queued = {r["conn"]: r["decision"] for r in dog.records("decision", verdict="queued")}
        for number in (1, 2, 3):
            self.answer(node, number)
        for number in (1, 2, 3):
            dog.outcome("migrated", nth=number)
        for conn, decision in queued.items():
            self.assertEqual(dog.decision("migrate", conn=conn)["decision"], decision)

    def test_gone_while_queued(self):
        node, dog = self.start(peers=2)
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        dog.moved("p2@h")
        queued = dog.decision("queued", conn=2)
        node.down(2)
        self.assertEqual(dog.decision("gone", conn=2)["decision"], queued["decision"])
        self.answer(node, 1)
        dog.outcome("migrated")
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 1)

    def test_all_queued_are_gone_with_the_link(self):
        node, dog = self.start()
        dog.moved()
        dog.decision("queued", nth=2)
        node.stop()
        dog.outcome("link-lost")
        dog.decision("gone", nth=2)

    def test_superseded_by_a_stronger_one(self):
        node, dog = self.start(peers=2, triggers=SLOW)
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        node.peers[2].set(srtt_us=HIGH)
        weak = dog.decision("queued", conn=2, kind="degraded")
        node.peers[2].set(srtt_us=1000)
        node.wait_rounds(1)
        dog.moved("p2@h")
        strong = dog.decision("queued", conn=2, kind="moved")
        self.assertEqual(dog.decision("superseded", conn=2)["decision"], weak["decision"])
        self.answer(node, 1)
        self.assertEqual(dog.decision("migrate", conn=2)["decision"], strong["decision"])

    def test_a_weaker_one_is_merged(self):
        node, dog = self.start(peers=2, triggers=SLOW)
        dog.moved()
        node.wait_request("migrate_peer")
        queued = dog.decision("queued")
        node.peers[queued["conn"]].set(srtt_us=HIGH)
        merged = dog.decision("merged", conn=queued["conn"], kind="degraded")
        self.assertEqual(merged["into"], queued["decision"])

    def test_an_equal_one_joins(self):
        node, dog = self.start(peers=2)
        dog.moved(reason="one")
        node.wait_request("migrate_peer")
        queued = dog.decision("queued")
        dog.moved(queued["peer"], reason="one")
        self.assertEqual(dog.decision("merged", conn=queued["conn"])["into"], queued["decision"])

    def test_a_newer_one_takes_its_place(self):
        node, dog = self.start(peers=2)
        dog.moved(reason="one")
        node.wait_request("migrate_peer")
        queued = dog.decision("queued")
        dog.moved(queued["peer"], reason="two")
        self.assertEqual(dog.decision("superseded")["decision"], queued["decision"])
        dog.decision("queued", nth=2)
        self.answer(node, 1)
        self.assertIn("two", node.wait_request("migrate_peer", nth=2).params["reason"])

    def test_degraded_expires_after_ten_seconds(self):
        node, dog = self.start(peers=2, triggers=SLOW)
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        node.peers[2].set(srtt_us=HIGH)
        queued = dog.decision("queued", conn=2)
        node.peers[2].set(srtt_us=1000)
        expired = dog.decision("expired", conn=2, deadline=20)
        self.assertEqual(expired["decision"], queued["decision"])
        took_us = expired["time_us"] - queued["time_us"]
        self.assertGreaterEqual(took_us, 10000000)
        self.assertLess(took_us, (10 + SLACK) * 1e6)

    def test_moved_before_degraded(self):
        node, dog = self.start(peers=3, triggers=SLOW)
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        node.peers[2].set(srtt_us=HIGH)
        dog.decision("queued", conn=2, kind="degraded")
        dog.moved("p3@h")
        dog.decision("queued", conn=3, kind="moved")
        self.answer(node, 1)
        self.assertEqual(node.wait_request("migrate_peer", nth=2).conn, 3)
        self.answer(node, 2)
        self.assertEqual(node.wait_request("migrate_peer", nth=3).conn, 2)

    def test_most_bytes_in_flight_first(self):
        node, dog = self.start(peers=5)
        for conn, size in ((2, 100), (3, 5000), (4, 70), (5, 900)):
            node.peers[conn].set(in_flight_bytes=size)
        node.wait_rounds(2)
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        dog.moved("p2@h p3@h p4@h p5@h")
        dog.decision("queued", nth=4)
        for number in range(1, 6):
            self.answer(node, number)
        self.assertEqual([r.conn for r in node.moves()], [1, 3, 5, 2, 4])

    def test_a_failed_one_makes_room(self):
        node, dog = self.start(peers=2, watchdog={"retries": "0"})
        dog.moved()
        node.wait_request("migrate_peer").error(-32005)
        dog.outcome("not-migratable")
        self.answer(node, 2)
        dog.outcome("migrated")

    def test_the_budget_is_kept(self):
        node, dog = self.start(peers=40, watchdog={"max_in_flight": "4"})
        dog.moved()
        for number in range(1, 41):
            node.wait_request("migrate_peer", nth=number)
            still_open = [r for r in node.moves() if r.answered_at is None]
            self.assertLessEqual(len(still_open), 4)
            self.answer(node, number)
        dog.wait_for(lambda: len(dog.records("outcome", outcome="migrated")) == 40)
