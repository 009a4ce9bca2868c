# SPDX-License-Identifier: Apache-2.0
"""Uplinks: learned or configured, how they are, which connection uses which, and a move to one. The
daemon runs in a network namespace with two uplinks."""

import json
import unittest

import netns
from control_case import ControlCase

UNUSABLE = netns.usable()
SECTIONS = {"uplink:home": {"interface": "up0"}, "uplink:lte": {"interface": "up1", "class": "metered"}}


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Uplinks(ControlCase):
    def start(self, sections=None, features=("bind",)):
        """Nothing is moved by itself here: not back, either."""
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        node = self.node(features=list(features))
        for conn, local in ((1, "10.77.1.2:9001"), (2, "10.77.1.2:9002"), (3, "10.77.2.2:9003"),
                            (4, "[fd77:1::2]:9004"), (5, "192.0.2.9:9005")):
            node.add(f"p{conn}@h", conn, local=local, remote="203.0.113.1:443")
        dog = self.dog(node, start=False, prefix=self.host.prefix)
        dog.sections.update(sections or {})
        dog.sections["watchdog"]["return"] = "never"
        dog.start()
        node.wait_subscribed()
        node.wait_rounds(1)
        return node, dog

    def uplinks(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["uplink"]: u for u in map(json.loads, out.splitlines())}

    def wait_uplinks(self, dog, what, true):
        self.wait_until(lambda: true(self.uplinks(dog)), what)
        return self.uplinks(dog)

    def test_learned(self):
        node, dog = self.start()
        seen = self.wait_uplinks(dog, "up0 is learned", lambda u: set(u) == {"up0"})
        up0 = seen["up0"]
        self.assertEqual((up0["interface"], up0["class"], up0["configured"], up0["condition"],
                          up0["routes"], up0["peers"]), ("up0", "spare", False, "up", ["ipv4", "ipv6"], 3))
        self.host.default("up1", "metric", "700", action="add")
        seen = self.wait_uplinks(dog, "up1 is learned", lambda u: set(u) == {"up0", "up1"})
        self.assertEqual((seen["up1"]["routes"], seen["up1"]["peers"]), (["ipv4"], 1))
        out, _ = self.ctl(dog, "uplinks")
        self.assertRegex(out, r"(?m)^up0 +up0 +spare +up +ipv4 ipv6 +3 ")
        self.assertIn("learned from the routes", out)
        out, _ = self.ctl(dog, "status")
        self.assertRegex(out, r"(?m)^Uplinks +2$")
        peers, _ = self.ctl(dog, "--json", "peers")
        used = {p["peer"]: p["uplink"] for p in map(json.loads, peers.splitlines())}
        self.assertEqual(used, {"p1@h": "up0", "p2@h": "up0", "p3@h": "up1", "p4@h": "up0", "p5@h": None})

    def test_conditions(self):
        node, dog = self.start(SECTIONS | {"uplink:gone": {"interface": "nowhere0"}})
        seen = self.wait_uplinks(dog, "home is up", lambda u: u["home"]["condition"] == "up")
        self.assertEqual(seen["lte"]["condition"], "no-route")
        self.assertEqual(seen["lte"]["class"], "metered")
        self.assertEqual(seen["gone"]["condition"], "absent")
        for change, name, condition in (
                (("route", "add", "default", "via", "10.77.2.1", "dev", "up1", "metric", "700"), "lte", "up"),
                (("link", "set", "up1", "down"), "lte", "no-carrier"),
                (("addr", "flush", "dev", "up0"), "home", "no-address"),
                (("link", "add", "nowhere0", "type", "veth", "peer", "name", "nowhere1"), "gone", "no-carrier"),
                (("link", "del", "nowhere0"), "gone", "absent")):
            self.host.ip(*change)
            self.wait_uplinks(dog, f"{name} is {condition}",
                              lambda u, n=name, c=condition: u[n]["condition"] == c)
        out, _ = self.ctl(dog, "uplinks")
        self.assertRegex(out, r"(?m)^gone +nowhere0 +primary +absent ")
        self.assertRegex(out, r"(?m)^ +(absent for|down) \d")
        self.assertNotIn("learned", out)
        self.assertEqual({len(line) for line in out.splitlines() if line[0] != " "}, {79}, "it fits on a terminal")
        out, _ = self.ctl(dog, "status")
        self.assertRegex(out, r"(?m)^Uplinks +3; home: no-address, lte: no-carrier, gone: absent$")

    def test_a_route_that_a_rule_leads_to(self):
        """A second provider as it is often set up: a table of its own, chosen by the source."""
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "lte has no route", lambda u: u["lte"]["condition"] == "no-route")
        self.host.ip("route", "add", "default", "via", "10.77.2.1", "dev", "up1", "table", "77")
        self.host.ip("rule", "add", "from", "10.77.2.2", "lookup", "77")
        self.wait_uplinks(dog, "lte is up", lambda u: u["lte"]["condition"] == "up")

    def test_halves_of_everything(self):
        """A VPN has 0.0.0.0/1 and 128.0.0.0/1."""
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "lte has no route", lambda u: u["lte"]["condition"] == "no-route")
        self.host.ip("route", "add", "0.0.0.0/1", "via", "10.77.2.1", "dev", "up1")
        self.host.ip("route", "add", "128.0.0.0/1", "via", "10.77.2.1", "dev", "up1")
        self.wait_uplinks(dog, "lte is up", lambda u: u["lte"]["routes"] == ["ipv4"])

    def test_reload(self):
        node, dog = self.start()
        self.wait_uplinks(dog, "up0 is learned", lambda u: set(u) == {"up0"})
        with open(dog.config, "a") as file:
            file.write("[uplink:lte]\ninterface = up1\nclass = metered\n")
        out, _ = self.ctl(dog, "reload")
        seen = self.wait_uplinks(dog, "lte is known",
                                 lambda u: set(u) == {"lte"} and u["lte"]["condition"] == "no-route")
        self.assertEqual(seen["lte"]["class"], "metered")

    def test_a_move_to_one(self):
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "both are known", lambda u: u["home"]["condition"] == "up")
        self.ctl(dog, "migrate", "p1@h", "--to", "lte")
        request = node.wait_request("migrate_peer")
        self.assertEqual((request.conn, request.params["interface"]), (1, "up1"))
        for arguments, words in ((["--to", "sat"], 'there is no uplink "sat"; there are home and lte'),
                                 (["--to", "lte", "--interface", "up1"],
                                  'only one of "uplink" and "interface" is allowed')):
            _, err = self.ctl(dog, "migrate", "p2@h", *arguments, status=1)
            self.assertIn(words, err)
        self.assertEqual(len(node.requests("migrate_peer")), 1)

    def test_what_a_hold_of_one_takes(self):
        """Wrong words are an error that says what is right; a peer's uplink is in explain."""
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "both are known", lambda u: u["home"]["condition"] == "up")
        for words, status, says in (
                (("hold", "--uplink", "sat"), 1, 'there is no uplink "sat"; there are home and lte'),
                (("hold", "--uplink", "home", "p1@h"), 2, "hold PEER, hold --uplink NAME, or hold --all"),
                (("hold", "--uplink", "home", "--all"), 2, "hold PEER, hold --uplink NAME, or hold --all"),
                (("hold", "--uplink", "home", "--absent"), 2, "--absent is about peers"),
                (("release", "--uplink", "home"), 1, "nothing to release: uplink home is not held"),
                (("release", "--uplink", "home", "--for", "1s"), 2, "release does not take --for"),
                (("peers", "--uplink", "home"), 2, "peers does not take --uplink")):
            _, err = self.ctl(dog, *words, status=status)
            self.assertIn(says, err)
        out, _ = self.ctl(dog, "explain", "p1@h")
        self.assertRegex(out, r"(?m)^uplink +home: up$")
        self.assertNotIn("uplink  ", self.ctl(dog, "explain", "p5@h")[0])

    def test_a_move_to_one_of_a_node_that_cannot_bind(self):
        node, dog = self.start(SECTIONS, features=())
        _, err = self.ctl(dog, "migrate", "p1@h", "--to", "lte", status=1)
        self.assertIn('the node does not offer the feature "bind"', err)


if __name__ == "__main__":
    unittest.main()
