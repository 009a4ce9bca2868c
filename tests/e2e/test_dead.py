# SPDX-License-Identifier: Apache-2.0
"""The other triggers on samples: stall, send-errors, congestion, loss."""

import itertools
import time

from case import Case, cases
from control_case import ControlCase
from node import SLACK

OWED = {"in_flight_bytes": 5000}


class Stall(Case):
    COLUMNS = ["conn", "srtt_us", "rttvar_us", "rtt_samples", "in_flight_bytes", "pto_count",
               "bytes_sent", "bytes_received"]

    def start(self, options=None, columns=None, watchdog=None, **row):
        node = self.node()
        node.columns = columns or self.COLUMNS
        peer = node.add("p1@h", 1).set(srtt_us=20000, rttvar_us=1000, **row)
        dog = self.dog(node, watchdog, {"stall": options or {}})
        node.wait_rounds(2)
        return node, dog, peer

    def freeze(self, peer, **columns):
        with self.cv:
            peer.advance = False
            peer.set(**columns)

    @cases({"in flight": OWED, "probe timeouts": {"pto_count": 3}})
    def test_owed_and_no_progress(self, columns):
        node, dog, peer = self.start()
        self.freeze(peer, **columns)
        dead = dog.wait_record("decision")
        self.assertEqual((dead["trigger"], dead["kind"], dead["by"], dead["verdict"]),
                         ("stall", "dead", "migrate", "migrate"))

    def test_not_before_its_time(self):
        # PTO = 100 + 4 x 50 + 25 ms; four of them: 1.3 s
        node, dog, peer = self.start()
        peer.set(srtt_us=100000, rttvar_us=50000)
        node.wait_rounds(1)
        with self.cv:  # what was read last is answered with a fresh row, at the earliest now
            last = node.requests("summary")[-1].wall_us
            self.freeze(peer, **OWED)
        dead = dog.wait_record("decision")
        self.assertGreaterEqual(dead["time_us"] - last, 1300000)
        self.assertLess(dead["time_us"] - last, 1300000 + SLACK * 10**6)

    def test_close_looks_find_it_sooner_than_rounds(self):
        node, dog, peer = self.start(watchdog={"sample_interval": "2s"})
        self.freeze(peer, **OWED)
        dog.wait_record("decision", deadline=12)
        self.assertTrue([r for r in node.requests("summary") if r.params])

    def test_idle_is_not_dead(self):
        node, dog, peer = self.start()
        self.freeze(peer, in_flight_bytes=0)
        node.wait_rounds(15)
        self.assertEqual(dog.records("decision"), [])

    def test_progress_clears(self):
        # every third row shows life: never 3 s without, though 3 s and more go by
        node, dog, peer = self.start({"min": "3s"})
        peer.set(**OWED)
        rows = itertools.count()

        def summary(request):
            peer.advance = next(rows) % 3 == 0
            node.do_summary(request)
        node.on("summary", summary)
        begin = time.monotonic()
        node.wait_for(lambda: time.monotonic() - begin > 4)
        node.wait_rounds(1)
        self.assertEqual(dog.records("decision"), [])
        node.handlers.clear()
        self.freeze(peer)
        dog.wait_record("decision")

    def test_bytes_received_are_progress(self):
        node, dog, peer = self.start()
        self.freeze(peer, **OWED)
        peer.script = [{"bytes_received": 10**7 + n} for n in range(1000)]
        node.wait_rounds(15)
        self.assertEqual(dog.records("decision"), [])

    def test_without_telling_columns_nothing_is_dead(self):
        node, dog, peer = self.start(columns=["conn", "srtt_us", "rttvar_us", "in_flight_bytes"])
        self.freeze(peer, **OWED)
        node.wait_rounds(15)
        self.assertEqual(dog.records("decision"), [])

    def test_silence(self):
        node, dog, peer = self.start({"silence": "1s", "misses": "3"},
                                     ["conn", "silent_ms", "bytes_sent"])
        self.freeze(peer)
        peer.script = [{"bytes_sent": 2000 + n, "silent_ms": 2000 + 10 * n} for n in range(1000)]
        dead = dog.wait_record("decision")
        self.assertEqual((dead["trigger"], dead["kind"]), ("stall", "dead"))

    def test_silence_of_one_that_we_do_not_send_to(self):
        node, dog, peer = self.start({"silence": "1s", "misses": "3"},
                                     ["conn", "silent_ms", "bytes_sent"])
        self.freeze(peer)
        peer.script = [{"silent_ms": 2000 + 10 * n} for n in range(1000)]
        node.wait_rounds(15)
        self.assertEqual(dog.records("decision"), [])


class SendErrors(Case):
    COLUMNS = ["conn", "srtt_us", "rtt_samples", "send_errors"]

    def start(self):
        node = self.node()
        node.columns = self.COLUMNS
        peer = node.add("p1@h", 1)
        dog = self.dog(node, {"move_burst": "100", "retries": "0"}, {"send-errors": {}})
        node.wait_rounds(1)
        return node, dog, peer

    @cases({"three": 3, "many": 1000})
    def test_reached(self, errors):
        node, dog, peer = self.start()
        peer.set(send_errors=errors)
        dead = dog.decision("migrate")
        self.assertEqual((dead["trigger"], dead["kind"]), ("send-errors", "dead"))

    @cases({"none": 0, "two": 2, "unknown": None})
    def test_not_reached(self, errors):
        node, dog, peer = self.start()
        peer.set(send_errors=errors)
        node.wait_rounds(5)
        self.assertEqual(dog.records("decision"), [])

    def test_once_until_it_was_none_again(self):
        node, dog, peer = self.start()
        peer.set(send_errors=3)
        dog.decision("migrate")
        peer.set(send_errors=1)
        node.wait_rounds(2)
        peer.set(send_errors=5)
        node.wait_rounds(4)
        self.assertEqual(len(dog.records("decision")), 1)
        peer.set(send_errors=0)
        node.wait_rounds(2)
        peer.set(send_errors=3)
        dog.wait_for(lambda: len(dog.records("decision")) >= 2)


