# SPDX-License-Identifier: Apache-2.0
"""The trigger relay: direct, or over which relay. A scripted node that obeys `via`, and where it is
needed a relay that acknowledges registrations and a QUIC server that answers a version probe, both
on this host. That a replay decides the same is checked after each test, as everywhere."""

import json
import socket
import threading
import unittest

from control_case import ControlCase

OPTIONS = {"relays": "a=127.0.0.1:1001 b=127.0.0.1:1002", "probe": "no", "max_silence": "300ms",
           "direct_every": "1s", "key": "616c706861"}
PICK = "b"  # of a and b: FNV-1a of that key, "alpha", is odd


class Answering:
    """A UDP server in a thread: what `reply` makes of a datagram goes back."""

    def __init__(self, reply, delay=0):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.got = []
        self.reply = reply
        self.pause = threading.Event()
        self.delay = delay
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            data, address = self.sock.recvfrom(65536)
            if data == b"stop":
                return
            self.got.append(data)
            self.pause.wait(self.delay)
            answer = self.reply(data)
            if answer:
                self.sock.sendto(answer, address)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"stop", self.sock.getsockname())
        self.thread.join(10)
        self.sock.close()


def acknowledge(data):
    return b"ACK\n" if data.startswith(b"REG:") else None


def negotiate(data):
    """A Version Negotiation (RFC 9000 §17.2.1) to a long header of a version that nobody has."""
    if len(data) < 1200 or not data[0] & 0x80:
        return None
    there = data[6:6 + data[5]]
    rest = data[6 + data[5]:]
    here = rest[1:1 + rest[0]]
    return (b"\xc0\0\0\0\0" + bytes([len(here)]) + here + bytes([len(there)]) + there +
            b"\0\0\0\1")


