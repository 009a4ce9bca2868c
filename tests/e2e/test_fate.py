# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "Shared fate": 200 connections over one uplink get slow in the same round. A host with two
uplinks, a scripted node."""

import collections
import json
import os
import signal
import subprocess
import threading
import unittest

import netns
from case import cases
from control_case import ControlCase
from watchdog import environment, program

UNUSABLE = netns.usable()
SECTIONS = {"uplink:home": {"interface": "up0"}, "uplink:fibre": {"interface": "up1", "class": "spare"}}
PEERS, LOW, HIGH = 200, 20000, 450000
SAMPLE_INTERVAL = "500ms"
MANY = 10000


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Fate(ControlCase):
    def start(self, sections=None, watchdog=None):
        host = netns.Host()
        self.addCleanup(host.stop)
        host.start()
        if sections:
            host.default("up1", "metric", "700", action="add")
        node = self.node(features=["bind", "probe_path"])
        node.addresses.update({"up0": "10.77.1.2", "up1": "10.77.2.2"})
        node.paths["up1"] = LOW
        for conn in range(1, PEERS + 1):
            node.add(f"p{conn}@h", conn, local=f"10.77.1.2:{9000 + conn}", remote="203.0.113.1:443")
        node.peers[7].set(bytes_sent=90000000)  # the busiest
        dog = self.dog(node, {"sample_interval": SAMPLE_INTERVAL, "return": "never", "effect_window": "3s",
                              **(watchdog or {})},
                       {"srtt": {"threshold": "200ms", "strikes": "2"}}, start=False, prefix=host.prefix)
        dog.sections.update(sections or {})
        dog.start()
        node.wait_subscribed()
        up = {"home": "up", "fibre": "up"} if sections else {"up0": "up"}
        self.wait_until(lambda: self.conditions(dog) == up, f"these are up: {set(up)}")
        node.wait_rounds(3)
        return node, dog

    def conditions(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["uplink"]: u["condition"] for u in map(json.loads, out.splitlines())}

    def slow(self, node, conns):
        with self.cv:
            for conn in conns:
                node.peers[conn].set(srtt_us=HIGH, latest_rtt_us=HIGH)

    def migrates(self, node, helps):
        """Each move is granted; the connection is fast after it, if that helps."""
        def migrate(request):
            if helps:
                with self.cv:
                    node.peers[request.conn].set(srtt_us=LOW, latest_rtt_us=LOW)
            node.do_migrate_peer(request)
        node.on("migrate_peer", migrate)

    def causes(self, dog):
        return [r["reason"] for r in dog.records("cause", trigger="shared")]

    def verdicts(self, dog):
        """The last one of each connection but the scout."""
        last = {r["conn"]: r["verdict"] for r in dog.records("decision", trigger="srtt") if r["conn"] != 7}
        return dict(collections.Counter(last.values()))

    def test_the_only_uplink(self):
        node, dog = self.start()
        self.slow(node, range(1, PEERS + 1))
        dog.decision("no-target", nth=PEERS)
        node.wait_rounds(20)  # as long as it is slow
        self.assertEqual(node.moves(), [])
        self.assertEqual(self.causes(dog),
                         ["up0: 200 of 200 peers got slower; no other uplink is known to be faster"])
        cause = dog.records("cause", trigger="shared")[0]
        self.assertEqual((cause["advised"], cause["verdicts"]), (PEERS, {"no-target": PEERS}))

    def test_one_less_than_four_fifths(self):
        """Each is decided alone, and gets a new port."""
        node, dog = self.start()
        self.slow(node, range(1, PEERS * 4 // 5))
        dog.decision("migrate", nth=PEERS * 4 // 5 - 1)
        self.assertEqual(self.causes(dog), [])
        dog.effect(nth=PEERS * 4 // 5 - 1)

    def test_four_fifths(self):
        node, dog = self.start()
        self.slow(node, range(1, PEERS * 4 // 5 + 1))
        dog.decision("no-target", nth=PEERS * 4 // 5)
        self.assertEqual(self.causes(dog),
                         ["up0: 160 of 200 peers got slower; no other uplink is known to be faster"])
        self.assertEqual(node.moves(), [])

    def test_the_scout_is_better(self):
        node, dog = self.start(SECTIONS)
        held = []
        node.on("migrate_peer", held.append)
        self.slow(node, range(1, PEERS + 1))
        scout = dog.decision("migrate", conn=7)
        self.assertEqual((scout["uplink"], scout["target"]), ("home", "fibre"))
        awaiting = dog.decision("awaiting", nth=PEERS - 1)
        self.assertIn(awaiting["into"], [d["decision"] for d in dog.records("decision", conn=7)])
        out, _ = self.ctl(dog, "explain", awaiting["peer"])
        self.assertIn("degraded advice waits for the effect of the move of p7@h, which goes first", out)
        self.migrates(node, True)
        node.serve(node.wait_for(lambda: held, what="the scout's request")[0])
        dog.effect("better", conn=7)
        dog.outcome("migrated", nth=PEERS, deadline=20)
        self.assertEqual(len(node.moves()), PEERS, "each once")
        self.assertEqual(self.causes(dog)[0], "home: 200 of 200 peers got slower; p7@h goes first")
        self.assertEqual(self.causes(dog)[1:],
                         ["home: 200 of 200 peers got slower; the first move helped: the others follow"])
        dog.effect("better", nth=PEERS, deadline=20)

    def test_the_scout_is_not_better(self):
        node, dog = self.start(SECTIONS, {"cooldown": "5min"})
        self.migrates(node, False)
        self.slow(node, range(1, PEERS + 1))
        dog.decision("awaiting", nth=PEERS - 1)
        self.assertNotEqual(dog.effect(conn=7)["effect"], "better")
        cooling = dog.decision("cooling", nth=PEERS - 1)
        self.assertRegex(cooling["reason"], "^home: 200 of 200 peers got slower; the move of p7@h, which went "
                                            "first, had the effect (same|worse)$")
        node.wait_rounds(20)
        self.assertEqual([m.conn for m in node.moves()], [7])
        self.assertEqual(self.causes(dog), ["home: 200 of 200 peers got slower; p7@h goes first"])
        self.assertEqual(self.verdicts(dog), {"cooling": PEERS - 1})

    def test_the_node_is_away_meanwhile(self):
        """The scout's answer never comes; after that they are evaluated anew."""
        node, dog = self.start(SECTIONS)
        node.on("migrate_peer", lambda request: None)
        self.slow(node, range(1, PEERS + 1))
        dog.decision("awaiting", nth=PEERS - 1)
        node.wait_request("migrate_peer", conn=7)
        for link in list(node.links):
            link.close()
        dog.outcome("link-lost", conn=7)
        self.migrates(node, True)
        node.wait_subscribed(links=2)
        dog.outcome("migrated", nth=PEERS - 1, deadline=30)
        self.assertEqual(set(m.conn for m in node.moves()), set(range(1, PEERS + 1)))
        dog.effect("better", nth=PEERS - 1, deadline=20)


