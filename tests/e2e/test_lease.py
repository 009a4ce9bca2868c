# SPDX-License-Identifier: Apache-2.0
"""docs/triggers.md "lease" with a scripted node: moved before the relay's cut, and not where there is none."""

import time

from case import cases
from control_case import ControlCase
from node import PATIENCE

COLUMNS = ["conn", "srtt_us", "rtt_samples", "bytes_sent", "bytes_received", "lease_ms", "lease_sent_bytes",
           "lease_received_bytes"]
MB = 1000 * 1000


class Lease(ControlCase):
    def start(self, options=None, via="A", columns=None, features=("relay",), relays=None, advance=True):
        node = self.node(features=list(features))
        node.columns = columns or COLUMNS
        peer = node.add("p1@h", 1, tell=False, **({"via": via} if via else {}))
        peer.advance = advance
        peer.set(lease_ms=None, lease_sent_bytes=None, lease_received_bytes=None)
        node.on("migrate_peer", lambda request: None)  # the test answers it, or nobody does
        if relays is not None:
            node.on("subscribe", lambda request: self.subscribed(node, request, relays))
        dog = self.dog(node, {"sample_interval": "200ms"}, {"lease": options or {}})
        node.wait_rounds(2)
        return node, dog, peer

    def subscribed(self, node, request, relays):
        for peer in node.peers.values():
            request.link.notify("peer_up", **peer.up())
        request.link.notify("relays", relays=[{"relay": name, "address": f"192.0.2.{n + 1}:4433"}
                                              for n, name in enumerate(relays)])
        request.answer({"peers": len(node.peers)})

    def moved(self, dog, verdict="migrate"):
        decision = dog.decision(verdict)
        self.assertEqual((decision["trigger"], decision["kind"]), ("lease", "moved"))
        return decision

    def use(self, node, peer, sent, received, left=None):
        """So many bytes a second, in both directions, until a move is asked for."""
        begun = time.monotonic()

        def row(request):
            with self.cv:
                seconds = time.monotonic() - begun
                peer.set(bytes_sent=int(sent * seconds), bytes_received=int(received * seconds))
                if left is not None:
                    peer.set(lease_sent_bytes=max(0, int(left - sent * seconds)))
        node.pace(0.05, row)

    def test_time(self):
        node, dog, peer = self.start()
        with self.cv:
            peer.set(lease_ms=15000)
        node.wait_rounds(4)
        self.assertEqual(dog.records("decision"), [])
        with self.cv:
            peer.set(lease_ms=14999)
        decision = self.moved(dog)
        self.assertEqual(decision["reason"], "14.9 s left on relay A; a new circuit there")
        self.assertEqual(decision["evidence"], {"relay": "A", "to": "A", "limit": "time", "eta_ms": 14999, "attempt": 1})
        request = node.wait_request("migrate_peer")
        self.assertEqual(request.params["via"], "A")
        with self.cv:
            peer.set(lease_ms=1800000)
        request.answer({"local": "127.0.0.1:2", "validated": True})
        dog.wait_record("outcome", outcome="migrated")
        node.wait_rounds(4)
        self.assertEqual(len(dog.records("decision")), 1)

    def test_bytes(self):
        """10 MB, of which 1 MB/s is used: moved when 0.95 of what is left is less than 5 s."""
        node, dog, peer = self.start({"lead": "5s"})
        self.use(node, peer, MB, 1000, left=10 * MB)
        decision = self.moved(dog)
        evidence = decision["evidence"]
        self.assertEqual((evidence["limit"], evidence["relay"], evidence["to"]), ("sent", "A", "A"))
        self.assertLess(evidence["eta_ms"], 5000)
        self.assertGreater(evidence["left_bytes"], 0)  # before the cut
        self.assertEqual(evidence["eta_ms"],
                         (evidence["left_bytes"] * 19 // 20) * 1000 // evidence["bytes_per_s"])

    def test_limits_of_the_configuration(self):
        node, dog, peer = self.start({"max_data": "10M", "lead": "5s"})
        self.use(node, peer, 1000, MB)
        evidence = self.moved(dog)["evidence"]
        self.assertEqual(evidence["limit"], "received")
        used = 10 * (1 << 20) - evidence["left_bytes"]
        self.assertGreater(evidence["left_bytes"], 0)
        self.assertLess(abs(evidence["eta_ms"] - ((10 << 20) * 19 // 20 - used) * 1000 // evidence["bytes_per_s"]), 2)

    def test_age(self):
        node, dog, peer = self.start({"max_duration": "17s"})
        begun = time.monotonic()
        self.assertEqual(self.moved(dog)["evidence"]["limit"], "time")
        self.assertGreater(time.monotonic() - begun, 1)

    @cases({"no rate": dict(options={"max_data": "1K"}, bytes_sent=100, bytes_received=0),
            "no rate, and nothing is left": dict(lease_sent_bytes=0, lease_received_bytes=0),
            "no limit": dict(options={"max_data": "0", "max_duration": "0"}),
            "direct": dict(options={"max_duration": "1s"}, via="direct", lease_ms=5),
            "no via": dict(options={"max_duration": "1s"}, via=None),
            "another relay's limit": dict(options={"max_duration": "1s", "relays": "B C*"}),
            "a string": dict(lease_ms="5"), "negative": dict(lease_ms=-1), "a fraction": dict(lease_ms=0.5),
            "true": dict(lease_ms=True), "a list": dict(lease_sent_bytes=[1]), "too large": dict(lease_ms=1 << 53)})
    def test_never(self, row):
        row = dict(row)
        node, dog, peer = self.start(row.pop("options", None), row.pop("via", "A"), advance=False)
        with self.cv:
            peer.set(**row)
        node.wait_rounds(8)
        self.assertEqual(dog.records("decision"), [])

    def test_lease_bytes(self):
        """The older column, of both directions."""
        node, dog, peer = self.start(columns=[*COLUMNS[:5], "lease_bytes"])
        with self.cv:
            peer.set(lease_bytes=1000)
        self.use(node, peer, 1, MB)
        self.assertEqual(self.moved(dog)["evidence"]["limit"], "received")

    def test_no_counters(self):
        node, dog, peer = self.start(columns=["conn", "srtt_us", "rtt_samples", "lease_sent_bytes"])
        with self.cv:
            peer.set(lease_sent_bytes=1)
        said = dog.wait_record("notice", what="lease-columns")
        self.assertIn("no bytes_sent and no bytes_received", said["text"])
        node.wait_rounds(4)
        self.assertEqual(dog.records("decision"), [])
        self.assertEqual(len(dog.records("notice", what="lease-columns")), 1)

    def test_another_relay_first(self):
        """The other one does not answer, so it goes back to a new circuit on the one in use."""
        node, dog, peer = self.start({"repeat": "1s"}, relays=("A", "B"))
        with self.cv:
            peer.set(lease_ms=9000)
        first = node.wait_request("migrate_peer")
        self.assertEqual(first.params["via"], "B")
        self.assertTrue(first.params["reason"].endswith("left on relay A; relay B instead"), first.params)
        second = node.wait_request("migrate_peer", nth=2)
        self.assertEqual(second.params["via"], "A")
        with self.cv:
            peer.set(lease_ms=1800000)
        second.answer({"local": "127.0.0.1:2", "validated": True})
        dog.wait_record("outcome", outcome="migrated")
        self.assertEqual(len(dog.records("outcome", outcome="cancelled")), 1)

    def test_a_relay_that_the_node_does_not_know(self):
        node, dog, peer = self.start({"repeat": "1s"}, relays=("A", "B", "C"))
        node.on("migrate_peer", lambda request: request.error(-32008, "unknown_via"))
        with self.cv:
            peer.set(lease_ms=9000)
        node.wait_request("migrate_peer", nth=4, deadline=15)
        self.assertEqual([request.params["via"] for request in node.requests("migrate_peer")[:4]], ["B", "C", "A", "B"])
        dog.wait_record("notice", what="unknown-via")

    def test_a_node_without_the_feature(self):
        node, dog, peer = self.start(features=())
        with self.cv:
            peer.set(lease_ms=9000)
        self.moved(dog)
        request = node.wait_request("migrate_peer")
        self.assertNotIn("via", request.params)

    def test_odd_relays(self):
        """Names as long as they get, and what is no name."""
        long = "r" * 250 + "äö"
        node, dog, peer = self.start(via=long)
        with self.cv:
            peer.set(lease_ms=9000)
        self.assertEqual(node.wait_request("migrate_peer").params["via"], long)
        self.assertIn("left on relay rrr", self.ctl(dog, "explain", "p1@h")[0])

    def test_explain(self):
        node, dog, peer = self.start()
        with self.cv:
            peer.set(lease_ms=3600000, lease_sent_bytes=4200000)
            peer.advance = False
        node.wait_rounds(3)
        self.assertIn("4.2 MB to send and 59 min 59 s left on relay A, at this rate 59 min",
                      self.ctl(dog, "explain", "p1@h")[0])

    def test_across_a_restart(self):
        """How old the circuit is, where the node does not say it."""
        node, dog, peer = self.start({"max_duration": "60s"})
        before = self.left_s(dog)
        dog.terminate()
        again = self.dog(node, {"sample_interval": "200ms"}, {"lease": {"max_duration": "60s"}}, name="again")
        node.wait_rounds()
        self.assertLess(self.left_s(again), before)

    def left_s(self, dog):
        self.wait_told(dog)
        words = self.ctl(dog, "explain", "p1@h")[0]
        return float(words.split(" s left on relay A")[0].rsplit(" ", 1)[1])

    def wait_told(self, dog):
        end = time.monotonic() + 10 * PATIENCE
        while " left on relay A" not in self.ctl(dog, "explain", "p1@h")[0]:
            self.assertLess(time.monotonic(), end)
