# SPDX-License-Identifier: Apache-2.0
"""A node that knows no round trip time and sees no acknowledgement: its rows have ages and bytes alone, as somebody sees
them who watches packets from outside. A scripted node, in a namespace with two uplinks."""

import time
import unittest

import netns
from control_case import ControlCase

UNUSABLE = netns.usable()
COLUMNS = ["conn", "bytes_sent", "bytes_received", "packets_sent", "silent_ms", "unacked_ms"]
SECTIONS = {"uplink:up0": {"class": "primary"}, "uplink:up1": {"class": "spare"}}
LOCAL = {"up0": "10.77.1.2", "up1": "10.77.2.2"}


class Outside:
    """Rows of one flow as its packets would have them: `sends`, and what comes back over the uplinks that live."""

    def __init__(self, case, conn, uplink="up0", sends=True):
        self.case, self.conn, self.uplink, self.sends = case, conn, uplink, sends
        self.heard = self.sent = time.monotonic()
        self.unanswered = None  # since when
        self.bytes = [0, 0]

    def row(self, now):
        if self.sends:
            self.sent = now
            self.bytes[0] += 1000
            if self.uplink in self.case.alive:
                self.heard = now
                self.bytes[1] += 1000
                self.unanswered = None
            elif self.unanswered is None:
                self.unanswered = now
        unacked_ms = 0 if self.unanswered is None else int(1000 * (now - self.unanswered))
        return [self.conn, *self.bytes, self.bytes[0] // 100, int(1000 * (now - self.heard)), unacked_ms]


@unittest.skipIf(UNUSABLE, UNUSABLE)
class WithoutRtt(ControlCase):
    def start(self, flows):
        """{conn: does it send?}"""
        self.alive = {"up0", "up1"}
        host = netns.Host()
        self.addCleanup(host.stop)
        host.start()
        host.default("up1", "metric", "700", action="add")
        self.flows = {conn: Outside(self, conn, sends=sends) for conn, sends in flows.items()}
        node = self.node(features=["bind"])
        node.addresses.update(LOCAL)
        for conn in flows:
            node.add(f"udp:203.0.113.1:443#{conn}", conn, local=f"{LOCAL['up0']}:{9000 + conn}",
                     remote="203.0.113.1:443")
        node.on("summary", self.summary)
        node.on("migrate_peer", self.migrate)
        dog = self.dog(node, {"fallback_after": None, "effect_window": "2s", "cooldown": "5s"}, {"stall": {}}, start=False,
                       prefix=host.prefix)
        dog.sections.update(SECTIONS)
        dog.start()
        node.wait_subscribed()
        node.wait_rounds(3)
        return node, dog

    def summary(self, request):
        with self.cv:
            now = time.monotonic()
            wanted = request.params.get("conns") if request.params else None
            rows = [flow.row(now) for conn, flow in self.flows.items() if not wanted or conn in wanted]
            self.nodes[0].send_rows(rows, COLUMNS)
            self.nodes[0].finish_summary(request, len(rows))

    def migrate(self, request):
        with self.cv:
            self.flows[request.conn].uplink = request.params["interface"]
        self.nodes[0].do_migrate_peer(request)

    def test_dead(self):
        """All that send leave a dead uplink, together, and the effect is known. One that waits for nothing stays."""
        node, dog = self.start({1: True, 2: True, 3: False})
        began = time.time()
        with self.cv:
            self.alive.remove("up0")
        for conn in (1, 2):
            dead = dog.decision("migrate", conn=conn, deadline=15)
            self.assertEqual((dead["trigger"], dead["kind"], dead["uplink"], dead["target"]),
                             ("stall", "dead", "up0", "up1"))
            self.assertRegex(dead["reason"], r"^no progress for \d+ ms \(PTO 1024 ms\)$")
            self.assertGreater(dead["time_us"] / 1e6 - began, 4 * 1.024 - 0.2)
            self.assertEqual(dog.outcome("migrated", conn=conn)["target"], "up1")
            self.assertEqual(dog.effect(conn=conn)["effect"], "better")
        self.assertEqual(node.moves(3), [])
        self.assertEqual(len(node.moves(1)), 1)
        with self.cv:
            self.alive.add("up0")
        # Nobody is left there whose packets would prove it: one goes back, and the other follows.
        for conn in (1, 2):
            dog.outcome("migrated", nth=2, conn=conn, deadline=40)
            self.assertEqual(self.flows[conn].uplink, "up0")

    def test_idle(self):
        """Nothing is sent and nothing comes, for longer than any of the times."""
        node, dog = self.start({1: False, 2: False})
        node.wait_rounds(60)
        self.assertEqual(dog.records("decision"), [])


if __name__ == "__main__":
    unittest.main()
