# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "srtt": each rule. Rows come from the node's answers, one round after another,
so that every test says which rows came, in which order."""

import time

from case import Case, cases

LOW, HIGH = 20000, 300000


class Srtt(Case):
    def start(self, options=None, watchdog=None, peers=1):
        """conn 1 … are judged; conn 99 (named canary) has strikes = 1 and marks the end."""
        node = self.node()
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn)
        node.add("canary@h", 99)
        dog = self.dog(node, watchdog, {
            "srtt:canary": {"match": "canary@*", "threshold": "200ms", "strikes": "1"},
            "srtt": {"threshold": "200ms", "strikes": "2", **(options or {})}})
        node.wait_rounds(1)
        return node, dog

    def scripted(self, options, rows, watchdog=None):
        """Plays rows (srtt, or a dict, or None for no row), one per round exactly, then lets the
        canary fire: whatever conn 1 was to do it has done before."""
        node = self.node()
        peer = node.add("p1@h", 1)
        canary = node.add("canary@h", 99)
        script = [{"srtt_us": r} if isinstance(r, int) else r for r in rows]

        last = [0.0]

        def summary(request):
            if request.params:  # a close look does not count
                return node.do_summary(request)
            # a late round must not make the next row come too early to count
            time.sleep(max(0.0, last[0] + 0.19 - time.monotonic()))
            last[0] = time.monotonic()
            with self.cv:
                if script:
                    row = script.pop(0)
                    peer.silent = row is None
                    if row:
                        peer.advance = row.get("fresh", True)
                        peer.set(**{k: v for k, v in row.items() if k != "fresh"})
                else:
                    peer.silent = True
                    canary.set(srtt_us=HIGH)
            node.do_summary(request)
        node.on("summary", summary)
        dog = self.dog(node, {"sample_interval": "200ms", **(watchdog or {})}, {
            "srtt:canary": {"match": "canary@*", "threshold": "200ms", "strikes": "1"},
            "srtt": {"threshold": "200ms", "strikes": "2", **options}})
        dog.decision("migrate", conn=99, trigger="srtt:canary")
        return node, dog

    FIRES = {
        "two in a row": ({}, [LOW, HIGH, HIGH]),
        "from the first row on": ({}, [HIGH, HIGH]),
        "just above": ({}, [200001, 200001]),
        "one strike": ({"strikes": "1"}, [LOW, HIGH]),
        "three strikes": ({"strikes": "3"}, [HIGH, HIGH, HIGH]),
        "between recover and threshold is neither":
            ({"recover": "100ms"}, [HIGH, 150000, 150000, HIGH]),
        "exactly the threshold is neither with recover below":
            ({"recover": "100ms"}, [HIGH, 200000, HIGH]),
        "not fresh is neither":
            ({}, [HIGH, {"srtt_us": LOW, "fresh": False}, HIGH]),
        "never measured is neither":
            ({}, [HIGH, {"srtt_us": None}, HIGH]),
        "rtt_samples going down is fresh":
            ({}, [HIGH, {"srtt_us": HIGH, "rtt_samples": 1}]),
        "far, and slow for that": ({}, [{"srtt_us": 410000, "min_rtt_us": 200000}] * 2),
        "factor off": ({"factor": "0"}, [{"srtt_us": 210000, "min_rtt_us": 200000}] * 2),
        "factor 1": ({"factor": "1"}, [{"srtt_us": 210001, "min_rtt_us": 200000}] * 2),
        "factor 3": ({"factor": "3"}, [{"srtt_us": 300001, "min_rtt_us": 100000}] * 2),
        "min unknown": ({}, [{"srtt_us": 210000, "min_rtt_us": None}] * 2),
        "min 0": ({}, [{"srtt_us": 210000, "min_rtt_us": 0}] * 2),
        "low first, then high twice": ({}, [HIGH, LOW, HIGH, HIGH]),
        "missing in between, twice after": ({}, [HIGH, None, HIGH, HIGH]),
        "threshold in seconds": ({"threshold": "1s"}, [1000001, 1000001]),
        "threshold in microseconds": ({"threshold": "150000us"}, [150001, 150001]),
    }
    QUIET = {
        "low": ({}, [LOW] * 4),
        "exactly the threshold": ({}, [200000] * 5),
        "once": ({}, [LOW, HIGH, LOW, LOW]),
        "every other": ({}, [HIGH, LOW] * 3),
        "two of three": ({"strikes": "3"}, [HIGH, HIGH, LOW, HIGH, HIGH]),
        "at the threshold clears": ({}, [HIGH, 200000, HIGH]),
        "at recover clears": ({"recover": "100ms"}, [HIGH, 100000, HIGH]),
        "missing clears": ({}, [HIGH, None, HIGH, None]),
        "not fresh": ({}, [HIGH] + [{"srtt_us": HIGH, "fresh": False}] * 5),
        "never measured": ({}, [{"srtt_us": None}] * 4),
        "no samples yet": ({}, [{"srtt_us": HIGH, "rtt_samples": 0, "fresh": False}] * 4),
        "far": ({}, [{"srtt_us": 390000, "min_rtt_us": 200000}] * 5),
        "exactly twice the min": ({}, [{"srtt_us": 400000, "min_rtt_us": 200000}] * 5),
        "factor 3": ({"factor": "3"}, [{"srtt_us": 300000, "min_rtt_us": 100000}] * 5),
        "switched off": ({"enabled": "no"}, [HIGH] * 4),
    }

    @cases(FIRES)
    def test_fires(self, options, rows):
        node, dog = self.scripted(options, rows)
        fired = dog.decision("migrate", conn=1)
        self.assertEqual((fired["trigger"], fired["kind"], fired["by"], fired["cause"]),
                         ("srtt", "degraded", "migrate", None))

    @cases(QUIET)
    def test_quiet(self, options, rows):
        node, dog = self.scripted(options, rows)
        self.assertEqual(dog.records("decision", conn=1), [])

    def test_reason_and_evidence_have_the_numbers(self):
        node, dog = self.scripted({}, [312000, 312000])
        fired = dog.decision("migrate", conn=1)
        self.assertIn("312", fired["reason"])
        self.assertIn("200", fired["reason"])
        self.assertIn(312000, fired["evidence"].values())
        self.assertEqual(node.wait_request("migrate_peer", 1).params["reason"], fired["reason"])

    def test_fires_in_the_round_of_its_last_strike(self):
        node, dog = self.start({"strikes": "3"})
        node.peers[1].set(srtt_us=HIGH)
        begin = node.rounds
        dog.decision("migrate", conn=1)
        self.assertLessEqual(node.rounds - begin, 5)
        self.assertGreaterEqual(node.rounds - begin, 2)

    def test_starts_again_from_none(self):
        # after a failure every advice is `backing-off`; the first such takes 3 more strikes
        node, dog = self.start({"strikes": "3"}, {"merge_window": "1ms"})
        node.on("migrate_peer", lambda r: r.error(-1))
        node.peers[1].set(srtt_us=HIGH)
        node.wait_request("migrate_peer", 1)
        begin = node.rounds
        dog.decision("backing-off", conn=1)
        self.assertGreaterEqual(node.rounds - begin, 2)

    def test_a_burst_of_unasked_rows_is_one_moment(self):
        node, dog = self.start({"strikes": "3"}, {"sample_interval": "500ms"})
        node.peers[1].silent = True
        for number in range(100, 120):  # each a message of its own, 60 ms in all
            node.send_rows([[1, HIGH, number]], ["conn", "srtt_us", "rtt_samples"])
            time.sleep(0.003)
        node.peers[99].set(srtt_us=HIGH)
        dog.decision("migrate", conn=99)
        self.assertEqual(dog.records("decision", conn=1), [])

    def test_unasked_rows_count_when_far_enough_apart(self):
        # rows come all the time; every 0.8 x 2 s one counts, where rounds alone would take 6 s
        node, dog = self.start({"strikes": "3"}, {"sample_interval": "2s"})
        begin = time.monotonic()
        node.peers[1].set(srtt_us=HIGH)
        number = 100
        while not dog.records("decision", conn=1) and time.monotonic() < begin + 15:
            number += 1
            node.peers[1].set(rtt_samples=number)
            node.send_rows([[1, HIGH, number]], ["conn", "srtt_us", "rtt_samples"])
            time.sleep(0.05)
        took = time.monotonic() - begin
        # the last row before `begin` counted at most one round (and a bit) earlier
        self.assertGreater(took, 3 * 1.6 - 0.5)
        self.assertLess(took, 5.8)

    def test_peer_path_clears(self):
        node, dog = self.start({"strikes": "4"})
        peer = node.peers[1].set(srtt_us=HIGH)
        for number in range(4):
            rounds = node.rounds
            node.wait_for(lambda: node.rounds >= rounds + 2)
            node.notify("peer_path", conn=1, local=f"127.0.0.1:{7000 + number}")
        self.assertEqual(dog.records("decision", conn=1), [])
        peer.set(srtt_us=HIGH)
        dog.decision("migrate", conn=1)  # and undisturbed it fires

    def test_a_move_of_ours_clears(self):
        node = self.node()
        node.add("p1@h", 1).set(srtt_us=HIGH)
        dog = self.dog(node, {"merge_window": "1ms", "cooldown": "1s"},
                       {"tunnel": {}, "srtt": {"threshold": "200ms", "strikes": "8"}})
        node.wait_subscribed()
        for _ in range(4):
            rounds = node.rounds
            node.wait_for(lambda: node.rounds >= rounds + 4)
            dog.moved()
        self.assertEqual(dog.records("decision", trigger="srtt"), [])
        dog.wait_record("decision", trigger="srtt", deadline=5)

    def test_a_round_given_up_is_not_missing(self):
        node = self.node()
        node.add("p1@h", 1)
        asked = []

        def summary(request):
            asked.append(request)
            # Only the first and the third are ever answered: a decision needs both as its strikes.
            if len(asked) in (1, 3):
                node.peers[1].set(srtt_us=HIGH)
                node.do_summary(request)
        node.on("summary", summary)
        dog = self.dog(node, None, {"srtt": {"threshold": "200ms", "strikes": "2"}})
        dog.decision("migrate", conn=1, deadline=20)
        self.assertGreaterEqual(len(asked), 3)

    def test_each_peer_for_itself(self):
        node, dog = self.start({"strikes": "2"}, peers=6)
        for conn in (2, 4):
            node.peers[conn].set(srtt_us=HIGH)
        dog.decision("migrate", conn=2)
        dog.decision("migrate", conn=4)
        node.wait_rounds()
        self.assertEqual({r["conn"] for r in dog.records("decision")}, {2, 4})

    def test_a_new_connection_of_the_peer_starts_from_none(self):
        node, dog = self.start({"strikes": "5"})
        for conn in (2, 3, 4):
            node.peers[conn - 1].set(srtt_us=HIGH)
            rounds = node.rounds
            node.wait_for(lambda: node.rounds >= rounds + 3)
            node.peers.pop(conn - 1)
            node.add("p1@h", conn)
        node.wait_rounds(1)
        self.assertEqual(dog.records("decision"), [])


class Instances(Case):
    TRIGGERS = {
        "srtt:overseas": {"match": "*@au-* *@nz-*", "threshold": "450ms", "strikes": "1"},
        "srtt:second": {"match": "*@au-1 x@*", "threshold": "100ms", "strikes": "1"},
        "srtt": {"threshold": "200ms", "strikes": "1"},
    }

    @cases({"overseas below": ("a@au-1", 440000, None), "overseas": ("a@au-1", 460000,
                                                                    "srtt:overseas"),
            "second glob": ("a@nz-7", 460000, "srtt:overseas"),
            "of the second instance": ("x@eu", 110000, "srtt:second"),
            "the first in file order wins": ("b@au-1", 300000, None),
            "the rest": ("b@eu", 210000, "srtt"), "the rest below": ("b@eu", 190000, None),
            "case matters": ("a@AU-1", 210000, "srtt")})
    def test_match(self, name, srtt, trigger):
        node = self.node()
        node.add("canary@eu", 9).silent = True
        node.add(name, 1).set(srtt_us=srtt, min_rtt_us=1000)
        dog = self.dog(node, None, self.TRIGGERS)
        node.wait_rounds(1)
        if trigger:
            self.assertEqual(dog.decision("migrate", conn=1)["trigger"], trigger)
        else:
            node.wait_rounds(3)
            self.assertEqual(dog.records("decision"), [])