class Congestion(Case):
    COLUMNS = ["conn", "srtt_us", "rtt_samples", "cwnd_bytes", "in_flight_bytes", "congested"]

    def start(self, options=None):
        node = self.node()
        node.columns = self.COLUMNS
        peer = node.add("p1@h", 1).set(cwnd_bytes=100000, in_flight_bytes=90000)
        dog = self.dog(node, None, {"congestion": options or {}})
        node.wait_rounds(2)
        return node, dog, peer

    @cases({"congested": {"congested": 1}, "as a boolean": {"congested": True},
            "small window": {"cwnd_bytes": 24999, "in_flight_bytes": 24000}})
    def test_three_in_a_row(self, columns):
        node, dog, peer = self.start()
        peer.set(**columns)
        decision = dog.decision("migrate")
        self.assertEqual((decision["trigger"], decision["kind"]), ("congestion", "degraded"))

    @cases({"neither": {}, "a quarter": {"cwnd_bytes": 25000, "in_flight_bytes": 24000},
            "application-limited": {"cwnd_bytes": 10000, "in_flight_bytes": 4999}})
    def test_not(self, columns):
        node, dog, peer = self.start()
        peer.set(**columns)
        node.wait_rounds(8)
        self.assertEqual(dog.records("decision"), [])

    def test_rows_that_are_not_fresh(self):
        node, dog, peer = self.start()
        with self.cv:
            peer.advance = False
            peer.set(congested=1)
        node.wait_rounds(8)
        self.assertEqual(dog.records("decision"), [])

    def test_every_third_is_good(self):
        node, dog, peer = self.start()
        node.pace(0.085)  # 0.8 x 100 ms apart each row counts
        node.wait_rounds(1)
        with self.cv:
            peer.script = [{"congested": int(n % 3 != 0)} for n in range(3000)]
        node.wait_rounds(12)
        self.assertEqual(dog.records("decision"), [])


class Loss(ControlCase):
    COLUMNS = ["conn", "srtt_us", "rtt_samples", "packets_lost", "packets_sent"]

    def start(self, rows, options=None, columns=None):
        """Each row that counts is the next of (lost, sent), and the last one is the end."""
        node = self.node()
        node.columns = columns or self.COLUMNS
        peer = node.add("p1@h", 1)
        rows = iter(rows)

        def row(request):
            if not request.params:  # fast polls do not count
                with self.cv:
                    lost, sent = next(rows, (None, None))
                    peer.set(packets_lost=lost, packets_sent=sent)
        node.pace(0.085, row)  # 0.8 x 100 ms apart each row counts
        return node, self.dog(node, None, {"loss": options or {}}), peer

    @cases({"at once": [(0, 0), (20, 300), (45, 712)],
            "a thin stream": [(2 * n, 20 * n) for n in range(40)],
            "null in between": [(0, 0), (20, 300), (None, 500), (45, 712)],
            "counted anew": [(100, 9000), (0, 0), (20, 300), (45, 712)]})
    def test_lossy(self, rows):
        node, dog, peer = self.start(rows)
        decision = dog.decision("migrate")
        self.assertEqual((decision["trigger"], decision["kind"]), ("loss", "degraded"))
        self.assertRegex(decision["reason"],
                         r"^[0-9.]+ % of \d+ packets lost \(limit 5 %\), 2 measurements in a row$")

    @cases({"exactly the limit": [(n * 20, n * 400) for n in range(6)],
            "too few packets": [(0, 0), (20, 199)],
            "one look": [(0, 0), (100, 300), (100, 600), (200, 900), (200, 1200)],
            "declared lost and acknowledged": [(0, 0), (60, 150), (5, 300), (65, 450), (10, 600)],
            "counted anew": [(0, 0), (50, 300), (10, 100), (12, 310)]})
    def test_not(self, rows):
        node, dog, peer = self.start(rows)
        node.wait_rounds(len(rows) + 3)
        self.assertEqual(dog.records("decision"), [])
        self.assertEqual(dog.records("notice", what="loss-columns"), [])

    def test_explain(self):
        node, dog, peer = self.start([(0, 0)] + [(60, 600)] * 10000)
        node.wait_rounds(4)
        self.assertIn("1 of 2 strikes (10 % of the last packets lost; limit 5 %)",
                      self.ctl(dog, "explain", "p1@h")[0])

    def test_a_node_that_does_not_count(self):
        node, dog, peer = self.start([(0, 0), (60, 600), (120, 1200)], columns=self.COLUMNS[:-1])
        dog.wait_record("notice", what="loss-columns")
        node.wait_rounds(4)
        said = dog.records("notice", what="loss-columns")
        self.assertEqual([notice["count"] for notice in said], [1])
        self.assertIn("the node reports no packets_sent", said[0]["text"])
