# SPDX-License-Identifier: Apache-2.0
"""pathdogctl status: is it working, what is wrong, what is it waiting for, what did it last do, in
twelve lines at most."""

import os

from control_case import ControlCase

WELL = {"tunnel": {}, "stall": {}}


class Status(ControlCase):
    def status(self, dog):
        """label → text; the lines that go on belong to the label before."""
        out, err = self.ctl(dog, "status")
        lines = out.splitlines()
        self.assertLessEqual(len(lines), 12, out)
        self.assertEqual(err, "")
        said, label = {}, None
        for line in lines:
            label = line[:10].strip() or label
            said.setdefault(label, []).append(line[10:])
        return {label: "\n".join(texts) for label, texts in said.items()}

    def wait_status(self, dog, label, part):
        self.wait_until(lambda: part in self.status(dog).get(label, ""), f"{label}: {part}")
        return self.status(dog)

    def test_all_is_well(self):
        node, dog = self.pair(peers=2, triggers=WELL)
        node.wait_rounds(2)
        said = self.wait_status(dog, "State", "ok: node alpha@127.0.0.1 is up, 2 peers, none silent")
        self.assertTrue(said["Node"].endswith(f"{node.path}: up"), said)
        self.assertEqual(said["Mode"], "active; triggers tunnel stall")
        self.assertEqual(said["Peers"], "2 up: 0 silent, 0 unseen, 0 moving, 0 idle")
        self.assertEqual(said["Waits for"].split(":")[0].split(";")[0], "nothing")
        self.assertEqual(said["Last"], "no decision has been made in this run")

    def test_what_it_did_last(self):
        node, dog = self.pair(triggers=WELL)
        dog.moved("p1@h", "the flip")
        dog.effect(peer="p1@h")
        said = self.wait_status(dog, "Last", "effect")
        self.assertEqual(len(said["Last"].splitlines()), 3)
        self.assertIn("the flip → migrate", said["Last"].splitlines()[0])
        self.assertIn("migrated after", said["Last"].splitlines()[1])
        self.assertIn("the end of the cool-down of 1 peer", said["Waits for"])

    def test_what_it_is_waiting_for(self):
        node, dog = self.pair(peers=3, watchdog={"max_in_flight": "1"}, triggers=WELL)
        node.on("migrate_peer", lambda request: None)
        dog.moved("*")
        said = self.wait_status(dog, "Waits for", "room for 2 queued requests")
        self.assertIn("the node's answers to 1 request", said["Waits for"])
        self.assertIn("1 requests are open, which is the most allowed", said["State"])
        self.finish_with = {"whole": False}

    def test_the_node_is_away(self):
        dog = self.dog(self.node(start=False), triggers=WELL)
        said = self.wait_status(dog, "State", "broken: the node is down, and no peer can be moved")
        self.assertIn("there is no ", said["Node"])
        self.assertIn("the node, to which it connects again and again", said["Waits for"])

    def test_silent_peers(self):
        node, dog = self.pair(peers=3, triggers={"srtt": {}})
        node.peers[2].advance = False
        node.peers[2].set(in_flight_bytes=1200, pto_count=3)
        said = self.wait_status(dog, "State", "look: 1 of 3 peers silent (p2@h)")
        self.assertIn("also: no enabled trigger can notice a dead path", said["State"])
        self.assertIn("3 up: 1 silent", said["Peers"])

    def test_held_and_observing(self):
        """Everything at once still fits."""
        node, dog = self.pair(peers=3, triggers={"tunnel": {}, "srtt": {}})
        node.peers[2].advance = False
        node.peers[2].set(in_flight_bytes=1200, pto_count=3)
        dog.moved("p1@h")
        dog.effect(peer="p1@h")
        for words in (("mode", "observe"), ("hold", "--all", "--for", "1h"), ("hold", "p3@h")):
            self.ctl(dog, *words)
        said = self.wait_status(dog, "State", "1 of 3 peers silent")
        self.assertIn("observe, all peers held for another ", said["Mode"])
        self.assertIn("1 held", said["Peers"])
        self.assertIn("the end of the hold of all peers", said["Waits for"])
        self.assertEqual(len(said["State"].splitlines()), 3)
        self.assertRegex(said["State"], r'also: .*; and 1 more: "pathdogctl status --check"$')
        self.assertTrue(os.path.exists(dog.control))

    def test_its_word_is_that_of_check(self):
        node, dog = self.pair(triggers={"tunnel": {}})
        self.assertTrue(self.status(dog)["State"].startswith("look: "))
        self.assertTrue(self.ctl(dog, "status", "--check", status=1)[0].startswith("look: "))
