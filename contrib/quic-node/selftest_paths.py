# SPDX-License-Identifier: Apache-2.0
"""Tests of selftest.py about paths that are named: bind, probe_path, reconnect over an interface."""
import os
import time

import selftest_wire as wire


class Paths:
    """Mixed into selftest.py's Net, which has the network and the nodes."""

    def probe(self, pathdog, conn, **params):
        return pathdog.ask("probe_path", {"conn": conn, "timeout_ms": 10000, **params})

    def stays(self, pathdog, conn, paths):
        """The connection is where it was, and no path was told since."""
        pathdog.row(conn)
        self.assertTrue(pathdog.peers[conn]["local"].startswith("10.99.1.1:"), pathdog.peers[conn])
        self.assertEqual(pathdog.order.count("peer_path"), paths)

    def test_bind(self):
        a, b, pa, pb, ca, cb = self.pair()
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000, "local": "10.99.2.1"})
        self.assertTrue(answer["result"]["local"].startswith("10.99.2.1:"), answer)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000, "interface": "nowhere"})
        self.assertEqual(answer["error"]["code"], -32007)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000, "local": "no address"})
        self.assertEqual(answer["error"]["code"], -32602)
        self.flows(a)
        self.finish(a, b)

    def test_probe_path_lives(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        paths = pa.order.count("peer_path")
        for where in ({"interface": "up1"}, {"interface": "up2"}, {"local": "10.99.2.1"}, {}):
            begun = time.monotonic()
            answer = self.probe(pa, ca, **where)
            self.assertIn("result", answer, where)
            self.assertGreater(answer["result"]["rtt_us"], 0)
            self.assertLessEqual(answer["result"]["rtt_us"], (time.monotonic() - begun) * 1e6)
        self.stays(pa, ca, paths)
        self.flows(a)
        self.finish(a, b)
        self.assertEqual((a.total["migrations"], a.total["connections"]), (0, 1))

    def test_probe_path_of_a_dead_one(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.down2_drops()
        paths = pa.order.count("peer_path")
        dead = [pa.send("probe_path", {"conn": ca, "timeout_ms": 3000, "interface": "up2"})
                for _ in range(9)]
        codes = [pa.wait(id)["error"]["code"] for id in dead]
        self.assertEqual(sorted(codes), [-32006] + 8 * [-32004])  # no more than 8 at a time
        self.stays(pa, ca, paths)
        self.flows(a)
        self.finish(a, b)

    def forge(self):
        """The peer gets probes over up2 and answers none; somebody else answers, as he likes. Returns
        what arrives at the peer, what arrives here, and that somebody."""
        self.down2_drops()
        ends = wire.Tap(self.b, "down2"), wire.Tap(self.a, "up2"), wire.Forger(self.b)
        for end in ends:
            self.addCleanup(end.close)
        return ends

    def test_probe_path_forged_answers(self):
        """Only who saw the question can answer it, and only from where it went."""
        a, b, pa, pb, ca, cb = self.pair()
        there, here, forger = self.forge()
        asked = pa.send("probe_path", {"conn": ca, "timeout_ms": 3000, "interface": "up2"})
        probe = there.probe()
        ours, theirs = probe.source_id, probe.destination_id
        wrong = (
            ("ids of somebody else", wire.negotiation(os.urandom(16), os.urandom(16))),
            ("our id guessed but for its first byte", wire.negotiation(bytes([ours[0] ^ 1]) + ours[1:], theirs)),
            ("but for its last random one",
             wire.negotiation(ours[:14] + bytes([ours[14] ^ 0x80]) + ours[15:], theirs)),
            ("a try that was not made", wire.negotiation(ours[:15] + b"\x04", theirs)),
            ("the ids not exchanged", wire.negotiation(theirs, ours)),
            ("a part of our id", wire.negotiation(ours[:15], theirs)),
            ("more than our id", wire.negotiation(ours + b"\0", theirs)),
            ("no id", wire.negotiation(b"", theirs)),
            ("a version", wire.negotiation(ours, theirs, version=1)),
            ("a short header, with our id where such one has it", b"\x40" + ours + theirs),
            ("a short header", wire.negotiation(ours, theirs, first=0x40)),
            ("cut off", wire.negotiation(ours, theirs)[:12]),
        )
        sources = [("10.99.0.2", 9100, payload) for _, payload in wrong]
        right = wire.negotiation(ours, theirs)
        sources += [("10.99.2.2", 9100, right), ("10.99.0.2", 9101, right), ("10.99.2.2", probe.port, right)]
        for source, port, payload in sources:
            forger.send(source, port, probe.source, probe.port, payload)
            here.arrival(payload)
        self.assertEqual(pa.wait(asked)["error"]["code"], -32004)

        asked = pa.send("probe_path", {"conn": ca, "timeout_ms": 30000, "interface": "up2"})
        probe = there.probe()
        while probe.source_id[:15] == ours[:15]:  # another try of the first
            probe = there.probe()
        forger.send("10.99.0.2", 9100, probe.source, probe.port,
                    wire.negotiation(probe.source_id, probe.destination_id))
        self.assertGreater(pa.wait(asked)["result"]["rtt_us"], 0)
        self.flows(a)
        self.finish(a, b)

    def test_probe_path_heals_meanwhile(self):
        """The first try is lost, a later one is answered: the time is that one's."""
        a, b, pa, pb, ca, cb = self.pair()
        self.down2_drops()
        begun = time.monotonic()
        asked = pa.send("probe_path", {"conn": ca, "timeout_ms": 8000, "interface": "up2"})
        pa.pump(lambda: self.down2_dropped() > 0, 5, "a packet that was dropped")
        self.down2_passes()
        answer = pa.wait(asked)
        self.assertIn("result", answer)
        waited_us = (time.monotonic() - begun) * 1e6
        self.assertGreater(waited_us, 1.9e6)  # the next try is due after a quarter of 8 s
        self.assertLess(answer["result"]["rtt_us"], waited_us - 1.9e6)
        self.finish(a, b)

    def test_probe_path_refusals(self):
        a, b, pa, pb, ca, cb = self.pair()
        for params, code in (({"interface": "nowhere"}, -32007), ({"local": "no address"}, -32602),
                             ({"local": "fd99:2::1"}, -32602), ({"local": "10.99.7.7"}, -32007),
                             ({"interface": "", "local": "10.99.2.1"}, -32007),
                             ({"conn": 99}, -32001), ({"conn": "x"}, -32602),
                             ({"timeout_ms": 0}, -32602), ({"interface": 7}, -32602)):
            answer = pa.ask("probe_path", {"conn": ca, "timeout_ms": 500, **params})
            self.assertEqual(answer["error"]["code"], code, params)
        # alpha does not listen: bravo has nothing to try
        self.assertEqual(self.probe(pb, cb)["error"]["code"], -32005)
        self.flows(a)
        self.finish(a, b)

    def test_probe_path_of_an_inbound_connection(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--listen", "10.99.0.1:9100"])
        self.assertGreater(self.probe(pb, cb)["result"]["rtt_us"], 0)
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_probe_path_when_the_connection_ends(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.down2_drops()
        asked = pa.send("probe_path", {"conn": ca, "timeout_ms": 60000, "interface": "up2"})
        pa.pump(lambda: self.down2_dropped() > 0, 5, "a packet that was dropped")
        b.stop()
        self.assertEqual(pa.wait(asked)["error"]["code"], -32002)
        self.assertEqual(a.stop()[0], 0)

    def test_reconnect_over_an_interface(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        for where, local in (({"interface": "up2"}, "10.99.2.1:"), ({"local": "10.99.1.1"}, "10.99.1.1:"),
                             ({"interface": "up2", "local": "10.99.2.1"}, "10.99.2.1:")):
            answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 10000, **where})
            self.assertIn("result", answer)
            ca = answer["result"]["conn"]
            self.assertTrue(pa.peers[ca]["local"].startswith(local), (where, pa.peers[ca]))
            self.flows(a)
        answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 10000, "local": "fd99:2::1"})
        self.assertEqual(answer["error"]["code"], -32602)
        self.assertIn(ca, pa.peers)  # nothing was closed
        answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 10000, "interface": "nowhere"})
        self.assertEqual(answer["error"]["code"], -32009)
        pa.wait_up("bravo", after=ca)  # by the node's own rules
        self.flows(a)
        self.finish(a, b)
        self.assertEqual(a.total["reconnects"], 3)

    NO_WAY = ("nowhere", "bare", "off1", "", "up2-and-much-longer", "../up2")

    def check_no_way(self, address):
        """`bare` is up, and has a route and no address but the link's own; `off1` is down, and has one."""
        a, b, pa, pb, ca, cb = self.pair(address=address)
        self.ip(self.a, "link", "add", "bare", "type", "veth", "peer", "name", "bare1")
        self.ip(self.a, "link", "add", "off1", "type", "veth", "peer", "name", "off0")
        self.ip(self.a, "addr", "add", "10.99.3.1/24", "dev", "off1")
        self.ip(self.a, "addr", "add", "fd99:3::1/64", "dev", "off1", "nodad")
        self.ip(self.a, "link", "set", "bare", "up")
        self.ip(self.a, "link", "set", "bare1", "up")
        self.wait_link(self.a, "bare")
        self.ip(self.a, "route", "add", "10.99.0.2", "dev", "bare", "metric", "9")
        self.ip(self.a, "-6", "route", "add", "fd99::2", "via", "fe80::1", "dev", "bare", "metric", "2000")
        before, paths = pa.peers[ca]["local"], pa.order.count("peer_path")
        for interface in self.NO_WAY:
            for method in ("probe_path", "migrate_peer"):
                answer = pa.ask(method, {"conn": ca, "timeout_ms": 500, "interface": interface})
                self.assertEqual(answer.get("error", {}).get("code"), -32007, (method, interface, answer))
        pa.row(ca)
        self.assertEqual((pa.peers[ca]["local"], pa.order.count("peer_path")), (before, paths))
        self.flows(a)
        for interface in self.NO_WAY:
            answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 500, "interface": interface})
            self.assertEqual(answer.get("error", {}).get("code"), -32009, (interface, answer))
            ca = pa.wait_up("bravo", after=ca)
        self.flows(a)
        self.finish(a, b)

    def test_interfaces_without_a_way(self):
        """An address of another uplink is none of this one's."""
        self.check_no_way("10.99.0.2:9100")

    def test_interfaces_without_a_way_ipv6(self):
        self.check_no_way("[fd99::2]:9100")

    def test_names_of_an_interface(self):
        """Its address may have a label, and it another name."""
        a, b, pa, pb, ca, cb = self.pair()
        self.ip(self.a, "addr", "del", "10.99.2.1/24", "dev", "up2")
        self.ip(self.a, "addr", "add", "10.99.2.1/24", "dev", "up2", "label", "up2:isp")
        self.ip(self.a, "link", "property", "add", "dev", "up2", "altname", "second-uplink")
        for interface in ("up2", "second-uplink"):
            self.assertIn("result", self.probe(pa, ca, interface=interface), interface)
        self.assertEqual(self.probe(pa, ca, interface="up2:isp")["error"]["code"], -32007)
        self.flows(a)
        self.finish(a, b)

    def test_an_interface_that_goes_while_it_is_probed(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.down2_drops()
        for gone in (("set", "up2", "down"), ("del", "up2")):
            self.ip(self.a, "link", "set", "up2", "up")
            self.wait_link(self.a, "up2")
            asked = pa.send("probe_path", {"conn": ca, "timeout_ms": 6000, "interface": "up2"})
            pa.row(ca)
            self.ip(self.a, "link", *gone)
            # noticed by the next try at the latest, after a quarter of the time
            self.assertEqual(pa.wait(asked)["error"]["code"], -32007, gone)
        self.flows(a)
        self.finish(a, b)
