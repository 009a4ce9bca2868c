# SPDX-License-Identifier: Apache-2.0
"""What an operator is told of an outage: a node that stands still, a path that is dead, and
"pathdogctl status --check" in each of its four statuses."""

import json
import os
import re
import signal
import subprocess

from case import cases
from control_case import ControlCase, ctl_program
from node import PATIENCE

STALL = {"tunnel": {}, "stall": {}}


class HealthCase(ControlCase):
    def check(self, dog, status, word, *more):
        """The one line of --check."""
        out, err = self.ctl(dog, "status", "--check", *more, status=status)
        self.assertEqual(err, "")
        self.assertEqual(out.count("\n"), 1, out)
        self.assertTrue(out.startswith(word + ": "), out)
        return out

    def asked(self, dog, method, **params):
        if not self.clients:
            self.client(dog)
        return self.clients[0].result(method, **params)

    def reasons(self, dog):
        return {r["what"]: r for r in self.asked(dog, "status")["reasons"]}

    def status_line(self, dog):
        lines = [line for state in dog.states for line in state.split("\n")
                 if line.startswith("STATUS=")]
        return lines[-1] if lines else ""

    def stand_still(self, node):
        """The node reads nothing more, as one that got SIGSTOP."""
        node.wait_rounds(1)
        node.reading.clear()

    def peers(self, dog, **params):
        return {p["peer"]: p for p in self.asked(dog, "peers", **params)["peers"]}

    def black_hole(self, node, *conns):
        """What is sent is not answered: bytes stay in flight, and nothing comes."""
        for conn in conns:
            node.peers[conn].advance = False
            node.peers[conn].set(in_flight_bytes=1200, pto_count=3)


