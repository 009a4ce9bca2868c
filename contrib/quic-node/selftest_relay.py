# SPDX-License-Identifier: Apache-2.0
"""Tests of selftest.py about relays: dialled through one, moved over them, what relays do to a connection."""
import os
import subprocess
import time
import unittest

from selftest_pathdog import PATIENCE
from selftest_relay_lab import ADDRESSES, PORT, Babbler, Nat, WithRelays, needs_udp_relay


class Relays(WithRelays):
    # ---- the handshake ----

    def check_handshake(self, old):
        relay = self.relay("A", old=old)
        a, b, pa, pb, ca, cb = self.pair_over("A", bravo=["--rate", "50000"])
        self.is_via("A", (pa, ca), (pb, cb))
        self.assertEqual((pa.peers[ca]["role"], pb.peers[cb]["role"]), ("client", "server"))
        self.assertFalse(pb.peers[cb]["reconnectable"])
        self.assertTrue(pa.peers[ca]["local"].startswith("10.99.11.1:"), pa.peers[ca])
        self.flows(a)
        self.flows(b)
        self.finish(a, b)
        self.assertIsNone(relay.process.poll())

    def test_relay_handshake(self):
        self.check_handshake(False)

    def test_relay_handshake_old_relay(self):
        self.check_handshake(True)

    def test_relay_that_comes_later(self):
        """Both dial and wait; then the relay is there."""
        self.between()
        b = self.node(self.b, "bravo", *self.knows("A"), "--meet", "alpha=A", "--duration", "300")
        a = self.node(self.a, "alpha", *self.knows("A"), "--dial", "bravo=10.99.0.2:9100", "--via", "A",
                      "--dial-timeout", "1")
        self.assertIn("relay A: ", a.wait_event("dropped"))
        self.relay("A")
        pa = self.pathdog(a)
        pa.wait_up("bravo", seconds=30)
        self.flows(a)
        self.finish(a, b)

    def test_relay_dial_is_refused(self):
        self.talker("A", b"ERR:denied\n")
        a = self.node(self.a, "alpha", *self.knows("A"), "--dial", "bravo=10.99.0.2:9100", "--via", "A")
        self.assertIn('reason="relay A: ERR:denied"', a.wait_event("dropped"))
        self.assertEqual(a.stop()[0], 0)

    def test_relay_and_the_direct_way_in_turn(self):
        """Nothing is there at the direct address; the next way is tried."""
        self.relay("A")
        b = self.node(self.b, "bravo", *self.knows("A"), "--meet", "alpha=A")
        a = self.node(self.a, "alpha", *self.knows("A"), "--dial", "bravo=10.99.0.2:9100", "--via", "direct",
                      "--via", "A", "--dial-timeout", "500ms")
        pa = self.pathdog(a)
        self.assertEqual(pa.peers[pa.wait_up("bravo", seconds=30)]["via"], "A")
        self.flows(a)
        self.finish(a, b)

    def check_dialled_again(self, old):
        """By another process, from another port, while the relay and bravo still have the old one."""
        self.relay("A", old=old)
        a, b, pa, pb, ca, cb = self.pair_over("A", bravo=["--idle-timeout", "5min"])
        self.flows(a)
        a.process.kill()
        a.process.wait()
        a.process.stdout.close()
        again = self.node(self.a, "alpha", *self.knows("A"), "--dial", "bravo=10.99.0.2:9100", "--via", "A",
                          "--dial-timeout", "1")
        pa = self.pathdog(again)
        pa.wait_up("bravo", seconds=30)
        self.flows(again)
        self.finish(again, b)

    def test_relay_dialled_again(self):
        self.check_dialled_again(False)

    def test_relay_dialled_again_old_relay(self):
        self.check_dialled_again(True)

    def test_relay_reconnect(self):
        self.relay("A")
        a, b, pa, pb, ca, cb = self.pair_over("A")
        self.flows(a)
        for keep_old in (False, True):
            before = a.stats()["bytes_verified"]
            answer = pa.ask("reconnect_peer", {"conn": ca, "timeout_ms": 20000, "keep_old": keep_old}, seconds=25)
            if keep_old:
                self.assertEqual(answer["error"]["code"], -32011)  # it lives
            else:
                ca = answer["result"]["conn"]
            self.assertEqual(pa.peers[ca]["via"], "A")
            pa.pump(lambda b=before: a.stats()["bytes_verified"] > b + 1000, 10, "bytes")
        self.finish(a, b)
        self.assertEqual(a.total["reconnects"], 1)

    # ---- moved ----

    def check_round(self, old):
        """direct, A, B, direct: a real change of path each time, and every byte arrives."""
        self.relay("A", old=old)
        self.relay("B", old=old)
        fast = ["--rate", "100000"]
        a, b, pa, pb, ca, cb = self.pair_with("AB", alpha=fast, bravo=fast)
        self.is_via("direct", (pa, ca), (pb, cb))
        self.flows(a)
        locals_ = {pa.peers[ca]["local"]}
        for via in ("A", "B", "direct", "B", "A", "A", "direct"):
            answer = self.moves(pa, ca, via)
            self.is_via(via, (pa, ca), (pb, cb))
            self.assertNotIn(answer["result"]["local"], locals_)
            locals_.add(answer["result"]["local"])
            self.flows(a)
            self.flows(b)
        self.finish(a, b)
        self.assertEqual((a.total["connections"], a.total["migrations"]), (1, 7))
        self.assertEqual(b.total["peer_moves"], 7)
        # what one has sent, and the other has seen: the last of it may be under way when alpha ends
        self.assertGreaterEqual(b.total["bytes_verified"], a.total["bytes_acknowledged"])
        self.assertLess(a.total["longest_gap_ms"], 3000)

    def test_relay_there_and_back(self):
        self.check_round(False)

    def test_relay_there_and_back_old_relay(self):
        self.check_round(True)

    def test_relay_many_moves_in_a_row(self):
        """Faster than connection ids and registrations come: what is refused says so, and nothing is lost."""
        self.relay("A")
        self.relay("B")
        fast = ["--rate", "200000"]
        a, b, pa, pb, ca, cb = self.pair_with("AB", alpha=fast, bravo=fast)
        done = 0
        for i in range(40):
            answer = self.move(pa, ca, ("A", "B", "direct")[i % 3], timeout_ms=3000)
            done += "result" in answer
            self.assertTrue("result" in answer or answer["error"]["code"] in (-32004, -32007), answer)
        self.assertGreater(done, 10)
        self.flows(a)
        self.flows(b)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    @needs_udp_relay
    def test_relay_ends_the_session(self):
        """Its time is over each 3 s: the pause is felt, the ids are registered anew, and nothing is lost."""
        self.relay("A", "--max-duration", "3s")
        a, b, pa, pb, ca, cb = self.pair_over("A", alpha=["--rate", "50000"])
        self.flows(a)
        pa.pump(lambda: (a.read(0.01), len(self.ids(a, "lost")) > 1)[1], 20, "two ends")
        self.flows(a, 20)
        self.flows(b, 20)
        self.is_via("A", (pa, ca), (pb, cb))
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    @needs_udp_relay
    def test_relay_ends_one_direction(self):
        """Its bytes are used up: the move to another session there goes on, and nothing is lost."""
        self.relay("A", "--max-data", "300K")
        a, b, pa, pb, ca, cb = self.pair_over("A", alpha=["--rate", "100000"])
        self.flows(a)
        for _ in range(2):
            pa.pump(lambda: pa.row(ca)["unacked_ms"] > 700, 20, "a direction that has ended")
            self.moves(pa, ca)
            self.flows(a)
            self.flows(b)
        self.finish(a, b)
        self.assertEqual((a.total["connections"], a.total["migrations"]), (1, 2))

    def check_direct_is_dead(self, old):
        """Nothing can be agreed any more, and the windows are full: the other end has registered before."""
        self.relay("A", old=old)
        fast = ["--rate", "400000"]
        a, b, pa, pb, ca, cb = self.pair_with("A", alpha=fast, bravo=fast)
        self.flows(a)
        self.stands(b, "A")
        self.cut("down1")
        pa.pump(lambda: pa.row(ca)["silent_ms"] > 500, 10, "silence")
        self.moves(pa, ca, "A")
        self.flows(a)
        self.flows(b)
        self.is_via("A", (pa, ca), (pb, cb))
        self.heal("down1")
        self.moves(pa, ca, "direct")
        self.flows(a)
        self.is_via("direct", (pa, ca), (pb, cb))
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_relay_when_the_direct_path_is_dead(self):
        self.check_direct_is_dead(False)

    def test_relay_when_the_direct_path_is_dead_old_relay(self):
        self.check_direct_is_dead(True)

    def test_relay_after_tries_of_the_direct_path(self):
        """The connection ids of the last tries are kept: a relay works after any number of them."""
        self.relay("A")
        a, b, pa, pb, ca, cb = self.pair_with("A", alpha=["--rate", "50000"])
        self.flows(a)
        self.stands(b, "A")
        self.cut("down1")
        pa.pump(lambda: pa.row(ca)["silent_ms"] > 500, 10, "silence")
        for _ in range(6):
            answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 300})
            self.assertIn("error", answer)
        self.assertEqual(answer["error"]["code"], -32007)
        self.assertRegex(answer["error"]["message"], "the last connection ids are kept")
        self.moves(pa, ca, "A")
        self.flows(a)
        self.flows(b)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def check_dies(self, old):
        """The connection stays up on a relay that is gone, and moves away from it."""
        relay = self.relay("A", old=old)
        self.relay("B", old=old)
        a, b, pa, pb, ca, cb = self.pair_over("A", "AB", alpha=["--rate", "50000"])
        self.flows(a)
        self.stands(b, "B")
        relay.end()
        pa.pump(lambda: pa.row(ca)["silent_ms"] > 1500, 10, "silence")
        self.assertIn(ca, pa.peers)
        self.refuses(pa, ca, "A", -32007, "^relay A: (no answer|Connection refused)$")
        self.moves(pa, ca, "B")
        self.is_via("B", (pa, ca), (pb, cb))
        self.flows(a)
        self.flows(b)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_relay_dies(self):
        self.check_dies(False)

    def test_relay_dies_old_relay(self):
        self.check_dies(True)

    def check_restart(self, old):
        """It has forgotten everybody. Nobody tells the nodes, or ERR:unknown does."""
        relay = self.relay("A", old=old)
        a, b, pa, pb, ca, cb = self.pair_over("A")
        self.flows(a)
        relay.end()
        pa.pump(lambda: pa.row(ca)["silent_ms"] > 500, 10, "silence")
        self.relay("A", old=old)
        self.flows(a, 20)
        self.flows(b, 20)
        self.is_via("A", (pa, ca), (pb, cb))
        self.moves(pa, ca, "A")  # its next id is registered anew, too
        self.flows(a)
        self.finish(a, b)
        self.assertEqual((a.total["connections"], a.total["migrations"]), (1, 1))

    def test_relay_restart(self):
        self.check_restart(False)

    def test_relay_restart_old_relay(self):
        self.check_restart(True)

    def check_nat(self, old):
        """The port changes on the way, and the connection notices a pause at most. An old relay knows who sends from a
        new port by the address alone: there only at alpha's end, which has one registration. It registers no more."""
        self.relay("A", old=old)
        nats = [Nat(ns, (ADDRESSES["A"], PORT)) for ns in (self.a, self.b)[:1 if old else 2]]
        for nat in nats:
            self.addCleanup(nat.end)
        a, b, pa, pb, ca, cb = self.pair_over("A", A=nats[0].address, there={} if old else {"A": nats[1].address})
        self.flows(a)
        asked = len(self.ids(a))
        for nat in 2 * nats:
            ports = len(nat.ports)
            nat.rebind()
            pa.pump(lambda p=ports: len(nat.ports) > p, 10, "another port")
            self.flows(a, 20)
            self.flows(b, 20)
            self.assertEqual(len(set(nat.ports)), len(nat.ports))
        if old:
            self.assertEqual(len(self.ids(a)), asked)
        self.finish(a, b)
        self.assertEqual((a.total["connections"], a.total["migrations"], b.total["peer_moves"]), (1, 0, 0))

    def test_relay_nat_port(self):
        self.check_nat(False)

    def test_relay_nat_port_old_relay(self):
        self.check_nat(True)

    def check_local_address(self, old):
        """Alpha's address is another: a new id at both ends."""
        self.relay("A", old=old)
        a, b, pa, pb, ca, cb = self.pair_over("A")
        self.flows(a)
        for net, where in ((13, {}), (11, {"interface": "rel1"}), (13, {"local": "10.99.13.1"})):
            self.stands(b, "A", start=0)
            self.route_relays(net)
            before = self.ids(a)
            answer = self.moves(pa, ca, **where)
            self.assertTrue(answer["result"]["local"].startswith("10.99.%d.1:" % net), answer)
            self.flows(a)
            self.flows(b)
            self.is_via("A", (pa, ca), (pb, cb))
            new = self.ids(a)[len(before):]
            self.assertEqual(len(new), 1)
            self.assertNotIn(new[0], before)
            self.assertIn(new[0], self.ids(b))
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_relay_local_address(self):
        self.check_local_address(False)

    def test_relay_local_address_old_relay(self):
        self.check_local_address(True)

    def test_relay_local_address_of_the_peer(self):
        """What bravo has registered is lost with its address: it goes on to other ids, from the new one."""
        self.relay("A")
        a, b, pa, pb, ca, cb = self.pair_with("A", bravo=["--relay-keep-alive", "500ms", "--meet", "carol=A"])
        self.flows(a)
        self.stands(b, "A")
        before, log = self.ids(b), len(b.log)
        self.ip(self.b, "route", "replace", "10.99.20.0/24", "via", "10.99.14.2")
        self.ip(self.b, "link", "set", "rel3", "down")
        pb.pump(lambda: (b.read(0.01), len(self.ids(b)) == len(before) + 4)[1], 40, "four registrations")
        self.assertEqual(sum("local=10.99.14.1:" in line for line in b.log[log:]), 4)
        new = self.ids(b)[len(before):]
        self.assertFalse(set(new) & set(before))
        self.flows(a)
        self.moves(pa, ca, "A")
        self.assertEqual(len(self.ids(a)), 1)
        self.assertIn(self.ids(a)[0], new)
        # the meetings that are full of the old address are left out
        carol = self.node(self.a, "carol", *self.knows("A"), "--dial", "bravo=10.99.0.2:9100", "--via", "A")
        pc = self.pathdog(carol)
        self.assertEqual(pc.peers[pc.wait_up("bravo", seconds=30)]["via"], "A")
        self.is_via("A", (pa, ca), (pb, cb))
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_relay_direct_path_that_does_not_validate(self):
        self.relay("A")
        a, b, pa, pb, ca, cb = self.pair_over("A")
        self.flows(a)
        self.refuses(pa, ca, "direct", -32004, "", timeout_ms=800)
        self.is_via("A", (pa, ca), (pb, cb))
        self.flows(a)
        self.finish(a, b)

    # ---- what cannot be ----

    def test_relay_refusals(self):
        self.relay("A")
        talker = self.talker("B", b"ERR:limit\n")
        a, b, pa, pb, ca, cb = self.pair_with("AB", C="10.99.20.3:4433")
        self.flows(a)
        self.refuses(pa, ca, "Z", -32008, "no relay of that name")
        self.refuses(pa, ca, "C", -32008, "peer knows no relay of that name")
        self.refuses(pa, ca, "B", -32007, "relay B: ERR:limit")
        self.refuses(pa, ca, "A", -32602, "relay's family", local="fd99:1::1")
        self.refuses(pa, ca, "A", -32007, "", interface="nowhere")
        self.refuses(pb, cb, "A", -32005, "")
        for word in (b"full", b"denied", b"off", b"of-a-later-relay"):
            talker.answer = b"ERR:" + word + b"\n"
            self.refuses(pa, ca, "B", -32007, "relay B: ERR:")
        self.flows(a)
        self.is_via("direct", (pa, ca), (pb, cb))
        self.finish(a, b)

    def test_relay_refuses_one_end(self):
        """The peer has registered; this end's relay of that name does not answer, or says why not."""
        self.relay("A")
        talker = self.talker("B", b"ERR:denied\n")
        a, b, pa, pb, ca, cb = self.pair_with("A", A="%s:%d" % (ADDRESSES["B"], PORT))
        self.stands(b, "A")
        self.flows(a)
        self.refuses(pa, ca, "A", -32007, "^relay A: ERR:denied$")
        talker.answer = None
        self.refuses(pa, ca, "A", -32007, "^relay A: no answer$")
        self.assertTrue(all(data.startswith(b"REG:") for data in talker.asked), talker.asked[:3])
        # "ACK" proves nothing: nobody is behind it
        talker.answer = b"ACK\n"
        self.refuses(pa, ca, "A", -32004, "", timeout_ms=1500)
        self.is_via("direct", (pa, ca), (pb, cb))
        self.flows(a)
        self.finish(a, b)

    def test_relay_that_babbles(self):
        """20 000 datagrams at least: nothing ends, the log stays short, and REG stays rare."""
        self.between()
        babbler = Babbler(self.r, "B", None)
        self.addCleanup(babbler.end)
        self.relay("A")
        a, b, pa, pb, ca, cb = self.pair_with("AB", bravo=["--meet", "carol=B"])
        self.flows(a)
        begun = time.monotonic()
        while babbler.said < 20000:
            self.move(pa, ca, "B", timeout_ms=500)
            self.flows(a)
        seconds = time.monotonic() - begun
        self.assertIn("result", self.move(pa, ca, "A"))
        self.flows(b)
        for node in (a, b):
            self.assertLess(len([line for line in node.log if line.startswith("relay ")]), 100 + 40 * seconds)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_relay_keep_alive(self):
        """What waits at a relay is registered again and again, with its own ids; and not, where that is switched off."""
        talker = self.talker("B", b"ACK\n")
        kept = self.node(self.b, "bravo", *self.knows("B"), "--meet", "alpha=B", "--relay-keep-alive", "200ms")
        deadline = time.monotonic() + 10 * PATIENCE
        while len(talker.asked) < 30 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertGreaterEqual(len(talker.asked), 30)
        self.assertEqual(len(set(talker.asked)), 3)
        self.assertTrue(all(data.startswith(b"REG:") and len(data) == 37 for data in talker.asked))
        self.assertEqual(len(self.ids(kept)), 3)
        self.assertEqual(kept.stop()[0], 0)
        never = self.node(self.b, "bravo", *self.knows("B"), "--meet", "alpha=B", "--relay-keep-alive", "0")
        while len(self.ids(never)) < 3:
            never.read(1)
        asked = len(talker.asked)
        time.sleep(1)
        self.assertEqual(len(talker.asked), asked)
        self.assertEqual(never.stop()[0], 0)

    def test_relay_and_a_peer_without(self):
        self.relay("A")
        a, b, pa, pb, ca, cb = self.pair(alpha=self.knows("A"))
        self.flows(a)
        self.refuses(pa, ca, "A", -32007, "the peer uses no relays")
        self.flows(a)
        self.finish(a, b)

    def test_relay_feature(self):
        self.between()
        a, b, pa, pb, ca, cb = self.pair_with("AB")
        self.assertIn("relay", pa.hello["features"])
        wanted = [{"relay": name, "address": "%s:%d" % (ADDRESSES[name], PORT), "speaks": "reg-ack"} for name in "AB"]
        self.assertEqual(pa.relays, {"relays": wanted})
        again = self.pathdog(a)
        self.assertEqual(again.relays, {"relays": wanted})
        plain = self.node(self.a, "carol", "--listen", "127.0.0.1:9200")
        carol = self.pathdog(plain)
        self.assertNotIn("relay", carol.hello["features"])
        self.assertIsNone(carol.relays)
        self.flows(a)
        self.finish(a, b)

    def test_relay_cancelled_while_it_is_asked(self):
        self.relay("A")
        talker = self.talker("B", None)
        a, b, pa, pb, ca, cb = self.pair_with("A", A="%s:%d" % (ADDRESSES["B"], PORT))
        self.stands(b, "A")
        self.flows(a)
        asked = pa.send("migrate_peer", {"conn": ca, "timeout_ms": 60000, "via": "A"})
        pa.pump(lambda: talker.asked, 10, "a REG")
        self.assertEqual(self.move(pa, ca, "direct")["error"]["code"], -32006)
        pa.cancel(asked)
        self.assertEqual(pa.wait(asked)["error"]["code"], -32012)
        self.flows(a)
        self.finish(a, b)

    def test_relay_probe_path(self):
        relay = self.relay("A")
        a, b, pa, pb, ca, cb = self.pair_over("A")
        for where in ({}, {"interface": "rel2"}, {"local": "10.99.13.1"}):
            self.route_relays(13)
            self.assertGreater(self.probe(pa, ca, **where)["result"]["rtt_us"], 0)
        self.flows(a)
        relay.end()
        self.assertIn(self.probe(pa, ca, timeout_ms=500)["error"]["code"], (-32004, -32007))
        a.process.kill()

    # ---- what it leaves ----

    @needs_udp_relay
    def test_relay_lease(self):
        self.relay("A", "--max-data", "4M", "--max-duration", "10min")
        a, b, pa, pb, ca, cb = self.pair_over("A", alpha=["--rate", "50000"])
        for pathdog, conn in ((pa, ca), (pb, cb)):
            pathdog.pump(lambda p=pathdog, c=conn: p.row(c)["lease_ms"] is not None, 10, "a lease")
            row = pathdog.row(conn)
            self.assertLessEqual(row["lease_ms"], 600000)
            self.assertGreater(row["lease_ms"], 600000 - 60000 * PATIENCE)
            for column in ("lease_sent_bytes", "lease_received_bytes"):
                self.assertLessEqual(row[column], 4 << 20)
        before = pa.row(ca)
        pa.pump(lambda: pa.row(ca)["lease_sent_bytes"] < before["lease_sent_bytes"] - 50000, 20, "it is used up")
        self.assertLess(pa.row(ca)["lease_ms"], before["lease_ms"])
        self.finish(a, b)

    def test_relay_lease_of_an_old_relay(self):
        self.relay("A", old=True)
        a, b, pa, pb, ca, cb = self.pair_over("A")
        for _ in range(3):
            self.flows(a)
            row = pa.row(ca)
            for column in ("lease_ms", "lease_sent_bytes", "lease_received_bytes"):
                self.assertIsNone(row[column])
        self.finish(a, b)

    @unittest.skipUnless(os.environ.get("PATHDOG_NODE_CHECK"), "PATHDOG_NODE_CHECK does not say where it is")
    def test_relay_it_conforms(self):
        """Over a relay, too."""
        self.relay("A")
        self.conforms(*self.pair_over("A")[:2])

    def test_relay_options(self):
        for words, text in (
                (["--relay", "A"], "NAME=ADDR:PORT is wanted"),
                (["--relay", "=10.0.0.1:1"], "NAME=ADDR:PORT is wanted"),
                (["--relay", "A=10.0.0.1"], "no address with a port"),
                (["--relay", "A=0.0.0.0:1"], "no address with a port"),
                (["--relay", "a\x01b=10.0.0.1:1"], "no control characters"),
                (["--relay", "\udcff=10.0.0.1:1"], "UTF-8"),
                (["--relay", "direct=10.0.0.1:1"], "is no relay"),
                (["--relay", "A=10.0.0.1:1", "--relay", "A=10.0.0.2:1"], "given before"),
                ([w for i in range(65) for w in ("--relay", "r%d=10.0.0.1:1" % i)], "more than 64"),
                (["--via", "A"], "--dial before it"),
                (["--dial", "b=10.0.0.1:1", "--via", "A"], "no --relay has the name A"),
                (["--meet", "A"], "PEER=RELAY is wanted"),
                (["--meet", "b=A"], "no --relay has the name A"),
                (["--relay", "A=10.0.0.1:1", "--meet", "x=A"], "that is this node"),
                (["--relay-keep-alive", "x"], "a time is wanted"),
                (["--listen", "127.0.0.1:0", "--relay-secret", "/nowhere"], "/nowhere: No such file"),
                (["--listen", "127.0.0.1:0", "--relay-secret", "/dev/null"], "/dev/null: it is empty"),
                (["--listen", "127.0.0.1:0", "--relay-secret", "/dev/zero"], "/dev/zero: it is longer than 256 bytes")):
            done = subprocess.run([self.program, "--name", "x", *words], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=60)
            self.assertIn(done.returncode, (1, 2), words)
            self.assertIn(text, done.stderr.decode(errors="replace"), words)
