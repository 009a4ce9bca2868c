# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "Fallback": a dead connection is reconnected, a living one is never touched."""

import time

from case import Case, cases

FEATURES = ["reconnect"]


class Fallback(Case):
    def start(self, watchdog=None, features=FEATURES, columns=None, triggers=None, **members):
        node = self.node(features=features)
        if columns:
            node.columns = columns
        peer = node.add("p1@h", 1, **members)
        dog = self.dog(node, {"move_burst": "100", **(watchdog or {})}, triggers)
        node.wait_rounds(2)
        return node, dog, peer

    def freeze(self, peer, **columns):
        """No sign of life from now on. Returns when that began."""
        with self.cv:
            peer.advance = False
            peer.set(**{"in_flight_bytes": 5000, **columns})
            return time.monotonic()

    def test_inbound_and_dead(self):
        node, dog, peer = self.start(role="server")
        frozen = self.freeze(peer)
        dog.moved()
        first = dog.decision("inbound")
        second = dog.wait_record("decision", trigger="fallback")
        self.assertEqual((second["kind"], second["by"], second["verdict"], second["cause"],
                          second["conn"]),
                         ("dead", "reconnect", "reconnect", first["cause"], 1))
        asked = node.wait_request("reconnect_peer", 1)
        # fallback_after, from the advice on; not twice, though the role is server: the network changed here
        self.assertGreaterEqual(second["time_us"] - first["time_us"], 300000)
        self.assertGreaterEqual(asked.time - frozen, 0.3)
        dog.outcome("reconnected")
        dog.effect("better")

    def test_idle_for_long_and_then_sends(self):
        """Its packet was just sent: it has the whole time for an answer, not none."""
        node, dog, peer = self.start({"fallback_after": "1s"}, migratable=False)
        self.freeze(peer, in_flight_bytes=0)
        dog.moved()
        dog.decision("disabled")
        node.wait_rounds(30)  # longer than fallback_after
        idle, row = [], peer.row

        def noted(columns):  # within the lock
            if not peer.columns["in_flight_bytes"]:
                idle[:] = [time.monotonic()]
            return row(columns)
        peer.row = noted
        node.wait_rounds(1)
        with self.cv:
            self.freeze(peer, bytes_sent=peer.columns["bytes_sent"] + 5000)
        # it began to owe after the last row that said it does not
        self.assertGreaterEqual(node.wait_request("reconnect_peer", 1).time - idle[0], 1)

    def test_forbidden_and_dead(self):
        node, dog, peer = self.start(migratable=False)
        self.freeze(peer)
        dog.moved()
        dog.decision("disabled")
        dog.wait_record("decision", trigger="fallback", verdict="reconnect")
        dog.outcome("reconnected")

    def test_forbidden_by_its_answer(self):
        node, dog, peer = self.start()
        node.on("migrate_peer", lambda r: r.error(-32003))
        self.freeze(peer)
        dog.moved()
        dog.outcome("disabled")
        dog.outcome("reconnected")

    def test_frozen_by_the_migration(self):
        node, dog, peer = self.start()

        def migrate(request):
            self.freeze(peer)
            node.do_migrate_peer(request)
        node.on("migrate_peer", migrate)
        dog.moved()
        moved = dog.decision("migrate")
        dog.outcome("migrated")
        fallback = dog.wait_record("decision", trigger="fallback")
        self.assertEqual(fallback["cause"], moved["cause"])
        dog.outcome("reconnected")

    @cases({"client": {}, "server": {"role": "server"}, "forbidden": {"migratable": False}})
    def test_the_living_are_never_touched(self, members):
        node, dog, peer = self.start(**members)
        peer.set(in_flight_bytes=5000)
        dog.moved()
        dog.wait_record("decision")
        node.wait_rounds(20)
        self.assertEqual(node.requests("reconnect_peer"), [])
        self.assertEqual(dog.records("decision", trigger="fallback"), [])

    @cases({"by samples": ["conn", "srtt_us", "rtt_samples", "in_flight_bytes"],
            "by bytes": ["conn", "srtt_us", "bytes_received", "in_flight_bytes"]})
    def test_alive_by_any_sign(self, columns):
        node, dog, peer = self.start(columns=columns, role="server")
        peer.set(in_flight_bytes=5000)
        dog.moved()
        dog.decision("inbound")
        node.wait_rounds(20)
        self.assertEqual(node.requests("reconnect_peer"), [])

    def test_alive_by_silent_ms(self):
        node, dog, peer = self.start(columns=["conn", "srtt_us", "silent_ms", "in_flight_bytes"],
                                     role="server")
        peer.set(in_flight_bytes=5000, silent_ms=3)
        dog.moved()
        dog.decision("inbound")
        node.wait_rounds(20)
        self.assertEqual(node.requests("reconnect_peer"), [])

    def test_dead_by_silent_ms(self):
        node, dog, peer = self.start(columns=["conn", "srtt_us", "silent_ms", "in_flight_bytes"],
                                     role="server")
        self.freeze(peer)
        peer.script = [{"silent_ms": 50000 + n} for n in range(1000)]
        dog.moved()
        dog.outcome("reconnected")

    def test_saved_at_the_last_moment(self):
        node, dog, peer = self.start({"fallback_after": "1s"}, role="server")
        for _ in range(10):
            saved = self.revive(peer, self.freeze(peer) + 0.6)
            dog.moved()
            node.wait_for(lambda: saved or node.requests("reconnect_peer", peer.conn))
            node.wait_rounds(30)
            closed = dog.records("decision", trigger="fallback", conn=peer.conn)
            if not closed:
                return
            # a second had gone by, since one of the two stood still: before the sign of life?
            self.assertLess(closed[0]["time_us"], min(saved, default=float("inf")))
            peer = node.add(f"p{node.next_conn + 1}@h", node.next_conn + 1, role="server")
            node.wait_rounds(2)
        self.fail("not once was it in time to save the connection")

    def revive(self, peer, when):
        """Its first row after `when` shows life; is then in the list returned, as a wall clock."""
        saved, row = [], peer.row

        def revived(columns):  # within the lock
            if not saved and time.monotonic() > when:
                peer.advance = True
                saved.append(time.time_ns() // 1000)
            return row(columns)
        peer.row = revived
        return saved

    def test_idle_owes_nothing(self):
        node, dog, peer = self.start(role="server")
        self.freeze(peer, in_flight_bytes=0)
        dog.moved()
        dog.decision("inbound")
        node.wait_rounds(20)
        self.assertEqual(node.moves(), [])

    @cases({"more than a keep-alive": {"in_flight_bytes": 129},
            "that, and probe timeouts": {"in_flight_bytes": 226, "pto_count": 1}})
    def test_what_is_owed(self, columns):
        node, dog, peer = self.start(role="server")
        self.freeze(peer, **columns)
        dog.moved()
        dog.outcome("reconnected")

    @cases({"probe timeouts": {"in_flight_bytes": 0, "pto_count": 1},
            "one byte": {"in_flight_bytes": 1},
            "and the probes of two probe timeouts": {"in_flight_bytes": 320, "pto_count": 2}})
    def test_a_keep_alive_is_not_enough(self, columns):
        node, dog, peer = self.start(role="server")
        self.freeze(peer, **columns)
        dog.moved()
        dog.decision("inbound")
        node.wait_rounds(20)
        self.assertEqual(node.moves(), [])

    def test_sending_into_nothing_is_owed(self):
        """Little is in flight in each row, and more than keep-alives was sent between two."""
        node, dog, peer = self.start(role="server")
        self.freeze(peer, in_flight_bytes=40)
        peer.script = [{"bytes_sent": 10**6 + 1000 * n} for n in range(1000)]
        dog.moved()
        dog.outcome("reconnected")

    def test_without_telling_columns_nothing_is_dead(self):
        node, dog, peer = self.start(columns=["conn", "srtt_us", "latest_rtt_us", "rttvar_us",
                                              "in_flight_bytes"], role="server")
        self.freeze(peer)
        dog.moved()
        dog.decision("inbound")
        dog.notice()
        node.wait_rounds(20)
        self.assertEqual(node.moves(), [])

    def test_an_idle_one_is_probed_once(self):
        node, dog, peer = self.start(features=["reconnect", "probe"], role="server")
        self.freeze(peer, in_flight_bytes=0)
        dog.moved()
        probe = node.wait_request("probe")
        self.assertEqual(probe.params["conns"], [1])
        node.wait_rounds(20)
        self.assertEqual(len(node.requests("probe")), 1)
        self.assertEqual(node.moves(), [])  # still it owes nothing, as far as anyone can see

    def test_a_probe_is_not_answered(self):
        """It is idle, and nobody else is heard: its own idle timeout does that better."""
        node, dog, peer = self.start(features=["reconnect", "probe"], role="server")

        def probe(request):
            peer.set(in_flight_bytes=40)
            request.answer({})
        node.on("probe", probe)
        self.freeze(peer, in_flight_bytes=0)
        dog.moved()
        node.wait_request("probe")
        node.wait_rounds(20)
        self.assertEqual(node.moves(), [])

    def test_a_probe_shows_life(self):
        node, dog, peer = self.start(features=["reconnect", "probe"], role="server")

        def probe(request):
            peer.advance = True
            request.answer({})
        node.on("probe", probe)
        self.freeze(peer, in_flight_bytes=0)
        dog.moved()
        node.wait_request("probe")
        node.wait_rounds(20)
        self.assertEqual(node.moves(), [])

    def test_no_probe_of_one_that_owes(self):
        node, dog, peer = self.start(features=["reconnect", "probe"], role="server")
        self.freeze(peer)
        dog.moved()
        dog.outcome("reconnected")
        self.assertEqual(node.requests("probe"), [])

    @cases({"switched off": ({"fallback": "off"}, FEATURES, {}),
            "no feature": ({}, [], {}),
            "not reconnectable": ({}, FEATURES, {"reconnectable": False}),
            "observing": ({"mode": "observe"}, FEATURES, {})})
    def test_not_where(self, watchdog, features, members):
        node, dog, peer = self.start(watchdog, features, **members)
        self.freeze(peer)
        dog.moved()
        dog.wait_record("decision")
        node.wait_rounds(15)
        self.assertEqual(node.requests("reconnect_peer"), [])

    def test_degraded_starts_none(self):
        node, dog, peer = self.start({"backoff_min": "1min"}, triggers={
            "srtt": {"threshold": "200ms", "strikes": "1"}})
        node.on("migrate_peer", lambda r: r.error(-32007))
        peer.set(srtt_us=300000)
        dog.outcome("no-path")
        self.freeze(peer)
        node.wait_rounds(15)
        self.assertEqual(node.requests("reconnect_peer"), [])

    def test_a_request_in_flight_is_not_interrupted(self):
        node, dog, peer = self.start({"migrate_timeout": "2s"})
        node.on("migrate_peer", lambda r: None)
        self.freeze(peer)
        dog.moved()
        first = dog.decision("migrate")
        node.wait_request("reconnect_peer")
        second = dog.decision("reconnect", trigger="fallback")
        # after the timeout and its second
        self.assertGreaterEqual(second["time_us"] - first["time_us"], 3000000)
        self.assertEqual(len(node.requests("migrate_peer")), 1)  # before a retry
        dog.outcome("unanswered")
        dog.outcome("reconnected")

    def test_close_looks_end_with_the_progress(self):
        node, dog, peer = self.start(role="server")
        dog.moved()
        dog.decision("inbound")
        node.wait_rounds(15)  # 1.5 s: more than the one second after the advice
        looks = node.looks
        node.wait_rounds(5)
        self.assertLessEqual(node.looks - looks, 1)

    def test_progress_right_after_the_advice_proves_nothing(self):
        # what arrives within a second may still have come over the old path
        node, dog, peer = self.start(role="server")
        for _ in range(10):
            looks, advised = [], time.monotonic()

            def summary(request):
                if request.params and request.time > advised:
                    looks.append(request)
                    if len(looks) == 3:
                        self.freeze(peer)
                node.do_summary(request)
            node.on("summary", summary)
            dog.moved()
            node.wait_for(lambda: len(looks) >= 3, what="three close looks")
            if looks[2].time < advised + 1:  # pathdog had all signs of life when it asked for this
                dog.outcome("reconnected")
                return
            peer.advance = True  # for once a second had gone by
            node.wait_rounds(15)
        self.fail("there were never three close looks within a second")

    def test_progress_a_second_after_the_advice_ends_the_watch(self):
        node, dog, peer = self.start(role="server")
        dog.moved()
        dog.decision("inbound")
        node.wait_rounds(15)
        self.freeze(peer)
        node.wait_rounds(15)
        self.assertEqual(node.moves(), [])

    def test_many_at_once(self):
        node = self.node(features=FEATURES)
        for conn in range(1, 31):
            node.add(f"p{conn}@h", conn, role="server")
        dog = self.dog(node)
        node.wait_rounds(2)
        for conn in range(1, 31):
            if conn % 3:
                self.freeze(node.peers[conn])
        dead = {conn for conn in range(1, 31) if conn % 3}
        dog.moved()
        dog.wait_for(lambda: len(dog.records("outcome", outcome="reconnected")) == len(dead), 20)
        node.wait_rounds(10)
        self.assertEqual({r.conn for r in node.moves()}, dead)

    def test_the_budget_holds_here_too(self):
        node = self.node(features=FEATURES, max_in_flight=2)
        for conn in range(1, 7):
            node.add(f"p{conn}@h", conn, role="server")
        held = []
        node.on("reconnect_peer", held.append)
        dog = self.dog(node)
        node.wait_rounds(2)
        for conn in range(1, 7):
            self.freeze(node.peers[conn])
        dog.moved()
        for number in range(6):
            node.wait_for(lambda: len(held) > number)
            self.assertLessEqual(len([r for r in held if not r.answered_at]), 2)
            node.do_reconnect_peer(held[number])
        dog.outcome("reconnected", nth=6)
