# SPDX-License-Identifier: Apache-2.0
"""The trigger resume: a process sees that the machine was suspended (suspend.c), by its clocks
alone, and by the word of a logind on a bus. That a replay says the same is seen after each test."""

import time
import unittest

from bus import Bus
from case import cases
from control_case import ControlCase
from suspend import Suspend

TICK = 5  # seconds from one look at the clocks to the next, and up to one more


class ResumeCase(ControlCase):
    FEATURES = ["reconnect", "probe"]

    def start(self, peers=2, features=None, options=None, bus=None, watchdog=None, **members):
        self.suspend = Suspend(self.directory)
        node = self.node(features=self.FEATURES if features is None else features)
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn, local=f"127.0.0.1:{9000 + conn}", **members)
        env = {**self.suspend.environment, "DBUS_SYSTEM_BUS_ADDRESS": bus.address if bus else ""}
        dog = self.dog(node, watchdog, {"resume": options or {}}, env=env)
        node.wait_subscribed()
        node.wait_rounds(2)
        return node, dog

    def dead(self, node, *conns):
        """From the next row on nothing is heard of them, and what is sent stays unanswered."""
        with self.cv:
            for conn in conns:
                node.peers[conn].advance = False
                node.peers[conn].set(in_flight_bytes=1200, pto_count=1)

    def decided(self, dog, verdict, nth=1):
        decision = dog.decision(verdict, nth, deadline=TICK + 10)
        self.assertEqual(decision["trigger"], "resume")
        return decision


class Resume(ResumeCase):
    def test_a_long_sleep(self):
        """Those that answer are moved, the others are dialled anew; one cause for all."""
        node, dog = self.start(peers=3)
        self.dead(node, 1, 2)
        self.suspend.sleep(312.5)
        for nth in (1, 2):
            decision = self.decided(dog, "reconnect", nth)
            self.assertEqual((decision["kind"], decision["reason"]),
                             ("moved", "the machine slept for 5 min 12 s"))
            self.assertAlmostEqual(decision["evidence"]["slept_us"], 312.5e6, delta=1000)
            self.assertGreaterEqual(decision["evidence"]["settled_us"], 490000)
        self.assertEqual(self.decided(dog, "migrate")["conn"], 3)
        dog.outcome("reconnected", 2)
        cause = dog.wait_record("cause")
        self.assertEqual((cause["trigger"], cause["reason"]),
                         ("resume", "the machine slept for 5 min 12 s"))
        self.assertEqual(cause["advised"], 3)
        probe = node.requests("probe")[0]
        self.assertEqual(sorted(probe.params["conns"]), [1, 2, 3])
        self.assertLess(probe.time, node.moves()[0].time)
        self.assertIn("resume: the machine slept for 5 min 12 s, ",
                      self.ctl(dog, "explain", "p3@h")[0])
        node.wait_rounds(10)
        self.assertEqual(len(node.moves()), 3)

    @cases({"just below": (29.9, []), "just above": (30.1, ["migrate_peer"])})
    def test_the_limit(self, seconds, moves):
        node, dog = self.start(peers=1)
        self.suspend.sleep(seconds)
        node.wait_request("probe", deadline=TICK + 10)
        if moves:
            self.decided(dog, "migrate")
        node.wait_rounds(30)
        self.assertEqual([move.method for move in node.moves()], moves)

    def test_a_short_sleep(self):
        """Only what does not answer is advised; what is dead after that is for the fallback."""
        node, dog = self.start(watchdog={"fallback": "off"})
        self.dead(node, 2)
        self.suspend.sleep(15.5)
        decision = self.decided(dog, "migrate")
        self.assertEqual((decision["conn"], decision["kind"]), (2, "dead"))
        self.assertRegex(decision["reason"], r"^no answer for [12]\.\d s after the machine slept for 15 s$")
        node.wait_rounds(10)
        self.assertEqual([move.conn for move in node.moves()], [2])
        self.assertIn("this connection has lived since", self.ctl(dog, "explain", "p1@h")[0])

    @cases({"ignored": (None, 9.5), "by its option": ({"min_sleep": "2min"}, 119)})
    def test_shorter_than_min_sleep(self, options, seconds):
        node, dog = self.start(options=options)
        self.dead(node, 2)
        began = time.monotonic()
        self.suspend.sleep(seconds)
        self.wait_until(lambda: time.monotonic() > began + TICK + 2.5, "a tick has passed")
        self.assertEqual(node.requests("probe") + node.moves(), [])
        self.assertEqual(dog.records("decision"), [])

    def test_where_the_node_cannot_dial(self):
        node, dog = self.start(peers=1, features=[])
        self.dead(node, 1)
        self.suspend.sleep(60)
        self.decided(dog, "migrate")
        dog.outcome("migrated")
        self.assertEqual(node.requests("probe"), [])

    def test_several_sleeps(self):
        node, dog = self.start(peers=1, watchdog={"fallback": "off"})
        for nth in (1, 2):
            self.dead(node, *node.peers)
            self.suspend.sleep(60)
            self.decided(dog, "reconnect", nth)
            dog.outcome("reconnected", nth)

    def test_observing(self):
        node, dog = self.start(peers=1, watchdog={"mode": "observe"})
        self.suspend.sleep(60)
        self.assertEqual(self.decided(dog, "observing")["kind"], "moved")
        self.assertEqual(node.moves() + node.requests("probe"), [])


class Logind(ResumeCase):
    """The same machine with a logind on its bus."""

    def test_it_is_seen_at_once(self):
        """More sleeps are seen than there are ticks. Together they are short enough for probes alone."""
        bus = Bus(self).start()
        logind = bus.logind()
        node, dog = self.start(peers=1, bus=bus, options={"min_sleep": "1s"})
        self.suspend.sleep(2)
        node.wait_request("probe", deadline=TICK + 10)  # by now pathdog listens
        began = time.monotonic()
        for nth in range(2, 15):
            logind.say("before")
            self.suspend.sleep(2)
            logind.say("after")
            node.wait_request("probe", nth=nth, deadline=TICK + 10)
        self.assertLess((time.monotonic() - began) / TICK + 1, 13)
        self.assertEqual(dog.records("decision"), [])

    def test_its_word_alone_is_nothing(self):
        bus = Bus(self).start()
        logind = bus.logind()
        node, dog = self.start(peers=1, bus=bus)
        for _ in range(20):
            logind.say("before")
            logind.say("after")
        node.wait_rounds(20)
        self.assertEqual(node.requests("probe") + node.moves(), [])
        self.suspend.sleep(60)
        logind.say("after")
        self.decided(dog, "migrate")

    @cases({"comes later": True, "is silent": False})
    def test_without_its_word(self, late):
        bus = Bus(self)
        if not late:
            bus.start().logind()
        node, dog = self.start(peers=1, bus=bus)
        if late:
            bus.start().logind()
        self.suspend.sleep(60)
        self.decided(dog, "migrate")


if __name__ == "__main__":
    unittest.main()