class NodeSilent(HealthCase):
    def test_a_node_that_stands_still(self):
        node, dog = self.pair(peers=2, triggers=STALL)
        self.stand_still(node)
        self.wait_until(lambda: "node-silent" in self.reasons(dog), "node-silent")
        reason = self.reasons(dog)["node-silent"]
        self.assertEqual(reason["grade"], "broken")
        self.assertRegex(reason["text"], r"the node has not answered for \d")
        status = self.asked(dog, "status")
        self.assertEqual(status["node"]["state"], "up")
        self.assertGreaterEqual(status["node"]["silent_us"], 5_000_000)
        self.assertRegex(self.ctl(dog, "status")[0], r"Node .*up, has not answered for \d")
        self.assertRegex(self.check(dog, 2, "broken"), "the node has not answered for")
        dog.wait_for(lambda: "has not answered since" in self.status_line(dog), what="a STATUS=")
        self.assertRegex(self.status_line(dog),
                         r"^STATUS=Node alpha@127.0.0.1 has not answered since "
                         r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+, 2 peers$")
        # what is known of its peers is old, and said to be
        out, _ = self.ctl(dog, "peers")
        for line in out.splitlines()[1:]:
            self.assertRegex(line, r"^p\d@h +unseen .*\(20 ms\).*last row .* ago")
        self.assertEqual({p["condition"] for p in self.peers(dog).values()}, {"unseen"})
        out, _ = self.ctl(dog, "explain", "p1@h")
        self.assertNotIn("nothing is in the way", out)
        self.assertIn("a request would be sent, but the node has not answered for", out)
        node.reading.set()
        self.wait_until(lambda: "node-silent" not in self.reasons(dog), "it answers again")
        dog.wait_for(lambda: self.status_line(dog) == "STATUS=Node alpha@127.0.0.1 is up, 2 peers",
                     what="the STATUS= after it")
        self.assertIsNone(self.asked(dog, "status")["node"]["silent_us"])

    def test_a_summary_that_is_never_answered(self):
        """The node says other things: of its peers nothing new is known all the same."""
        node, dog = self.pair(triggers=STALL)
        node.on("summary", lambda request: None)
        self.wait_until(lambda: "node-silent" in self.reasons(dog), "node-silent")
        node.add("p2@h", 2)
        dog.wait_record("peer", state="up", conn=2)
        self.assertIn("node-silent", self.reasons(dog))

    def test_a_summary_that_is_refused_is_answered(self):
        node, dog = self.pair(triggers=STALL)
        asked = []

        def refuse(request):
            asked.append(request)
            request.error(-32603)
        node.on("summary", refuse)
        begin = node.wait_for(lambda: asked, what="a summary")[0].time
        node.wait_for(lambda: asked[-1].time > begin + 6, what="six seconds of them")
        self.assertNotIn("node-silent", self.reasons(dog))
        self.assertIn("peers-unseen", self.reasons(dog))


class BlackHole(HealthCase):
    def test_peers_and_status_say_it(self):
        node, dog = self.pair(peers=12, triggers=STALL)
        node.on("migrate_peer", lambda r: r.answer({}))
        node.wait_rounds(2)
        self.black_hole(node, 7)
        self.wait_until(lambda: self.peers(dog)["p7@h"]["condition"] == "silent", "silent")
        peers = self.peers(dog)
        self.assertEqual(peers["p7@h"]["state"], "up")  # as ever: the node has the connection
        self.assertGreater(peers["p7@h"]["silent_us"], 0)
        self.assertEqual(peers["p1@h"]["condition"], "up")
        self.assertEqual(peers["p1@h"]["silent_us"], 0)

    def test_the_worst_comes_first(self):
        node, dog = self.pair(peers=4, triggers={"srtt": {}})  # nothing that would move it
        node.peers[2].set(srtt_us=90000)
        node.peers[4].advance = False  # idle
        node.wait_rounds(2)
        self.black_hole(node, 3)
        self.wait_until(lambda: self.peers(dog)["p3@h"]["condition"] == "silent", "silent")
        out, _ = self.ctl(dog, "peers")
        head, *lines = out.splitlines()
        self.assertEqual(head.split(), ["PEER", "STATE", "SILENT", "SRTT", "INTERFACE", "LOCAL",
                                        "REMOTE", "CONN", "ROLE"])
        self.assertEqual([line.split()[:2] for line in lines],
                         [["p3@h", "silent"], ["p4@h", "idle"], ["p2@h", "up"], ["p1@h", "up"]])
        self.assertIn("(20 ms)", lines[0])  # the RTT from before is not shown as if it were good
        self.assertNotEqual(lines[0].split()[2], "-")
        self.assertEqual(lines[3].split()[2:6], ["-", "20", "ms", "lo"])
        reason = self.reasons(dog)["peers-silent"]
        self.assertIn("1 of 4 peers silent (p3@h)", reason["text"])
        dog.wait_for(lambda: "1 of 4 peers silent" in self.status_line(dog), what="a STATUS=")
        out, _ = self.ctl(dog, "status")
        self.assertIn("1 of 4 peers silent", out)
        self.assertIn("no enabled trigger can notice a dead path", out)
        self.assertIn("1 silent, 0 unseen, 0 moving, 1 idle", out)
        self.assertEqual(self.asked(dog, "count")["silent"], 1)

    def test_the_interface_that_it_is_bound_to(self):
        node, dog = self.pair(peers=2, triggers=STALL)
        node.wait_rounds(1)
        self.assertEqual(self.peers(dog)["p1@h"]["interface"], "lo")
        node.notify("peer_path", conn=1, interface="up7")
        self.wait_until(lambda: self.peers(dog)["p1@h"]["interface"] == "up7", "the reported interface")
        self.assertEqual(self.peers(dog)["p2@h"]["interface"], "lo")
        node.notify("peer_path", conn=1, local="127.0.0.1:4999")
        self.wait_until(lambda: self.peers(dog)["p1@h"]["interface"] == "lo", "the one of the new address")

    def test_a_peer_that_the_node_leaves_out(self):
        node, dog = self.pair(peers=2, triggers=STALL)
        node.wait_rounds(2)
        node.peers[2].silent = True
        self.wait_until(lambda: self.peers(dog)["p2@h"]["condition"] == "unseen", "unseen")
        self.assertIn("of 1 of 2 peers", self.reasons(dog)["peers-unseen"]["text"])
        self.assertEqual(self.peers(dog)["p1@h"]["condition"], "up")

    def test_moving_and_the_node_down(self):
        node, dog = self.pair(triggers=STALL)
        node.wait_rounds(2)
        asked = []
        node.on("migrate_peer", asked.append)
        dog.moved()
        node.wait_for(lambda: asked, what="a request")
        self.assertEqual(self.peers(dog)["p1@h"]["condition"], "moving")
        asked[0].answer({})
        self.wait_until(lambda: self.peers(dog)["p1@h"]["condition"] == "up", "up again")
        node.stop()
        dog.wait_record("node", state="down")
        self.assertEqual(self.peers(dog)["p1@h"]["condition"], "untold")


class Sort(HealthCase):
    def names(self, dog, *words):
        return [line.split()[0] for line in self.ctl(dog, "peers", *words)[0].splitlines()[1:]]

    def three(self):
        node = self.node()
        for name, conn, srtt in (("bravo@h", 30, 20000), ("alpha@h", 20, 90000), ("char@h", 10, 50000)):
            node.add(name, conn, local="127.0.0.1:9000").set(srtt_us=srtt)
        dog = self.dog(node, triggers=STALL)
        node.wait_rounds(2)
        return node, dog

    @cases({"rtt": (["alpha@h", "char@h", "bravo@h"],), "name": (["alpha@h", "bravo@h", "char@h"],),
            "conn": (["char@h", "alpha@h", "bravo@h"],),
            "table": (["bravo@h", "alpha@h", "char@h"],),
            "interface": (["alpha@h", "bravo@h", "char@h"],)})
    def test_keys(self, order):
        key = self.id().rsplit("__", 1)[1]
        node, dog = self.three()
        self.assertEqual(self.names(dog, "--sort", key), order)
        lines = self.ctl(dog, "--json", "peers", "--sort", key)[0].splitlines()
        self.assertEqual([json.loads(line)["peer"] for line in lines], order)
        self.assertEqual(self.names(dog, "--sort", key, "-n", "2"), order[:2])

    def test_a_key_that_there_is_not(self):
        run = subprocess.run([ctl_program(), "peers", "--sort", "nmae"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("allowed is one of worst, silent", run.stderr)
        self.assertIn("(did you mean name?);", run.stderr)

    def test_the_interface_has_the_local_address(self):
        node = self.node()
        for conn, local in enumerate(("127.0.0.1:1", "[::1]:2", "192.0.2.77:3", None), 1):
            node.add(f"p{conn}@h", conn, **({"local": local} if local else {}))
        dog = self.dog(node, triggers=STALL)
        dog.wait_record("peer", nth=4, state="up")
        found = {name: peer["interface"] for name, peer in self.peers(dog).items()}
        self.assertEqual((found["p1@h"], found["p3@h"], found["p4@h"]), ("lo", None, None))
        if os.path.exists("/proc/net/if_inet6"):
            with open("/proc/net/if_inet6") as file:
                if " lo\n" in file.read():
                    self.assertEqual(found["p2@h"], "lo")


class Check(HealthCase):
    def test_all_is_well(self):
        node, dog = self.pair(peers=2, triggers=STALL)
        node.wait_rounds(2)
        self.assertEqual(self.check(dog, 0, "ok"),
                         "ok: node alpha@127.0.0.1 is up, 2 peers, none silent\n")
        self.assertEqual(json.loads(self.ctl(dog, "--json", "status", "--check")[0]),
                         {"check": "ok", "exit": 0,
                          "text": "node alpha@127.0.0.1 is up, 2 peers, none silent"})

    def test_a_node_without_peers_is_well(self):
        node = self.node()
        dog = self.dog(node, triggers=STALL)
        node.wait_rounds(2)
        self.check(dog, 0, "ok")

    @cases({"observe": ("mode", "observe"), "hold": ("hold", "--all")})
    def test_left_over(self, *words):
        node, dog = self.pair(triggers=STALL)
        node.wait_rounds(2)
        self.ctl(dog, *words)
        self.check(dog, 1, "look")

    def test_one_path_is_dead(self):
        node, dog = self.pair(peers=2, triggers={"stall": {"misses": 1000, "min": "10min"}})
        node.wait_rounds(2)
        self.black_hole(node, 2)
        self.wait_until(lambda: "peers-silent" in self.reasons(dog), "peers-silent")
        self.assertIn("1 of 2 peers silent", self.check(dog, 1, "look"))
        self.black_hole(node, 1)
        self.wait_until(lambda: "2 of 2" in self.reasons(dog)["peers-silent"]["text"], "both")
        self.assertIn("2 of 2 peers silent", self.check(dog, 2, "broken"))

    def test_nothing_notices_a_dead_path(self):
        node, dog = self.pair()
        self.assertIn("no enabled trigger can notice", self.check(dog, 1, "look"))

    def test_the_node_is_not_there(self):
        dog = self.dog(self.node(start=False), triggers=STALL)
        dog.wait_record("node", state="down")
        self.assertRegex(self.check(dog, 2, "broken"), "the node at /.* is down: cannot connect")

    def test_without_triggers(self):
        node, dog = self.pair(triggers={})
        self.check(dog, 2, "broken")

    def test_the_worst_is_said_first(self):
        node = self.node(start=False)
        dog = self.dog(node)
        dog.wait_record("node", state="down")
        self.ctl(dog, "mode", "observe")
        line = self.check(dog, 2, "broken")
        self.assertLess(line.index("is down"), line.index("the mode is observe"))

    def test_pathdog_is_not_there(self):
        dog = self.dog(self.node(start=False), start=False)
        self.assertIn("no such socket", self.check(dog, 3, "unreachable"))

    def test_pathdog_hangs(self):
        node, dog = self.pair(triggers=STALL)
        dog.process.send_signal(signal.SIGSTOP)
        try:
            self.assertIn("has not answered within 3 s", self.check(dog, 3, "unreachable"))
        finally:
            dog.process.send_signal(signal.SIGCONT)

    def test_the_words_are_documented(self):
        place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
        for name in ("control.md", "man/pathdogctl.1.scd.in"):
            with open(os.path.join(place, name)) as file:
                text = file.read()
            for word in ("ok", "look", "broken", "unreachable"):
                self.assertTrue(re.search(rf"[`*]{word}:?[`*]", text), (name, word))
