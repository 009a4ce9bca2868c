# SPDX-License-Identifier: Apache-2.0
"""Tests of selftest.py about reconnects, also those that dial first (keep_old), and requests that are taken back."""
import signal
import time


class Reconnects:
    """Mixed into selftest.py's Net, which has the network and the nodes."""

    def reconnect(self, client, other, peer, name, conn):
        client.order.clear()
        before = other.live(name)
        answer = client.ask("reconnect_peer", {"conn": conn, "timeout_ms": 10000})
        self.assertGreater(answer["result"]["conn"], conn)
        self.assertEqual(answer["result"]["conn"], client.live(peer))
        self.assertEqual([x for x in client.order if x != "peer_path"],
                         ["peer_down", "peer_up", "answer"])
        other.wait_up(name, after=before)
        return answer["result"]["conn"]

    def test_reconnect_both_roles(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--listen", "10.99.0.1:9100"])
        self.flows(a)
        ca = self.reconnect(pa, pb, "bravo", "alpha", ca)
        self.assertEqual(pa.peers[ca]["role"], "client")
        cb = self.reconnect(pb, pa, "alpha", "bravo", pb.live("alpha"))
        self.assertEqual(pb.peers[cb]["role"], "client")
        self.assertEqual(pa.peers[pa.live("bravo")]["role"], "server")
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_reconnect_over_the_other_uplink(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.ip(self.b, "link", "set", "down1", "down")
        self.route_alpha(2)
        ca = self.reconnect(pa, pb, "bravo", "alpha", ca)
        self.assertTrue(pa.peers[ca]["local"].startswith("10.99.2.1:"))
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_reconnect_at_once_from_both_ends(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--listen", "10.99.0.1:9100"])
        self.flows(a)
        for _ in range(5):
            ia = pa.send("reconnect_peer", {"conn": pa.live("bravo"), "timeout_ms": 10000})
            ib = pb.send("reconnect_peer", {"conn": pb.live("alpha"), "timeout_ms": 10000})
            for client, id in ((pa, ia), (pb, ib)):
                answer = client.wait(id)
                # one may have found its connection closed by the other already
                self.assertTrue("result" in answer or answer["error"]["code"] == -32002, answer)
            self.flows(a)
            self.flows(b)
            pa.row(pa.live("bravo"))
            pb.row(pb.live("alpha"))
            la, lb = pa.peers[pa.live("bravo")], pb.peers[pb.live("alpha")]
            self.assertEqual({la["role"], lb["role"]}, {"client", "server"})
            self.assertEqual(la["local"], lb["remote"])
            self.assertEqual(len(pa.peers), 1)
            self.assertEqual(len(pb.peers), 1)
        self.finish(a, b)

    def test_reconnect_fails_and_redials(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--dial-timeout", "500ms"])
        self.flows(a)
        for i in (1, 2):
            self.ip(self.b, "link", "set", "down%d" % i, "down")
        answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertEqual(answer["error"]["code"], -32009)
        for i in (1, 2):
            self.ip(self.b, "link", "set", "down%d" % i, "up")
        pa.wait_up("bravo", after=ca, seconds=20)
        self.flows(a)
        self.finish(a, b)

    def redial(self, pathdog, conn, **params):
        """Over the second uplink, while the connection goes over the first."""
        return pathdog.send("reconnect_peer", {"conn": conn, "timeout_ms": 10000, "keep_old": True,
                                               "interface": "up2", **params})

    def kept(self, pathdog, conn):
        """It is up, and nothing else was reported since the beginning."""
        pathdog.row(conn)
        self.assertIn(conn, pathdog.peers)
        self.assertEqual((pathdog.order.count("peer_up"), pathdog.order.count("peer_down")), (1, 0))

    def test_keep_old_of_a_dead_connection(self):
        """Both roles: the new one is up before the old one is down at the peer; no byte is lost."""
        a, b, pa, pb, ca, cb = self.pair(alpha=["--listen", "10.99.0.1:9100"])
        self.flows(a)
        self.cut("down1")
        answer = pa.wait(self.redial(pa, ca))
        self.assertGreater(answer["result"]["conn"], ca)
        self.assertEqual(pa.order[-3:], ["peer_down", "peer_up", "answer"])
        new = pa.peers[answer["result"]["conn"]]
        self.assertTrue(new["local"].startswith("10.99.2.1:"), new)
        cb = pb.wait_up("alpha", after=cb)
        self.flows(a)
        self.heal("down1")
        self.cut("down2")  # inbound at bravo: it dials alpha, over the other uplink
        answer = pb.wait(self.redial(pb, cb, interface="down1"))
        self.assertGreater(answer["result"]["conn"], cb)
        self.assertEqual(pb.peers[answer["result"]["conn"]]["role"], "client")
        self.flows(a)
        self.flows(b)
        self.finish(a, b)
        self.assertEqual((a.total["reconnects"], b.total["reconnects"]), (1, 1))

    def test_keep_old_of_a_living_connection(self):
        """Where the dial is faster than an acknowledgement, too."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        for _ in range(5):
            self.assertEqual(pa.wait(self.redial(pa, ca))["error"]["code"], -32011)
        self.kept(pa, ca)
        self.kept(pb, cb)
        self.flows(a)
        self.finish(a, b)
        self.assertEqual((a.total["connections"], b.total["connections"]), (1, 1))

    def test_keep_old_of_a_living_connection_on_a_slow_machine(self):
        """One of the two ends gets no time for a while, and then for both connections at once: the old one lives."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        closed = 0
        for i in range(12):
            slow = (a, b)[i % 2].process
            begun = len(a.log)
            asked = self.redial(pa, ca)
            a.wait_event("reconnect-begun", start=begun)
            slow.send_signal(signal.SIGSTOP)
            time.sleep(0.2)  # longer than a PTO
            slow.send_signal(signal.SIGCONT)
            answer = pa.wait(asked)
            if "result" in answer:  # right where this machine was slow before it was asked
                # Once in twelve it may be as slow after that, so that two PTOs are over.
                closed += "old=silent" not in a.wait_event("reconnect-begun", start=begun)
                ca = answer["result"]["conn"]
            else:
                self.assertEqual(answer["error"]["code"], -32011)
        self.assertLessEqual(closed, 1)
        self.flows(a)
        self.finish(a, b)

    def test_keep_old_heals_meanwhile(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.cut("down1")
        self.down2_drops()
        asked = self.redial(pa, ca, timeout_ms=60000)
        pa.pump(lambda: self.down2_dropped() > 0, 5, "a packet of the dial")
        self.assertNotIn(asked, pa.answers)
        self.heal("down1")
        self.assertEqual(pa.wait(asked)["error"]["code"], -32011)
        self.kept(pa, ca)
        self.kept(pb, cb)
        self.flows(a)
        self.finish(a, b)

    def test_keep_old_when_the_dial_fails(self):
        """At once, by its time, and by the handshake's own: nothing is closed."""
        a, b, pa, pb, ca, cb = self.pair(alpha=["--dial-timeout", "1"])
        self.flows(a)
        self.cut("down1")
        self.down2_drops()
        for params in ({"interface": "nowhere"}, {"timeout_ms": 200}, {"timeout_ms": 60000}):
            answer = pa.wait(self.redial(pa, ca, **params))
            self.assertEqual(answer["error"]["code"], -32009, params)
            self.kept(pa, ca)
        self.heal("down1")
        self.flows(a)
        self.kept(pa, ca)
        self.kept(pb, cb)
        self.finish(a, b)

    def test_cancel_of_a_dial(self):
        """The next request is taken at once. One that closed the old connection goes on."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.cut("down1")
        self.down2_drops()
        asked = self.redial(pa, ca, timeout_ms=60000)
        pa.pump(lambda: self.down2_dropped() > 0, 5, "a packet of the dial")
        pa.cancel(asked)
        again = self.redial(pa, ca, timeout_ms=60000)
        self.assertEqual(pa.wait(asked)["error"]["code"], -32012)
        pa.cancel(asked)  # answered: ignored
        pa.cancel(again + 1000)
        self.kept(pa, ca)
        self.down2_passes()
        self.assertGreater(pa.wait(again)["result"]["conn"], ca)
        ca = pa.wait_up("bravo", after=ca)
        asked = pa.send("reconnect_peer", {"conn": ca, "timeout_ms": 10000, "interface": "up2"})
        pa.cancel(asked)
        self.assertGreater(pa.wait(asked)["result"]["conn"], ca)
        self.flows(a)
        self.finish(a, b)

    def check_cancel_of_a_migration(self, dead):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        if dead:
            self.cut("down1")
            pa.pump(lambda: pa.row(ca)["silent_ms"] > 300, 5, "silence")
        self.down2_drops()
        asked = pa.send("migrate_peer", {"conn": ca, "timeout_ms": 60000, "interface": "up2"})
        pa.pump(lambda: self.down2_dropped() > 0, 5, "a packet over up2")
        pa.cancel(asked)
        if dead:
            self.heal("down1")
        again = pa.send("migrate_peer", {"conn": ca, "timeout_ms": 20000, "interface": "up1"})
        self.assertEqual(pa.wait(asked)["error"]["code"], -32012)
        answer = pa.wait(again, 20)
        self.assertTrue(answer["result"]["local"].startswith("10.99.1.1:"), answer)
        self.down2_passes()
        self.flows(a)
        self.kept(pa, ca)
        self.finish(a, b)

    def test_cancel_of_a_migration(self):
        """The next one begins at once, and gets there."""
        self.check_cancel_of_a_migration(False)

    def test_cancel_of_an_immediate_migration(self):
        self.check_cancel_of_a_migration(True)

    def test_cancel_leaves_it_where_it_is(self):
        """A path that was being validated is not taken when it comes to life later."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.down2_drops()
        probe = pa.send("probe_path", {"conn": ca, "timeout_ms": 60000, "interface": "up2"})
        asked = pa.send("migrate_peer", {"conn": ca, "timeout_ms": 60000, "interface": "up2"})
        pa.pump(lambda: self.down2_dropped() > 1, 5, "packets over up2")
        pa.cancel(asked)
        pa.cancel(probe)
        self.assertEqual(pa.wait(asked)["error"]["code"], -32012)
        self.assertEqual(pa.wait(probe)["error"]["code"], -32012)
        dropped = self.down2_dropped()
        self.flows(a)
        self.flows(a)
        self.assertEqual(self.down2_dropped(), dropped)  # nothing more is sent there
        self.assertEqual(pa.row(ca)["send_errors"], 0)
        self.down2_passes()
        self.flows(a)
        self.assertTrue(pa.peers[ca]["local"].startswith("10.99.1.1:"), pa.peers[ca])
        self.finish(a, b)
