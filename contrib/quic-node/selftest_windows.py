# SPDX-License-Identifier: Apache-2.0
"""Tests of selftest.py about congestion windows that are used up when a path dies, in both directions or in one."""
import time


class Windows:
    """Mixed into selftest.py's Net, which has the network and the nodes."""

    def test_windows_full_at_both_ends(self):
        """At 400 kB/s both congestion windows are used up soon after the path died."""
        fast = ["--rate", "400000"]
        a, b, pa, pb, ca, cb = self.pair(alpha=fast, bravo=fast)
        self.flows(a)
        self.ip(self.b, "link", "set", "down1", "down")
        pa.pump(lambda: pa.row(ca)["silent_ms"] > 300 and pa.row(ca)["congested"] == 1, 5,
                "silence, and a full window")
        self.route_alpha(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        line = a.wait_event("migrate-begun")
        self.assertIn("immediate=yes", line)
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_windows_full_and_the_same_path_is_back(self):
        """Only alpha's port is new. Bravo does not wait for its next PTO, six seconds away at least."""
        fast = ["--rate", "400000"]
        a, b, pa, pb, ca, cb = self.pair(alpha=fast, bravo=fast)
        self.flows(a)
        self.cut("down1")
        for dog, conn in ((pa, ca), (pb, cb)):
            dog.pump(lambda: dog.row(conn)["pto_count"] >= 8, 30, "eight PTOs")
        begun, row = time.monotonic(), pb.row(cb)
        self.assertEqual(row["congested"], 1)
        before = pa.peers[ca]["local"]
        self.heal("down1")
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertTrue(answer["result"]["validated"], answer)
        self.flows(a)
        self.assertLess(time.monotonic() - begun, 0.9e-6 * 2**row["pto_count"] * row["pto_us"])
        pb.pump(lambda: pb.peers[cb]["remote"] == answer["result"]["local"], 5, "peer_path")
        self.assertEqual(pb.peers[cb]["local"], "10.99.0.2:9100")
        self.assertEqual(answer["result"]["local"].split(":")[0], before.split(":")[0])
        self.flows(b)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_dead_in_one_direction_and_windows_full(self):
        """Bravo is heard, and what alpha sends is lost: its acknowledgements too, so bravo can send no more."""
        fast = ["--rate", "400000"]
        a, b, pa, pb, ca, cb = self.pair(alpha=fast, bravo=fast)
        self.flows(a)
        self.drops("down1")
        pb.pump(lambda: pb.row(cb)["congested"] == 1, 10, "bravo's window is full")
        pa.pump(lambda: pa.row(ca)["pto_count"] > 1, 10, "two PTOs")
        self.route_alpha(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        self.assertIn("immediate=yes", a.wait_event("migrated"))
        self.flows(a)
        self.flows(b)
        pa.row(ca)
        self.assertEqual(pa.peers[ca]["local"], answer["result"]["local"])
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_dead_in_one_direction_and_the_peer_is_heard(self):
        """Bravo's window is not used up, so there is no silence: two probe timeouts tell."""
        a, b, pa, pb, ca, cb = self.pair(alpha=["--rate", "400000"])
        self.flows(a)
        self.drops("down1")
        pa.pump(lambda: pa.row(ca)["pto_count"] > 1 and pa.row(ca)["congested"] == 1, 10,
                "two PTOs, and a full window")
        self.route_alpha(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        self.assertIn("immediate=yes", a.wait_event("migrate-begun"))
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_window_full_at_the_server_only(self):
        """Nothing is owed here, so nothing is known of the silence: escalates by itself."""
        a, b, pa, pb, ca, cb = self.pair(alpha=["--idle"], bravo=["--rate", "400000"])
        self.flows(a)
        self.ip(self.b, "link", "set", "down1", "down")
        pb.pump(lambda: pb.row(cb)["congested"] == 1 and pb.row(cb)["pto_count"] > 3, 5, "full")
        self.route_alpha(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        self.assertIn("immediate=yes", a.wait_event("migrated"))
        self.flows(a)
        status, total = a.stop()
        self.assertEqual((status, total["bytes_lost"], total["bytes_corrupt"]), (0, 0, 0))
