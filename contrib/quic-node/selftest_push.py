# SPDX-License-Identifier: Apache-2.0
"""Tests of selftest.py about application data, and rows that come unasked."""


class Pushes:
    """Mixed into selftest.py's Net, which has the network and the nodes."""

    def drops_at(self, ns, device):
        """What comes in over the device; its link stays up."""
        self.filter(ns, "add table inet qp; add chain inet qp in { type filter hook input priority 0; }; "
                        "add rule inet qp in iif %s drop" % device)

    def dies(self):
        """The first uplink carries nothing any more, in either direction, and nobody is told."""
        self.drops_at(self.a, "up1")
        self.drops_at(self.b, "down1")

    def heals(self):
        for ns in (self.a, self.b):
            self.filter(ns, "delete table inet qp")

    def whys(self, node):
        return [line.split("why=")[1].split()[0] for line in node.log if line.split(" ")[0] == "push"]

    def pushed(self, pathdog, node, why, n, seconds=10):
        """The ages of application data in the first rows that were pushed for that reason."""
        node.read(0)
        pathdog.pump(lambda: node.read(0) or self.whys(node).count(why) >= n, seconds,
                     "%d rows pushed: %s" % (n, why))
        return [int(line.split("unacked_ms=")[1]) for line in node.log
                if line.split(" ")[0] == "push" and "why=" + why in line][:n]

    def test_columns_of_application_data(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        one = pa.row(ca)
        self.flows(a)
        two = pa.row(ca)
        for column in ("acked_bytes", "packets_sent"):
            self.assertGreater(two[column], one[column], column)
        for row in (one, two):
            self.assertEqual(row["unacked_bytes"] == 0 and row["unacked_ms"] > 0, False, row)
            self.assertGreaterEqual(row["pto_us"], row["srtt_us"] + 25000)  # max_ack_delay
            self.assertGreaterEqual(row["packets_sent"], row["packets_lost"])
            self.assertLess(row["acked_bytes"], row["bytes_sent"])
        self.dies()
        pa.pump(lambda: pa.row(ca)["unacked_ms"] > 300, 5, "data that is not acknowledged")
        dead = pa.row(ca)
        pa.pump(lambda: pa.row(ca)["unacked_ms"] > 600, 5, "more of it")
        later = pa.row(ca)
        self.assertEqual(later["acked_bytes"], dead["acked_bytes"])
        self.assertGreater(later["unacked_bytes"], dead["unacked_bytes"])
        self.heals()
        pa.pump(lambda: pa.row(ca)["unacked_ms"] < 300, 10, "its acknowledgement")
        self.assertGreater(pa.row(ca)["acked_bytes"], later["acked_bytes"])
        self.finish(a, b)

    def test_a_probe_is_no_application_data(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--idle"], bravo=["--idle"])
        pa.pump(lambda: pa.row(ca)["in_flight_bytes"] == 0, 5, "nothing under way")
        before = pa.row(ca)
        self.dies()
        pa.ask("probe", {"conns": [ca]})
        pa.pump(lambda: pa.row(ca)["pto_count"] > 3, 10, "a probe that is not answered")
        row = pa.row(ca)
        self.assertGreater(row["in_flight_bytes"], 0)
        self.assertEqual((row["unacked_ms"], row["unacked_bytes"]), (0, 0))
        self.assertEqual(row["acked_bytes"], before["acked_bytes"])
        self.assertNotIn("unacked", self.whys(a))
        self.heals()
        pa.pump(lambda: pa.row(ca)["pto_count"] == 0, 20, "the answer")
        self.assertEqual(pa.row(ca)["acked_bytes"], before["acked_bytes"])
        self.assertEqual(a.stop()[0], 0)

    def test_push_of_a_dead_path(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.dies()
        ages = self.pushed(pa, a, "unacked", 3)
        self.assertGreaterEqual(ages[0], 500)
        for gap, earlier, later in zip((500, 1000), ages, ages[1:]):
            self.assertGreaterEqual(later, earlier + gap - 1, ages)
        self.assertEqual({row["conn"] for row in pa.pushed}, {ca})
        told = [row["unacked_ms"] for row in pa.pushed]
        self.assertEqual([age for age in ages if age not in told], [])
        self.heals()
        self.flows(a, 20)
        self.finish(a, b)

    def test_push_of_one_direction(self):
        """Nothing of ours arrives; the peer is heard all the time."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.drops_at(self.b, "down1")
        self.pushed(pa, a, "unacked", 1)
        pa.pump(lambda: any(row["unacked_ms"] >= 500 and row["silent_ms"] < row["unacked_ms"] / 2
                            for row in pa.pushed), 20, "a row of one who is heard")
        self.filter(self.b, "delete table inet qp")
        self.flows(a, 20)
        self.finish(a, b)

    def test_push_of_a_failed_validation(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.down2_drops()
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 500, "interface": "up2"})
        self.assertEqual(answer["error"]["code"], -32004)
        self.pushed(pa, a, "validation", 1)
        pa.pump(lambda: pa.pushed, 10, "the row of it")
        self.assertEqual(pa.pushed[-1]["conn"], ca)
        self.flows(a)
        self.finish(a, b)

    def test_push_of_congestion(self):
        """A window that is full is said at once; one that is so by turns, with doubling gaps."""
        fast = ["--rate", "400000"]
        a, b, pa, pb, ca, cb = self.pair(alpha=fast, bravo=fast)
        self.flows(a)
        self.dies()
        pa.pump(lambda: any(row["congested"] for row in pa.pushed), 10, "a full window")
        self.pushed(pa, a, "unacked", 2)
        self.assertLess(self.whys(a).count("congested"), 20)
        self.heals()
        self.flows(a, 20)
        self.finish(a, b)

    def test_push_switched_off(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--features", "reconnect,probe", "--columns", "srtt_us,unacked_ms"])
        self.assertEqual(pa.hello["features"], ["reconnect", "probe"])
        self.assertIn("push", pb.hello["features"])
        self.flows(a)
        self.dies()
        pa.pump(lambda: pa.row(ca)["unacked_ms"] > 1500, 10, "old data")
        self.assertEqual((pa.pushed, self.whys(a)), ([], []))
        self.assertEqual(set(pa.row(ca)), {"conn", "srtt_us", "unacked_ms"})
        self.heals()
        self.flows(a, 20)
        self.finish(a, b)

    def test_interface_is_reported(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.assertNotIn("interface", pa.peers[ca])
        self.ip(self.a, "link", "property", "add", "dev", "up2", "altname", "second-uplink")
        for asked, reported in (("up2", "up2"), (None, None), ("second-uplink", "up2")):
            params = {"interface": asked} if asked else {}
            self.assertIn("result", pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000, **params}))
            pa.pump(lambda: pa.peers[ca].get("interface") == reported, 5, "peer_path, interface %s" % reported)
            self.flows(a)
            pa = self.pathdog(a)
            self.assertEqual(pa.peers[ca].get("interface"), reported)
        answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 10000, "interface": "up1"})
        ca = answer["result"]["conn"]
        self.assertEqual(pa.peers[ca]["interface"], "up1")
        self.assertNotIn("interface", pb.peers[pb.wait_up("alpha", after=cb)])
        self.flows(a)
        self.finish(a, b)
