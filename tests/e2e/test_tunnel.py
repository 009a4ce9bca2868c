# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "tunnel": datagrams in the style of sd_notify, and causes, which they open."""

import os
import socket
import stat
import time

from case import Case, cases


class Notices(Case):
    def start(self, **more):
        node = self.node()
        node.add("a@eu-1", 1, local="127.0.0.1:4001", via="direct")
        node.add("b@eu-2", 2, local="192.0.2.7:4002", via="wg7")
        node.add("c@us-1", 3, local="127.0.0.1:4003")
        dog = self.dog(node, **more)
        node.wait_rounds(1)
        return node, dog

    def settled(self, dog):
        """The notices are read in order: when this one is judged, those before are too."""
        dog.tell("EVENT=rebind", "PEERS=c@us-1", "REASON=the end")
        dog.wait_record("decision", conn=3, reason=lambda text: "the end" in text)

    def conns(self, dog):
        return {r["conn"] for r in dog.records("decision") if "the end" not in r["reason"]}

    WHOM = {
        "all": (["EVENT=rebind", "PEERS=*"], {1, 2, 3}),
        "a glob": (["EVENT=rebind", "PEERS=*@eu-*"], {1, 2}),
        "two globs": (["EVENT=rebind", "PEERS=a@* b@*"], {1, 2}),
        "one name": (["EVENT=rebind", "PEERS=b@eu-2"], {2}),
        "a class": (["EVENT=rebind", "PEERS=[ab]@eu-?"], {1, 2}),
        "overlapping globs": (["EVENT=rebind", "PEERS=a@* a@eu-1 *1 nobody"], {1, 3}),
        "up": (["EVENT=up", "PEERS=a@eu-1"], {1}),
        "moved": (["EVENT=moved", "PEERS=a@eu-1"], {1}),
        "by interface": (["EVENT=rebind", "TUNNEL=lo"], {1, 3}),
        "by via": (["EVENT=rebind", "TUNNEL=wg7"], {2}),
        "peers alone say whom": (["EVENT=rebind", "TUNNEL=wg7", "PEERS=a@eu-1"], {1}),
        "peers fit though the tunnel does not": (["EVENT=rebind", "TUNNEL=nothing9", "PEERS=a@*"],
                                                 {1}),
        "unknown keys": (["EVENT=rebind", "PEERS=a@eu-1", "COLOUR=blue"], {1}),
        "another order": (["REASON=x", "PEERS=a@eu-1", "EVENT=rebind"], {1}),
        "with a reason": (["EVENT=rebind", "PEERS=a@eu-1", "REASON=a=b c"], {1}),
    }

    @cases(WHOM)
    def test_whom(self, lines, conns):
        node, dog = self.start()
        dog.tell(*lines)
        self.settled(dog)
        self.assertEqual(self.conns(dog), conns)
        for record in dog.records("decision"):
            self.assertEqual((record["trigger"], record["kind"]), ("tunnel", "moved"))

    def test_without_a_newline_at_the_end(self):
        node, dog = self.start()
        dog.tell(raw=b"EVENT=rebind\nPEERS=a@eu-1")
        self.settled(dog)
        self.assertEqual(self.conns(dog), {1})

    def test_down_asks_for_nothing(self):
        node, dog = self.start()
        dog.tell("EVENT=down", "TUNNEL=wg7")
        self.settled(dog)
        self.assertEqual(self.conns(dog), set())

    def test_the_reason_is_said(self):
        node, dog = self.start()
        dog.tell("EVENT=rebind", "PEERS=a@eu-1", "REASON=endpoint changed by hand")
        self.assertIn("endpoint changed by hand", dog.decision("migrate")["reason"])

    BAD = {
        "empty": b"", "blank": b"\n\n", "no equals": b"rebind\n",
        "no event": b"TUNNEL=wg7\nPEERS=*\n", "unknown event": b"EVENT=explode\nPEERS=*\n",
        "empty event": b"EVENT=\nPEERS=*\n", "binary": bytes(range(256)),
        "invalid UTF-8": b"EVENT=rebind\nPEERS=*\nREASON=\xff\xfe\n",
        "NUL": b"EVENT=rebind\nPEERS=*\nREASON=a\x00b\n",
        "too long": b"EVENT=rebind\nPEERS=*\nREASON=" + b"x" * 4096 + b"\n",
        "much too long": b"EVENT=rebind\nPEERS=*\nREASON=" + b"x" * 60000 + b"\n",
        "event only": b"EVENT=rebind\n",
        "nobody by name": b"EVENT=rebind\nPEERS=z@*\n",
        "nobody by tunnel": b"EVENT=rebind\nTUNNEL=nothing9\n",
        "empty globs and tunnel": b"EVENT=rebind\nPEERS=\nTUNNEL=\n",
    }

    @cases(BAD)
    def test_bad(self, data):
        # "Neither fits anybody: nothing, and a notice. Bad ones: nothing, and a notice."
        node, dog = self.start()
        dog.tell(raw=data)
        self.settled(dog)
        self.assertEqual(self.conns(dog), set())
        self.assertTrue(dog.notice()["text"])

    def test_just_short_enough(self):
        node, dog = self.start()
        head = b"EVENT=rebind\nPEERS=a@eu-1\nREASON="
        dog.tell(raw=head + b"x" * (4096 - len(head) - 1) + b"\n")
        self.settled(dog)
        self.assertEqual(self.conns(dog), {1})

    def test_bad_ones_name_the_sender(self):
        node, dog = self.start()
        dog.tell(raw=b"EVENT=explode\n")
        self.assertIn(str(os.getpid()), dog.notice()["text"])

    def test_bad_ones_are_rate_limited(self):
        node, dog = self.start()
        for number in range(500):
            try:
                dog.tell(raw=b"rubbish %d\n" % number)
            except BlockingIOError:
                pass
        self.settled(dog)
        self.assertLess(len(dog.records("notice")), 60)

    def test_the_same_within_a_second_is_one(self):
        node, dog = self.start()
        for number in range(3):
            dog.tell("EVENT=rebind", "PEERS=a@eu-1", f"REASON={number}")
        self.settled(dog)
        # another only where it was read a second later
        times = [r["time_us"] for r in dog.records("decision", conn=1)]
        self.assertGreaterEqual(len(times), 1)
        for a, b in zip(times, times[1:]):
            self.assertGreater(b - a, 990000)

    @cases({"event": ["EVENT=up", "PEERS=a@eu-1"], "peers": ["EVENT=rebind", "PEERS=a@*"],
            "tunnel": ["EVENT=rebind", "PEERS=a@eu-1", "TUNNEL=x"]})
    def test_not_the_same(self, lines):
        node, dog = self.start()
        dog.tell("EVENT=rebind", "PEERS=a@eu-1")
        dog.tell(*lines)
        self.settled(dog)
        # the second meets the open request of the first, or its end: a decision either way
        self.assertGreaterEqual(len(dog.records("decision", conn=1)), 2)

    def test_the_same_after_a_second_is_another(self):
        node, dog = self.start()
        dog.tell("EVENT=rebind", "PEERS=a@eu-1")
        dog.outcome("migrated", conn=1)
        begin = time.monotonic()
        node.wait_for(lambda: time.monotonic() - begin > 1.1)
        dog.tell("EVENT=rebind", "PEERS=a@eu-1")
        dog.outcome("migrated", nth=2, conn=1)


