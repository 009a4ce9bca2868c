# SPDX-License-Identifier: Apache-2.0
"""Probes of paths: asked before a dead connection is moved, answered once each, whatever the node
makes of them; and where the moves that follow lead to. A host with three uplinks, a scripted node."""

import json
import unittest

import netns
from control_case import ControlCase
from node import SILENT

UNUSABLE = netns.usable()
SECTIONS = {"uplink:home": {"interface": "up0"}, "uplink:fibre": {"interface": "up1", "class": "spare"},
            "uplink:sat": {"interface": "up2", "class": "spare"}}
ADDRESSES = {"up0": "10.77.1.2", "up1": "10.77.2.2", "up2": "10.77.3.2"}


@unittest.skipIf(UNUSABLE, UNUSABLE)
class ProbePath(ControlCase):
    """p1 is on up0."""

    def start(self, features=("bind", "probe_path"), **hello):
        host = netns.Host()
        self.addCleanup(host.stop)
        host.start()
        host.default("up1", "metric", "700", action="add")
        host.ip("link", "add", "up2", "type", "veth", "peer", "name", "r2", "netns", host.far)
        netns.run("ip", "-n", host.far, "link", "set", "r2", "up")
        host.ip("addr", "add", "10.77.3.2/24", "dev", "up2")
        host.ip("link", "set", "up2", "up")
        host.ip("route", "add", "default", "via", "10.77.3.1", "dev", "up2", "metric", "800")
        node = self.node(features=list(features), **hello)
        node.addresses.update(ADDRESSES)
        peer = node.add("p1@h", 1, local="10.77.1.2:9001", remote="203.0.113.1:443")
        dog = self.dog(node, start=False, prefix=host.prefix, triggers={"stall": {}})
        dog.sections.update(SECTIONS)
        dog.start()
        node.wait_subscribed()
        self.wait_until(lambda: self.conditions(dog) == {"home": "up", "fibre": "up", "sat": "up"},
                        "three uplinks are up")
        node.wait_rounds(2)
        return node, dog, peer

    def conditions(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["uplink"]: u["condition"] for u in map(json.loads, out.splitlines())}

    def die(self, peer):
        with self.cv:
            peer.advance = False
            peer.set(in_flight_bytes=5000)

    def live(self, peer):
        with self.cv:
            peer.advance = True
            peer.set(in_flight_bytes=0)

    def events(self, dog, event):
        """Those of the recording, as far as it is written."""
        with open(dog.recording, "rb") as file:
            lines = [json.loads(line) for line in file if line.endswith(b"\n")]
        return [line for line in lines if line.get("event") == event]

    def probed(self, dog, *wanted):
        """Waits until these have come, (ok, rtt_us, code) each; none has come twice."""
        def seen():
            return [(e["ok"], e["rtt_us"], e["code"]) for e in self.events(dog, "probed")]
        self.wait_until(lambda: all(seen().count(w) >= wanted.count(w) for w in wanted),
                        f"recorded answers: {wanted}, not only {seen()}")
        numbers = [e["probe"] for e in self.events(dog, "probed")]
        self.assertEqual(len(set(numbers)), len(numbers))

    def asked(self, node, number):
        """The first probes that were asked: over which interfaces."""
        node.wait_for(lambda: len(node.requests("probe_path")) >= number, what=f"{number} probes")
        return sorted(r.params["interface"] for r in node.requests("probe_path")[:number])

    def moved_to(self, node, interface, method="migrate_peer"):
        """A move there; not the first, where the machine was too slow for an answer in time."""
        def found():
            return [r for r in node.requests(method) if r.params.get("interface") == interface]
        return node.wait_for(found, 30, f"{method} to {interface}")[0]

    def test_the_first_that_lives(self):
        node, dog, peer = self.start()
        node.paths.update({"up1": -32004, "up2": 20000})
        self.die(peer)
        self.assertEqual(self.asked(node, 2), ["up1", "up2"])
        self.assertEqual(self.moved_to(node, "up2").conn, 1)
        self.live(peer)
        self.assertEqual(dog.wait_record("decision", verdict="migrate", target="sat")["uplink"], "home")
        self.assertEqual(dog.records("decision")[0]["verdict"], "probing")
        self.probed(dog, (False, 0, -32004), (True, 20000, 0))

    def test_errors_and_nonsense_are_no_answer(self):
        """Each counts as one that failed; the one that is left is taken."""
        node, dog, peer = self.start()
        node.paths.update({"up1": lambda request: request.answer({"rtt_us": "soon"}), "up2": 20000})
        self.die(peer)
        self.moved_to(node, "up2")
        self.live(peer)
        self.probed(dog, (False, 0, 0), (True, 20000, 0))
        self.assertIn('probe_path: "rtt_us" is not an integer', dog.wait_record("notice", what="bad-answer")["text"])

    def test_a_node_that_says_nothing(self):
        """They are over in their time and a second, and it is decided without them."""
        node, dog, peer = self.start()
        node.paths.update({"up1": SILENT, "up2": SILENT})
        self.die(peer)
        node.wait_request("migrate_peer")
        self.live(peer)
        self.probed(dog, (False, 0, 0), (False, 0, 0))
        text = dog.wait_record("notice", what="probe-path-unanswered")["text"]
        self.assertEqual(text, "the node did not answer a probe_path in time")
        for request in node.requests("probe_path")[:2]:
            request.answer({"rtt_us": 5})  # too late: nobody hears it
        node.wait_rounds(1)
        self.assertFalse([e for e in self.events(dog, "probed") if e["ok"]])

    def test_a_node_that_goes_meanwhile(self):
        """No answer comes for what it was asked, which says nothing of the paths: when it is there
        again, it is asked anew."""
        node, dog, peer = self.start()

        def goes(request):
            node.wait_for(lambda: len(node.requests("probe_path")) == 2, what="both probes")
            node.paths.update({"up1": 20000, "up2": -32004})
            node.accepting = False
            request.link.close()
        node.paths.update({"up1": SILENT, "up2": goes})
        self.die(peer)
        # longer than a probe may take, not so long that a path without an answer is tried again
        node.wait_for(lambda: node.links[-1].index and node.links[-1].opened > node.links[0].closed + 1.2,
                      what="connections that are refused")
        node.accepting = True
        move = node.wait_request("migrate_peer")
        self.assertTrue(node.requests("probe_path")[2:], "it was not asked anew")
        self.assertLess(node.requests("probe_path")[2].time, move.time)
        self.moved_to(node, "up1")
        self.live(peer)
        self.probed(dog, (True, 20000, 0))
        down, = self.events(dog, "node_down")
        self.assertFalse([e for e in self.events(dog, "probed") if e["t"] < down["t"]])

    def test_a_node_that_cannot_probe(self):
        node, dog, peer = self.start(features=("bind",))
        self.die(peer)
        self.moved_to(node, "up1")
        self.live(peer)
        self.assertEqual(node.requests("probe_path"), [])
        node.wait_rounds(1)
        self.assertEqual(self.events(dog, "probed"), [])

    def test_a_reconnect_leads_there_too(self):
        node, dog, peer = self.start(features=("bind", "probe_path", "reconnect"), prefer="reconnect")
        node.paths.update({"up1": -32007, "up2": 20000})
        self.die(peer)
        self.moved_to(node, "up2", "reconnect_peer")
        self.live(peer)
        dog.wait_record("peer", state="up", conn=node.next_conn)
        peers, _ = self.ctl(dog, "--json", "peers")
        self.assertEqual([(p["uplink"], p["local"]) for p in map(json.loads, peers.splitlines())],
                         [("sat", "10.77.3.2:41000")])


if __name__ == "__main__":
    unittest.main()