class ManyNode:
    """many-node, as a node of a Watchdog."""

    def __init__(self, case, local):
        self.path = os.path.join(case.directory, "node")
        self.lines, self.cv = [], case.cv
        self.process = subprocess.Popen(
            [program("many-node", "MANY_NODE"), self.path, str(MANY), "24", local], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        case.addCleanup(self.stop)

    def _read(self):
        for line in self.process.stdout:
            with self.cv:
                self.lines.append(line.strip())
                self.cv.notify_all()

    def count(self, word):
        with self.cv:
            return sum(line.split()[0] == word for line in self.lines)

    def slow(self):
        self.process.send_signal(signal.SIGUSR1)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Many(ControlCase):
    """decision-quality.md, "What is reached": 10 000 peers get slow together."""

    @cases({"the only uplink": (None, 0, "no other uplink is known to be faster"),
            "one of two": (SECTIONS, 1, "goes first")})
    def test_ten_thousand(self, sections, moves, what):
        """None is moved; or one, the scout, and as that does not help, no other."""
        host = netns.Host()
        self.addCleanup(host.stop)
        host.start()
        if sections:
            host.default("up1", "metric", "700", action="add")
        node = ManyNode(self, "10.77.1.2:443")
        self.wait_until(lambda: os.path.exists(node.path), "the node's socket")
        dog = self.dog(node, {"sample_interval": "1s", "effect_window": None, "fallback_after": None},
                       {"srtt": {}, "stall": {}}, start=False, prefix=host.prefix)
        dog.sections.update(sections or {})
        dog.start()
        self.wait_until(lambda: node.count("rounded") >= 4, "the first rounds", 60)
        node.slow()
        dog.wait_record("cause", trigger="shared", deadline=60)
        rounds = node.count("rounded")
        self.wait_until(lambda: node.count("rounded") >= rounds + 15, "rounds in which they stay slow", 60)
        causes = [r["reason"] for r in dog.records("cause", trigger="shared")]
        self.assertEqual(len(causes), 1, causes)
        name = "home" if sections else "up0"
        self.assertRegex(causes[0], f"^{name}: {MANY} of {MANY} peers got slower; .*{what}$")
        self.assertEqual(node.count("migrate"), moves)


if __name__ == "__main__":
    unittest.main()