class Socket(Case):
    def test_its_mode(self):
        node, dog = self.pair()
        mode = os.stat(dog.notify_path).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o660)

    def test_a_stale_one_is_replaced(self):
        node = self.node()
        node.add("p1@h", 1)
        stale = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stale.bind(os.path.join(self.directory, "notify"))
        stale.close()
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        dog.decision("migrate")

    def test_it_is_there_when_ready(self):
        node = self.node()
        dog = self.dog(node)
        self.assertTrue(os.path.exists(dog.notify_path))

    def test_it_is_gone_at_the_end(self):
        node, dog = self.pair()
        self.assertEqual(dog.terminate(), 0)
        self.assertFalse(os.path.exists(dog.notify_path))


class Causes(Case):
    def test_counts(self):
        node = self.node()
        for conn in range(1, 11):
            node.add(f"p{conn}@h", conn, **({"role": "server"} if conn > 6 else {},
                                            {"migratable": False})[conn == 6])
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        cause = dog.wait_record("cause")
        self.assertEqual(cause["verdicts"], {"migrate": 5, "disabled": 1, "inbound": 4})
        self.assertEqual((cause["trigger"], cause["advised"], cause["peers"]), ("tunnel", 10, 10))
        self.assertEqual({r["cause"] for r in dog.records("decision")}, {cause["cause"]})

    def test_queued_counts_as_queued(self):
        node = self.node(max_in_flight=2)
        for conn in range(1, 8):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        self.assertEqual(dog.wait_record("cause")["verdicts"], {"migrate": 2, "queued": 5})
        dog.wait_for(lambda: len(dog.records("outcome")) == 7)

    def test_each_has_its_own(self):
        node, dog = self.pair(peers=3)
        dog.moved()
        dog.outcome("migrated", nth=3)
        dog.moved()
        first, second = dog.wait_record("cause"), dog.wait_record("cause", nth=2)
        self.assertEqual((first["cause"], second["cause"]), (1, 2))

    def test_over_a_thousand(self):
        # journald gets the counts only; --log json has all of them
        node = self.node(max_in_flight=2000)
        for conn in range(1, 1501):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, {"sample_interval": "1s"})
        node.wait_rounds(1, deadline=30)
        dog.moved()
        self.assertEqual(dog.wait_record("cause")["verdicts"], {"migrate": 1500})
        dog.wait_for(lambda: len(dog.records("outcome", outcome="migrated")) == 1500, 30)
        self.assertEqual(len(dog.records("decision")), 1500)
