# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "srtt": each rule. Rows come from the node's answers, one round after another,
so that every test says which rows came, in which order."""

import itertools
import time

from case import Case, cases
from node import Peer

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

        def row(request):
            if request.params:  # a close look does not count
                return
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
        node.pace(0.17, row)  # 0.8 x 200 ms apart each row counts
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

    def test_starts_again_from_none(self):
        # after a failure every advice is `backing-off`; the first such takes 3 more strikes
        node, dog = self.start({"strikes": "3"}, {"merge_window": "1ms"})
        begin = []  # the node reads one line after the other: exact

        def migrate(request):
            begin.append(node.rounds)
            request.error(-1)
        node.on("migrate_peer", migrate)
        node.peers[1].set(srtt_us=HIGH)
        dog.decision("backing-off", conn=1)
        self.assertGreaterEqual(node.rounds - begin[0], 2)

    def test_a_burst_of_unasked_rows_is_one_moment(self):
        node, dog = self.start({"strikes": "3"}, {"sample_interval": "500ms"})
        node.peers[1].silent = True
        node.send(b"".join(  # each a message of its own, all in one write
            b'{"jsonrpc":"2.0","method":"summaries","params":{"columns":["conn","srtt_us",'
            b'"rtt_samples"],"rows":[[1,%d,%d]]}}\n' % (HIGH, number)
            for number in range(100, 120)))
        node.peers[99].set(srtt_us=HIGH)
        dog.decision("migrate", conn=99)
        self.assertEqual(dog.records("decision", conn=1), [])

    def test_unasked_rows_count_when_far_enough_apart(self):
        # unasked rows come all the time, and no others: every 0.8 x 1 s one counts
        node, dog = self.start({"strikes": "3"}, {"sample_interval": "1s"})
        node.quiet()
        begin_us = time.time_ns() // 1000
        numbers = itertools.count(100)

        def fired():
            node.send_rows([[1, HIGH, next(numbers)]], ["conn", "srtt_us", "rtt_samples"])
            return dog.records("decision", conn=1)
        decision = dog.wait_for(fired, 20, "a decision")[0]
        self.assertEqual(decision["trigger"], "srtt")
        self.assertGreaterEqual(decision["time_us"] - begin_us, 2 * 800000)

    def test_peer_path_clears(self):
        node, dog = self.start({"strikes": "4"})
        rounds = []

        def summary(request):  # a change of path comes right after every second row
            node.peers[1].set(srtt_us=HIGH)
            node.do_summary(request)
            rounds.append(request)
            if len(rounds) <= 16 and len(rounds) % 2 == 0:
                request.link.notify("peer_path", conn=1, local=f"127.0.0.1:{7000 + len(rounds)}")
                if len(rounds) == 16:
                    request.link.notify("peer_up", peer="after@h", conn=50)
        node.on("summary", summary)
        dog.decision("migrate", conn=1)  # undisturbed it fires
        said = [r["record"] for r in dog.records() if r["record"] == "decision"
                or r.get("peer") == "after@h"]
        self.assertEqual(said[:1], ["peer"])  # and not before

    def test_a_move_of_ours_clears(self):
        """After every fourth row the peer is moved, and there is no further row before it is."""
        node, dog = self.pair(watchdog={"merge_window": "1ms", "cooldown": "1s"}, triggers={
            "tunnel": {}, "srtt": {"threshold": "200ms", "strikes": "8"}})
        rows, held = [], []

        def summary(request):
            node.peers[1].set(srtt_us=HIGH)
            if len(rows) % 4 == 0 and len(node.moves()) < len(rows) // 4 <= 4:
                held.append(request)
                return
            node.do_summary(request)
            rows.append(request)
            if len(rows) % 4 == 0 and len(rows) <= 16:
                dog.moved()

        def migrate(request):
            node.do_migrate_peer(request)
            if held:
                node.do_summary(held.pop())
                rows.append(request)
        node.on("migrate_peer", migrate)
        node.on("summary", summary)
        dog.wait_record("decision", trigger="srtt")
        self.assertEqual([r["trigger"] for r in dog.records("decision")][:5],
                         ["tunnel"] * 4 + ["srtt"])

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
        rounds = []

        def summary(request):  # another connection right after every third row
            if not rounds:
                node.peers[1].set(srtt_us=HIGH)
            node.do_summary(request)
            rounds.append(request)
            if len(rounds) in (3, 6, 9):
                with self.cv:
                    peer = node.peers.pop(len(rounds) // 3)
                    node.peers[peer.conn + 1] = Peer(peer.name, peer.conn + 1)
                    node.peers[peer.conn + 1].set(srtt_us=HIGH if len(rounds) < 9 else LOW)
                node.tell_up(node.peers[peer.conn + 1], request.link)
        node.on("summary", summary)
        node.wait_for(lambda: len(rounds) >= 12, what="12 rounds")
        node.wait_rounds(1)
        self.assertEqual(dog.records("decision"), [])
        self.assertEqual(len(dog.records("peer", state="up", peer="p1@h")), 4)


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
