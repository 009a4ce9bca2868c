# SPDX-License-Identifier: Apache-2.0
"""Several instances of one trigger, floods of what they are told, and what is said of both."""

import os
import signal
import socket
import time

from control_case import ControlCase


def say(path, *lines):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(path)
        sock.send(("\n".join(lines) + "\n").encode())


class TwoTunnels(ControlCase):
    def start(self):
        node = self.node()
        node.add("a@eu", 1)
        node.add("b@us", 2)
        self.other = os.path.join(self.directory, "notify-us")
        dog = self.dog(node, None, {"tunnel": {"match": "*@eu"},
                                    "tunnel:us": {"match": "*@us", "socket": self.other}})
        node.wait_rounds(1)
        return node, dog

    def test_each_speaks_for_its_own_peers(self):
        node, dog = self.start()
        dog.tell("EVENT=rebind", "PEERS=*", "REASON=first")
        first = dog.wait_record("cause", reason=lambda text: "first" in text)
        say(self.other, "EVENT=rebind", "PEERS=*", "REASON=second")
        second = dog.wait_record("cause", reason=lambda text: "second" in text)
        self.assertEqual([first["advised"], second["advised"]], [1, 1])
        self.assertEqual([(r["peer"], r["trigger"]) for r in dog.records("decision")],
                         [("a@eu", "tunnel"), ("b@us", "tunnel:us")])

    def test_notices_name_their_instance(self):
        node, dog = self.start()
        say(self.other, "EVENT=rebind", "PEERS=*@eu")
        self.assertTrue(dog.notice("tunnel-nobody")["text"].startswith("tunnel:us: "))
        dog.tell("EVENT=rebind", "PEERS=*@us")
        self.assertTrue(dog.notice("tunnel-nobody", nth=2)["text"].startswith("tunnel: "))

    def test_explain_says_what_each_knows(self):
        node, dog = self.start()
        self.assertIn("no message so far", self.ctl(dog, "explain", "a@eu")[0])
        dog.tell("EVENT=rebind", "PEERS=*")
        dog.decision("migrate")
        self.assertIn("a message matched this peer", self.ctl(dog, "explain", "a@eu")[0])
        self.assertIn("no message so far", self.ctl(dog, "explain", "b@us")[0])


class Flood(ControlCase):
    def test_of_notices_to_tunnel(self):
        """Each acts, but not each has a cause, and it is said how many had none."""
        number = 400
        node, dog = self.pair(watchdog={"move_burst": "1000"})
        node.on("migrate_peer", lambda r: r.answer({}))
        for i in range(number):
            dog.tell("EVENT=rebind", f"TUNNEL=wg{i % 2}", f"PEERS=p1@h x{i}")
        dog.tell("EVENT=rebind", "PEERS=nobody-after-all")
        dog.notice("tunnel-nobody")
        self.assertEqual(dog.finish(), [])  # says what was not said yet; and the replay is the same
        causes = dog.records("cause")
        folded = dog.records("notice", what="tunnel-folded")
        self.assertGreaterEqual(len(causes), 64)
        self.assertEqual(len(causes) + sum(n["count"] for n in folded), number)
        self.assertTrue(folded, "slower than 10 a minute?")
        self.assertRegex(folded[-1]["text"], r"since the start: \d+ of wg[01], \d+ of wg[01]$")


class Reloads(ControlCase):
    def test_each_is_said(self):
        node, dog = self.pair()
        for number, threshold in enumerate(("100ms", "150ms", "250ms"), 1):
            dog.sections["trigger:srtt"] = {"threshold": threshold}
            dog.write_config()
            dog.process.send_signal(signal.SIGHUP)
            said = dog.notice("reloaded", nth=number)
            self.assertEqual(said["count"], 1)
            self.assertIn("srtt", said["text"])

    def test_holds_are_said_by_name_each(self):
        node, dog = self.pair(peers=3)
        for conn in (1, 2, 3):
            self.ctl(dog, "hold", f"p{conn}@h")
        said = [dog.notice("hold", nth=nth)["text"] for nth in (1, 2, 3)]
        self.assertEqual([f"p{n}@h" in text for n, text in zip((1, 2, 3), said)], [True] * 3)


class Silence(ControlCase):
    def test_is_counted_from_when_something_is_sent(self):
        """Idle for long, then sending: what was silent before is no reason."""
        node = self.node()
        node.columns = ["conn", "silent_ms", "bytes_sent"]
        peer = node.add("p1@h", 1).set(silent_ms=60000)
        peer.advance = False
        dog = self.dog(node, None, {"stall": {"silence": "2s", "misses": "2", "min": "60s"}})
        node.wait_rounds(2)
        began_us = time.time_ns() // 1000
        with self.cv:
            peer.script = [{"bytes_sent": 2000 + n, "silent_ms": 61000 + n} for n in range(2000)]
        dead = dog.wait_record("decision", deadline=30)
        self.assertEqual((dead["trigger"], dead["kind"]), ("stall", "dead"))
        self.assertGreaterEqual(dead["time_us"] - began_us, 2000000)