class Relay(ControlCase):
    def setUp(self):
        super().setUp()
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            server.stop()
        super().tearDown()

    def server(self, reply, delay=0):
        self.servers.append(Answering(reply, delay))
        return self.servers[-1]

    def start(self, options=None, features=("relay",), peers=1, **told):
        node = self.node(features=list(features))
        node.report("send_errors")
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn, **{"local": f"127.0.0.1:{9000 + conn}", "via": "direct",
                                            "remote": f"127.0.0.1:{9100 + conn}", **told})
        node.on("migrate_peer", lambda request: self.migrate(node, request))
        dog = self.dog(node, triggers={"relay": {**OPTIONS, **(options or {})}})
        node.wait_subscribed()
        node.wait_rounds(2)
        return node, dog

    def migrate(self, node, request):
        """It obeys, says so, and what was silent lives again unless the test has it die there."""
        via = request.params.get("via")
        peer = node.peers[request.conn]
        if via in getattr(self, "unknown", ()):
            request.error(-32008, "unknown_via")
            return
        with self.cv:
            peer.told["via"] = via
            if via not in getattr(self, "dead", ()):
                peer.advance = True
                peer.set(in_flight_bytes=0, send_errors=0)
        request.link.notify("peer_path", conn=request.conn, via=via)
        request.answer({"local": peer.told["local"], "validated": True})

    def die(self, node, conn=1):
        with self.cv:
            node.peers[conn].advance = False
            node.peers[conn].set(in_flight_bytes=5000)

    def moved(self, node, via, conn=1, nth=1):
        def found():
            return [r for r in node.requests("migrate_peer", conn) if r.params.get("via") == via]
        return node.wait_for(lambda: len(found()) >= nth and found()[nth - 1], 30,
                             f"a move of {conn} to {via}")

    def relays(self, dog):
        return json.loads(self.ctl(dog, "--json", "relays")[0])

    def relayed(self, dog, peer):
        return next((p for p in self.relays(dog)["peers"] if p["peer"] == peer), None)

    # -- direct → relay -----------------------------------------------------------------------

    def test_silence(self):
        node, dog = self.start()
        self.die(node)
        self.moved(node, PICK)
        decision = dog.wait_record("decision", trigger="relay", verdict="migrate", kind="dead")
        self.assertIn("nothing received for ", decision["reason"])
        self.assertIn(f"over relay {PICK}, the key's pick, 2 of 2", decision["reason"])
        evidence = decision["evidence"]
        self.assertEqual({k: evidence[k] for k in ("rule", "relay", "pick", "relays", "misses")},
                         {"rule": "silence", "relay": PICK, "pick": "key", "relays": 2, "misses": 3})
        self.assertGreater(evidence["silence_us"], 300000)
        dog.outcome("migrated")
        self.wait_until(lambda: self.relayed(dog, "p1@h"), "the peer is on a relay")
        self.wait_until(lambda: self.relayed(dog, "p1@h")["pinned"], "it is pinned")
        self.assertEqual(self.relayed(dog, "p1@h")["rule"], "silence")
        out, _ = self.ctl(dog, "relays")
        self.assertRegex(out, r"b +127.0.0.1:1002 +reg-ack +config +- +1 +pick: by the key")
        self.assertRegex(out, r"p1@h +b +silence, pinned")
        out, _ = self.ctl(dog, "explain", "p1@h")
        self.assertIn("on relay b (silence), 0 of 3 misses; pinned: it does not go back", out)

    def test_send_errors(self):
        node, dog = self.start({"max_silence": "1h"})
        with self.cv:
            node.peers[1].advance = False
            node.peers[1].set(send_errors=3)
        self.moved(node, PICK)
        decision = dog.wait_record("decision", trigger="relay", verdict="migrate", kind="dead")
        self.assertIn("3 send errors, and nothing received", decision["reason"])
        self.assertEqual(decision["evidence"]["rule"], "send-errors")
        self.assertEqual(decision["evidence"]["send_errors"], 3)

    def test_a_relay_that_the_node_does_not_know_is_followed_by_the_next(self):
        self.unknown = {PICK}
        node, dog = self.start()
        self.die(node)
        self.moved(node, "a")
        self.assertIn(f'"{PICK}"', dog.notice("unknown-via")["text"])
        decision = dog.wait_record("decision", nth=2, trigger="relay", kind="dead", verdict="migrate")
        self.assertEqual(decision["evidence"]["pick"], "next")

    # -- relay → relay ------------------------------------------------------------------------

    def test_a_dead_relay_is_left_for_the_next(self):
        self.dead = {PICK}
        node, dog = self.start()
        self.die(node)
        self.moved(node, PICK)
        self.moved(node, "a")
        decision = dog.wait_record("decision", trigger="relay", verdict="migrate", kind="dead",
                                   evidence=lambda e: e.get("left") == PICK)
        self.assertIn(f"over relay {PICK}: over relay a, the next one of 2", decision["reason"])
        self.wait_until(lambda: self.relayed(dog, "p1@h")["relay"] == "a", "it is on a")

    # -- relay → direct -----------------------------------------------------------------------

    def test_back_to_direct_when_it_has_answered(self):
        """Only who is not pinned: of two, the one that an operator has sent there stays."""
        there = self.server(negotiate)
        node, dog = self.start(peers=2, remote=there.address)
        self.ctl(dog, "migrate", "p2@h", "--via", "a")
        self.wait_until(lambda: self.relayed(dog, "p2@h"), "p2 is on a relay")
        with self.cv:
            node.peers[1].told["via"] = "a"
        node.notify("peer_path", conn=1, via="a")  # the node's own choice
        self.moved(node, "direct", 1)
        decision = dog.wait_record("decision", trigger="relay", verdict="migrate", kind="better")
        self.assertEqual(decision["peer"], "p1@h")
        self.assertIn("the direct way has answered 3 times in a row", decision["reason"])
        self.assertIn("back from relay a", decision["reason"])
        self.assertEqual(decision["evidence"]["rule"], "cleared")
        self.assertGreaterEqual(len(there.got), 3)
        self.wait_until(lambda: not self.relayed(dog, "p1@h"), "p1 is direct again")
        pinned = self.relayed(dog, "p2@h")
        self.assertEqual((pinned["rule"], pinned["pinned"], pinned["relay"]), ("operator", True, "a"))
        self.assertEqual([r.params["via"] for r in node.requests("migrate_peer", 2)], ["a"])

    def test_no_way_back_where_nothing_answers(self):
        """Three tries in a row are not answered by what is no QUIC server."""
        there = self.server(lambda data: b"hello")
        node, dog = self.start(remote=there.address)
        with self.cv:
            node.peers[1].told["via"] = "a"
        node.notify("peer_path", conn=1, via="a")
        self.wait_until(lambda: len(there.got) >= 4, "four tries", 30)
        self.assertIn("the direct way answered 0 of 3 tries", self.ctl(dog, "explain", "p1@h")[0])
        self.assertEqual(node.requests("migrate_peer"), [])

    # -- cap ----------------------------------------------------------------------------------

    def test_cap(self):
        node, dog = self.start({"max_relayed": 1}, peers=2)
        self.die(node, 1)
        self.moved(node, PICK, 1)
        self.wait_until(lambda: self.relayed(dog, "p1@h"), "p1 is on a relay")
        self.die(node, 2)
        self.assertIn("max_relayed is 1", dog.notice("relay-full")["text"])
        node.wait_rounds(8)
        self.assertEqual(node.requests("migrate_peer", 2), [])
        node.down(1)  # room again
        self.moved(node, PICK, 2)

    # -- the list -----------------------------------------------------------------------------

    def test_the_nodes_list(self):
        node, dog = self.start({"relays": None, "key": None})
        node.notify("relays", relays=[{"relay": "n1", "address": "10.0.0.1:4433"},
                                      {"relay": "n2", "address": "[2001:db8::1]:4433", "speaks": "pilot"}],
                    key="616c706861")
        self.wait_until(lambda: len(self.relays(dog)["relays"]) == 2, "two relays")
        one, two = self.relays(dog)["relays"]
        self.assertEqual((one["relay"], one["from"], one["speaks"], one["pick"]), ("n1", "node", "reg-ack", False))
        self.assertEqual((two["relay"], two["speaks"], two["pick"], two["why"]), ("n2", "pilot", True, "by the key"))
        self.die(node)
        self.moved(node, "n2")
        node.notify("relays", relays=[])
        self.wait_until(lambda: not self.relays(dog)["relays"], "none")

    BAD = {
        "not_an_array": ({"relays": 5}, '"relays" is not an array'),
        "too_many": ({"relays": [{"relay": f"r{i}", "address": f"192.0.2.1:{i + 1}"} for i in range(65)]},
                     '"relays" has more than 64 entries'),
        "no_name": ({"relays": [{"address": "192.0.2.1:1"}]}, '"relay" of entry 0 is not a string'),
        "direct": ({"relays": [{"relay": "direct", "address": "192.0.2.1:1"}]}, '"relay" of entry 0 is "direct"'),
        "long": ({"relays": [{"relay": "x" * 256, "address": "192.0.2.1:1"}]}, "is not 1 to 255 bytes long"),
        "control": ({"relays": [{"relay": "a\nb", "address": "192.0.2.1:1"}]}, "has control characters"),
        "twice": ({"relays": [{"relay": "x", "address": "192.0.2.1:1"}, {"relay": "x", "address": "192.0.2.2:1"}]},
                  '"relay" of entry 1 is there twice'),
        "address": ({"relays": [{"relay": "x", "address": "example.org:4433"}]},
                    '"address" of entry 0 is not an IP address with a port'),
        "port": ({"relays": [{"relay": "x", "address": "192.0.2.1:0"}]}, "is not an IP address with a port"),
        "speaks": ({"relays": [{"relay": "x", "address": "192.0.2.1:1", "speaks": "turn"}]},
                   '"speaks" of entry 0 is neither "reg-ack" nor "pilot"'),
        "key": ({"relays": [], "key": "abc"}, '"key" is not an even number of hexadecimal digits'),
        "params": (None, '"params" is not an object'),
    }

    def test_a_bad_list_changes_nothing(self):
        node, dog = self.start({"relays": None})
        node.notify("relays", relays=[{"relay": "good", "address": "10.0.0.1:4433"}])
        self.wait_until(lambda: len(self.relays(dog)["relays"]) == 1, "one relay")
        for name, (params, words) in self.BAD.items():
            with self.subTest(name):
                node.send({"jsonrpc": "2.0", "method": "relays", **({"params": params} if params else {})})
        node.wait_rounds(2)
        self.assertEqual([r["relay"] for r in self.relays(dog)["relays"]], ["good"])
        notice = dog.notice("bad-relays")
        self.assertIn(self.BAD["not_an_array"][1], notice["text"])

    def test_names_that_the_node_does_not_know_are_left_out(self):
        node, dog = self.start()
        node.notify("relays", relays=[{"relay": "its", "address": "127.0.0.1:1001"}])
        self.wait_until(lambda: self.relays(dog)["relays"][0]["relay"] == "its", "the node's name")
        used, left = self.relays(dog)["relays"]
        self.assertEqual((used["from"], used["left_out"]), ("config", None))
        self.assertEqual((left["relay"], left["left_out"]), ("b", "not known to the node"))

    # -- measured -----------------------------------------------------------------------------

    def test_the_faster_relay(self):
        """The key's pick answers later than twice the other's time: that one is taken."""
        near, far = self.server(acknowledge), self.server(acknowledge, 0.3)
        node, dog = self.start({"relays": f"a={near.address} b={far.address}", "probe": "yes",
                                "refresh": "1s"})

        def pick():
            return next(r for r in self.relays(dog)["relays"] if r["pick"])
        self.wait_until(lambda: pick()["relay"] == "a", "the pick is the faster one", 30)
        self.assertIn("takes more than twice as long", pick()["why"])
        self.assertLess(pick()["rtt_us"], 300000)
        self.die(node)
        self.moved(node, "a")
        decision = dog.wait_record("decision", trigger="relay", verdict="migrate")
        self.assertEqual(decision["evidence"]["pick"], "faster")
        self.assertIn("rtt_ms", decision["evidence"])

    # -- nodes that cannot; configurations that are wrong --------------------------------------

    def test_without_the_feature(self):
        node, dog = self.start(features=())
        self.assertIn('does not offer the feature "relay"', dog.notice("relay-no-feature")["text"])
        self.die(node)
        node.wait_rounds(10)
        self.assertEqual(node.requests("migrate_peer"), [])
        self.assertEqual(dog.records("decision", trigger="relay"), [])

    def test_bad_options_close_it(self):
        node = self.node(features=["relay"])
        dog = self.dog(node, triggers={"relay": {"relays": "a=example.org:4433"}})
        self.assertIn("relays: a=example.org:4433: not an IP address and port", dog.notice("bad-option")["text"])
        dog.notice("trigger-closed")

    def test_without_the_trigger_the_nodes_relays_are_shown(self):
        node = self.node(features=["relay"])
        node.add("p1@h", 1, local="127.0.0.1:9001", via="n1")
        dog = self.dog(node)
        node.wait_subscribed()
        self.assertIn("no relay is known", self.ctl(dog, "relays")[0])
        node.notify("relays", relays=[{"relay": "n1", "address": "10.0.0.1:4433"}])
        self.wait_until(lambda: self.relays(dog)["relays"], "one relay")
        out, _ = self.ctl(dog, "relays")
        self.assertIn("named by the node; without a section [trigger:relay] nothing is sent over them", out)
        self.assertRegex(out, r"p1@h +n1 +-")


if __name__ == "__main__":
    unittest.main()
